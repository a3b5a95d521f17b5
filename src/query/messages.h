/*
 * Every line that a client can get and that is no object: one row each, in the bytes of the wire
 * (whois-queries 2.4 and 2.5). `$1`, `$2` ... stand for arguments.
 */
#pragma once

#include "base/str.h"

/* X(ID, "wire text") */
// clang-format off
#define MESSAGE_LIST(X)                                                                            \
    X(INTERNAL_ERROR,                                                                              \
      "%ERROR:100: internal software error\n%\n"                                                   \
      "% Please contact ripe-dbm@ripe.net if the problem persists.\n\n")                           \
    X(SOURCE_LOADING,                                                                              \
      "%ERROR:100: internal software error\n%\n"                                                   \
      "% source $1 is being loaded ($2%)\n\n")                                                     \
    X(SOURCE_UNAVAILABLE,                                                                          \
      "%ERROR:100: internal software error\n%\n"                                                   \
      "% source $1 has not been loaded yet\n\n")                                                   \
    X(VERSIONS_UNAVAILABLE,                                                                        \
      "%ERROR:100: internal software error\n%\n"                                                   \
      "% the versions of source $1 cannot be read at the moment\n\n")                              \
    X(VERSIONS_BUSY,                                                                               \
      "%ERROR:100: internal software error\n%\n"                                                   \
      "% too many version queries wait for an answer; please try again later\n\n")                 \
    X(ANSWER_TOO_LARGE,                                                                            \
      "%ERROR:100: internal software error\n%\n"                                                   \
      "% The answer is too large for this server; ask for less.\n\n")                              \
    X(NO_ENTRIES,                                                                                  \
      "%ERROR:101: no entries found\n%\n"                                                          \
      "% No entries found in source $1.\n\n")                                                      \
    X(UNKNOWN_SOURCE,                                                                              \
      "%ERROR:102: unknown source\n%\n"                                                            \
      "% \"$1\" is not a known source.\n"                                                          \
      "% Use \"-q sources\" to list known sources.\n\n")                                           \
    X(UNKNOWN_TYPE,                                                                                \
      "%ERROR:103: unknown object type '$1'\n\n")                                                  \
    X(UNKNOWN_ATTRIBUTE,                                                                           \
      "%ERROR:104: unknown attribute\n%\n"                                                         \
      "% \"$1\" is not a known attribute.\n\n")                                                    \
    X(NOT_SEARCHABLE,                                                                              \
      "%ERROR:105: attribute is not searchable\n%\n"                                               \
      "% \"$1\" is not an inverse searchable attribute.\n\n")                                      \
    X(NO_KEY,                                                                                      \
      "%ERROR:106: no search key specified\n%\n"                                                   \
      "% No search key specified\n\n")                                                             \
    X(LINE_TOO_LONG,                                                                               \
      "%ERROR:107: input line too long\n%\n"                                                       \
      "% Input exceeds the maximum line length.\n\n")                                              \
    X(FLAG_CLASH,                                                                                  \
      "%ERROR:109: invalid combination of flags passed\n%\n"                                       \
      "% The flags \"$1\" and \"$2\" cannot be used together.\n\n")                                \
    X(FLAG_TWICE,                                                                                  \
      "%ERROR:110: multiple use of flag\n%\n"                                                      \
      "% The flag \"$1\" cannot be used multiple times.\n\n")                                      \
    X(BAD_OPTION,                                                                                  \
      "%ERROR:111: invalid option supplied\n%\n"                                                   \
      "% Use help query to see the valid options.\n\n")                                            \
    X(BAD_OPTION_NAMED,                                                                            \
      "% Invalid option: $1\n%\n"                                                                  \
      "%ERROR:111: invalid option supplied\n%\n"                                                   \
      "% Use help query to see the valid options.\n\n")                                            \
    X(BAD_OPTION_VALUE,                                                                            \
      "% $1\n%\n"                                                                                  \
      "%ERROR:111: invalid option supplied\n%\n"                                                   \
      "% Use help query to see the valid options.\n\n")                                            \
    X(RANGE_TOO_LARGE,                                                                             \
      "%ERROR:112: unsupported query\n%\n"                                                         \
      "% '-mM' query options are not allowed on very large ranges/prefixes.\n"                     \
      "% This data is available from the daily object split files:\n"                              \
      "% ftp://ftp.ripe.net/ripe/dbase/split/\n\n")                                                \
    X(BAD_KEY,                                                                                     \
      "%ERROR:115: invalid search key\n%\n"                                                        \
      "% Search key entered is not valid for the specified object type(s)\n\n")                    \
    X(NO_PERSON_VERSIONS,                                                                          \
      "%ERROR:116: unsupported query\n%\n"                                                         \
      "% Versions are not supported for PERSON/ROLE objects\n\n")                                  \
    X(NO_SUCH_VERSION,                                                                             \
      "%ERROR:117: version cannot exceed $1 for this object\n%\n"                                  \
      "% Versions are numbers greater or equal to 1\n"                                             \
      "% but cannot exceed the object's current version number.\n\n")                              \
    X(TOO_MANY_WORDS,                                                                              \
      "%ERROR:118: too many arguments supplied\n%\n"                                               \
      "% Too many arguments supplied.\n\n")                                                        \
    X(DENIED,                                                                                      \
      "%ERROR:201: access denied for $1\n%\n"                                                      \
      "% Sorry, access from your host has been permanently\n"                                      \
      "% denied because of a repeated excessive querying.\n"                                       \
      "% For more information, see\n"                                                              \
      "% https://docs.db.ripe.net/FAQ#why-did-i-receive-an-error-201-access-denied\n\n")           \
    X(LIMIT_PAST,                                                                                  \
      "%ERROR:201: access denied for $1\n%\n"                                                      \
      "% Queries from your IP address have passed the daily limit of controlled objects.\n"        \
      "% Access from your host has been temporarily denied.\n"                                     \
      "% For more information, see\n"                                                              \
      "% https://docs.db.ripe.net/FAQ#why-did-i-receive-an-error-201-access-denied\n\n")           \
    X(NO_PROXY,                                                                                    \
      "%ERROR:203: you are not allowed to act as a proxy\n\n")                                     \
    X(BLOCKED,                                                                                     \
      "% Your host $1 has been blocked. Please contact support <ripe-dbm@ripe.net> for further "   \
      "assistance.\n\n")                                                                           \
    X(IDLE,                                                                                        \
      "%ERROR:305: connection has been closed\n%\n"                                                \
      "% The connection to the RIPE Database query server\n"                                       \
      "% has been closed after a period of inactivity.\n\n")                                       \
    X(TOO_MANY_FROM_ADDRESS,                                                                       \
      "%ERROR:306: connections exceeded\n%\n"                                                      \
      "% Number of connections from a single IP address\n"                                         \
      "% has exceeded the maximum number allowed ($1).\n\n")                                       \
    X(TOO_MANY,                                                                                    \
      "%ERROR:306: connections exceeded\n%\n"                                                      \
      "% Number of connections to this server\n"                                                   \
      "% has exceeded the maximum number allowed ($1).\n\n")                                       \
    X(TWO_IP_MODES,                                                                                \
      "%ERROR:901: duplicate IP flags passed\n%\n"                                                 \
      "% More than one IP flag (-l, -L, -m, -M or -x) passed to the server.\n\n")                  \
    X(USELESS_IP_FLAG,                                                                             \
      "%WARNING:902: useless IP flag passed\n%\n"                                                  \
      "% An IP flag (-l, -L, -m, -M, -x, -d or -b) used without an IP key.\n\n")                   \
    X(BAD_CHARSET,                                                                                 \
      "% Invalid character set $1\n\n")                                                            \
    X(AUTH_SEARCH,                                                                                 \
      "% Inverse search on 'auth' attribute is limited to 'key-cert' objects only\n\n")            \
    X(FILTERED,                                                                                    \
      "% Note: this output has been filtered.\n"                                                   \
      "%       To receive output for a database update, use the \"-B\" flag.\n\n")                 \
    X(NO_PERSONAL,                                                                                 \
      "% Note: --no-personal means ALL personal data has been filtered from this output.\n\n")     \
    X(KEYS_ONLY,                                                                                   \
      "% Note: this output has been filtered.\n"                                                   \
      "% Only primary keys and abuse contacts will be visible.\n"                                  \
      "% No other contact information will be shown.\n\n")                                         \
    X(RELATED_TO,                                                                                  \
      "% Information related to '$1'\n\n")                                                         \
    X(ABUSE_CONTACT,                                                                               \
      "% Abuse contact for '$1' is '$2'\n\n")                                                      \
    X(NO_ABUSE_CONTACT,                                                                            \
      "% No abuse contact registered for $1\n\n")                                                  \
    X(INVALID_SYNTAX,                                                                              \
      "% '$1' invalid syntax\n\n")                                                                 \
    X(VALID_SYNTAX,                                                                                \
      "% '$1' has valid syntax\n\n")                                                               \
    X(CONVERTED,                                                                                   \
      "% This query was converted into the ISO-8859-1 (Latin-1) character set.\n\n")               \
    X(VERSION_HISTORY,                                                                             \
      "% Version history for $1 object \"$2\"\n"                                                   \
      "% You can use \"--show-version rev#\" to get an exact version of the object.\n\n")          \
    X(NO_PERSON_HISTORY,                                                                           \
      "% Version history for $1 object \"$2\"\n"                                                   \
      "% History not available for PERSON and ROLE objects.\n\n")                                  \
    X(VERSION_DELETED,                                                                             \
      "% This object was deleted on $1\n\n")                                                       \
    X(VERSION_SHOWN,                                                                               \
      "% Version $1 $2of object \"$3\"\n"                                                          \
      "% This version was a UPDATE operation on $4\n"                                              \
      "% You can use \"--list-versions\" to get a list of versions for an object.\n\n")            \
    X(VERSION_DIFFERENCE,                                                                          \
      "% Difference between version $1 and $2 of object \"$3\"\n\n")                               \
    X(VERSION,                                                                                     \
      "% whois-server-$1\n")                                                                       \
    X(STALE,                                                                                       \
      "% Warning: source $1 was last updated at $2.\n\n")
// clang-format on

enum message {
#define X(id, text) MSG_##id,
    MESSAGE_LIST(X)
#undef X
        MESSAGE_COUNT
};

/** Append a message. @param args  As many as the text names; NULL when it names none. */
void message_print(struct buf *out, enum message message, const struct str *args);
/** The arguments in place: `message_print(out, MSG_RELATED_TO, ARGS(key))`. */
#define ARGS(...) ((const struct str[]){__VA_ARGS__})
