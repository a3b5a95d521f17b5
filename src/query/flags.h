/*
 * The flags of the query language, one row each: X(ID, letter, "long-name", argument, "hint",
 * "help"). Parser, clash messages and help read the same rows. Their order is the help's, and
 * decides which of several clashes is reported.
 *
 * letter: 0 when there is only a long name; long-name: "" when there is only a letter.
 * argument: FLAG_BARE takes none; FLAG_LIST takes a comma list and accumulates; FLAG_ONCE takes one
 * value, once.
 */
#pragma once

#include <stdint.h>

enum flag_argument { FLAG_BARE, FLAG_LIST, FLAG_ONCE };

// clang-format off
#define QUERY_FLAG_LIST(X)                                                                                      \
    X(EXACT, 'x', "exact", FLAG_BARE, "<ip-lookup>",                                                            \
      "Only an exact match on a prefix is returned; without it an exact match or the next less specific one.")  \
    X(ONE_LESS, 'l', "one-less", FLAG_BARE, "<ip-lookup>",                                                      \
      "Returns the first level less specific inet(6)num, route(6) or reverse domain, exact match excluded.")    \
    X(ALL_LESS, 'L', "all-less", FLAG_BARE, "<ip-lookup>",                                                      \
      "Returns the exact match and all less specific objects, the least specific first.")                       \
    X(ONE_MORE, 'm', "one-more", FLAG_BARE, "<ip-lookup>",                                                      \
      "Returns the first level more specific objects, exact match excluded.")                                   \
    X(ALL_MORE, 'M', "all-more", FLAG_BARE, "<ip-lookup>",                                                      \
      "Returns all more specific objects, exact match excluded.")                                               \
    X(NO_IRT, 'C', "no-irt", FLAG_BARE, "",                                                                     \
      "Accepted for old clients; irt objects are left out unless -c asks for them.")                            \
    X(IRT, 'c', "irt", FLAG_BARE, "<ip-lookup>",                                                                \
      "Adds the irt objects that an inet(6)num, or a less specific one, refers to with \"mnt-irt:\".")          \
    X(ABUSE_CONTACT, 'b', "abuse-contact", FLAG_BARE, "<ip-lookup>",                                            \
      "Brief output: address range or AS number and the abuse mailbox.")                                        \
    X(REVERSE_DOMAIN, 'd', "reverse-domain", FLAG_BARE, "<ip-lookup>",                                          \
      "Looks up the address and its reverse delegation together; also from a reverse domain name.")             \
    X(INVERSE, 'i', "inverse", FLAG_LIST, "<attribute-list> <inverse-key>",                                     \
      "Returns the objects that hold the key in one of the named attributes.")                                  \
    X(BRIEF, 'F', "brief", FLAG_BARE, "",                                                                       \
      "Output in short hand for attribute names; implies -r.")                                                  \
    X(PRIMARY_KEYS, 'K', "primary-keys", FLAG_BARE, "",                                                         \
      "Only primary keys are returned, and the members of sets; implies -r, -G and -B.")                        \
    X(PERSISTENT, 'k', "persistent-connection", FLAG_BARE, "",                                                  \
      "Keeps the connection open for more queries; a second -k, alone, closes it.")                             \
    X(NO_GROUPING, 'G', "no-grouping", FLAG_BARE, "",                                                           \
      "Does not group an object with those that it refers to.")                                                 \
    X(NO_FILTERING, 'B', "no-filtering", FLAG_BARE, "",                                                         \
      "Shows objects with their e-mail addresses.")                                                             \
    X(VALID_SYNTAX, 0, "valid-syntax", FLAG_BARE, "",                                                           \
      "Shows only objects whose syntax is valid by today's rules.")                                         \
    X(NO_VALID_SYNTAX, 0, "no-valid-syntax", FLAG_BARE, "",                                                     \
      "Shows only objects whose syntax is not valid by today's rules.")                                     \
    X(NO_REFERENCED, 'r', "no-referenced", FLAG_BARE, "",                                                       \
      "Leaves out the contacts and organisations that the found objects refer to.")                             \
    X(NO_PERSONAL, 0, "no-personal", FLAG_BARE, "",                                                             \
      "Leaves person and role objects out of the answer.")                                                      \
    X(SHOW_PERSONAL, 0, "show-personal", FLAG_BARE, "",                                                         \
      "Person and role objects are shown; this is the default.")                                                \
    X(SELECT_TYPES, 'T', "select-types", FLAG_LIST, "<object-types>",                                           \
      "Searches objects of the named types only.")                                                              \
    X(ALL_SOURCES, 'a', "all-sources", FLAG_BARE, "",                                                           \
      "Searches all sources.")                                                                                  \
    X(SOURCES, 's', "sources", FLAG_LIST, "<source-list>",                                                      \
      "Searches the named sources, in this order.")                                                             \
    X(RESOURCE, 0, "resource", FLAG_BARE, "",                                                                   \
      "Searches number resources in all mirrored sources.")                                                     \
    X(INFO, 'q', "", FLAG_ONCE, "[version|types|sources]",                                                      \
      "Shows the server's version, the object types or the sources.")                                           \
    X(LIST_SOURCES, 0, "list-sources", FLAG_BARE, "",                                                           \
      "Lists the sources, like -q sources.")                                                                    \
    X(VERSION, 0, "version", FLAG_BARE, "",                                                                     \
      "Shows the server's version, like -q version.")                                                           \
    X(TYPES, 0, "types", FLAG_BARE, "",                                                                         \
      "Lists the object types, like -q types.")                                                                 \
    X(TEMPLATE, 't', "template", FLAG_ONCE, "<object-type>",                                                    \
      "Shows the template of an object type.")                                                                  \
    X(VERBOSE, 'v', "verbose", FLAG_ONCE, "<object-type>",                                                      \
      "Shows the template of an object type with explanations.")                                                \
    X(CLIENT, 'V', "client", FLAG_ONCE, "<tag>[,<ip>]",                                                         \
      "Tells the name of the client program, and for a proxy the address of its client.")                       \
    X(LIST_VERSIONS, 0, "list-versions", FLAG_BARE, "",                                                         \
      "Lists the versions of an object.")                                                                       \
    X(DIFF_VERSIONS, 0, "diff-versions", FLAG_ONCE, "<a:b>",                                                    \
      "Shows the differences between two versions of an object.")                                               \
    X(SHOW_VERSION, 0, "show-version", FLAG_ONCE, "<version-number>",                                           \
      "Shows one version of an object.")                                                                        \
    X(CHARSET, 'Z', "charset", FLAG_ONCE, "<charset-name>",                                                     \
      "Prints objects in this character set; the default is latin-1.")
// clang-format on

enum query_flag {
#define X(id, letter, name, argument, hint, help) FLAG_##id,
    QUERY_FLAG_LIST(X)
#undef X
        FLAG_COUNT
};

/** A flag as a bit of query.flags: QF(EXACT). */
#define QF(id) (UINT64_C(1) << FLAG_##id)

/** `-x -l -L -m -M`: at most one. */
#define QF_IP_MODES (QF(EXACT) | QF(ONE_LESS) | QF(ALL_LESS) | QF(ONE_MORE) | QF(ALL_MORE))
#define QF_VERSIONS (QF(LIST_VERSIONS) | QF(DIFF_VERSIONS) | QF(SHOW_VERSION))
/** Queries about the server, which need no key. */
#define QF_INFO (QF(INFO) | QF(LIST_SOURCES) | QF(VERSION) | QF(TYPES) | QF(TEMPLATE) | QF(VERBOSE))

struct flag_info {
    char letter;
    const char *name;
    enum flag_argument argument;
    const char *hint, *help;
};
extern const struct flag_info flag_infos[FLAG_COUNT];
