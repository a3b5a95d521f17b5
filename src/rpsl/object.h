/*
 * An RPSL object: byte-exact text and where its attributes are in it. Text is never edited.
 * Text here is UTF-8 (what storage keeps), lines end in LF; the last LF may be missing.
 */
#pragma once

#include "base/arena.h"
#include "rpsl/ip.h"
#include "rpsl/schema.h"

struct rpsl_attr {
    enum rpsl_attr_id id;
    struct str name; /**< As written, without the colon. */
    /** Everything behind the colon up to (not with) the LF before the next attribute: leading
        blanks, continuation lines and comments included. Slice of the text. */
    struct str value;
};

struct rpsl_object {
    struct str text; /**< Borrowed from the caller. */
    enum rpsl_class class;
    struct rpsl_attr *attrs; /**< In the arena; attrs[0] is the class attribute. */
    size_t attr_count;
    size_t stray_lines; /**< Lines that are neither attribute nor continuation; worth a warning. */
};

/**
 * Find the attributes of an object. Linear, any size, no limits but the arena.
 * A line that starts with space, tab or `+` continues the attribute above it. Unknown attributes
 * and classes are fine. A stray line (no `name:` at its start, or empty) becomes part of the
 * attribute above it: received text is never lost.
 * @param text   Must live as long as the object.
 * @return ERR_OK; ERR_SYNTAX when the first line is no `name: value`; ERR_LIMIT when the arena is
 * full.
 */
enum err rpsl_parse(struct str text, struct arena *arena, struct rpsl_object *out) MUST_CHECK;

/** What counts as a blank inside a line. */
static inline bool rpsl_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}
/** Drop blanks on both sides. */
struct str rpsl_trim(struct str line);

/** @return Length of the name (letters, digits, `-`, `_`, `*`) of a line `name: ...`, 0 of others.
 */
size_t rpsl_name_length(struct str line);

/** @return The first attribute with this id at or after index from, or NULL. */
const struct rpsl_attr *rpsl_find(const struct rpsl_object *object, enum rpsl_attr_id id,
                                  size_t from);

/**
 * The value as one line: comments (from `#` to the end of the line) dropped, continuation lines
 * joined by one blank, runs of blanks made one, trimmed.
 * @return Slice of the text when nothing had to be joined, else a copy in the arena; at == NULL
 * when that is full.
 */
struct str rpsl_clean_value(struct str value, struct arena *arena);

/**
 * The primary key (whois-queries 6.2 and D-10).
 *
 * text: as stored, for comments, sorting and the pkey column: `193.0.0.0 - 193.0.7.255`,
 * `193.0.0.0/21AS3333`, a nic-hdl.
 *
 * canonical: what identifies the object inside its class: folded by rpsl_fold(), addresses and AS
 * numbers in canonical spelling (`193.0.0.0 - 193.0.7.255` whatever blanks or `/21` the object
 * shows; `193.0.0.0/21AS3333`; `2001:db8::/32`; `AS1 - AS5`), trailing dots of domains dropped.
 *
 * For CLASS_UNKNOWN both are `class-name:value`. Person and role are different classes with a
 * shared name space of nic-hdls; callers check both.
 */
struct rpsl_key {
    enum rpsl_class class;
    struct str text;      /**< Slice of the object or in the arena. */
    struct str canonical; /**< As text, or in the arena. */
};
/** @return ERR_OK; ERR_SYNTAX when a key attribute is missing or empty; ERR_LIMIT. */
enum err rpsl_object_key(const struct rpsl_object *object, struct arena *arena,
                         struct rpsl_key *out) MUST_CHECK;
/**
 * The canonical form of a key that a client typed for a class (in the spelling of 6.2, any case;
 * addresses and AS ranges in any notation). A canonical key stays as it is.
 * @return A slice of text or in the arena; at == NULL when that is full.
 */
struct str rpsl_canonical_key(enum rpsl_class class, struct str text, struct arena *arena);

/**
 * Everything the postings index holds of an object (sections 3.6, 5, 4.4 of the references): one
 * call per distinct (attribute, value). Values are folded with rpsl_fold(), lists split, e-mails
 * reduced to the bare address, auth passwords (…-PW) left out, mnt-routes cut to the maintainer
 * name, nserver to host plus glue text, ifaddr to its IPv4 address. Covers every inverse attribute
 * of the class's template, the look-up attributes that are no primary key (netname, e-mail), and
 * INDEX_NAME_WORD for each distinct word of person:, role:, org-name:.
 * @param visit  Returns false to stop. The slice is of the object's text or in the arena.
 * @return ERR_OK; ERR_STOPPED by visit; ERR_LIMIT when the arena is full.
 */
#define INDEX_NAME_WORD  ATTR_COUNT /* Pseudo attribute of the words of names. */
#define INDEX_ATTR_COUNT (ATTR_COUNT + 1)
typedef bool rpsl_value_visitor(void *context, unsigned index_attr, struct str folded);
enum err rpsl_index_values(const struct rpsl_object *object, struct arena *arena,
                           rpsl_value_visitor *visit, void *context) MUST_CHECK;

/**
 * The IPv4 address that begins an ifaddr: value (`192.0.2.1 masklen 30`), as it is indexed.
 * @return ERR_OK; ERR_NOT_FOUND when there is none; ERR_LIMIT when the arena is full.
 */
enum err rpsl_interface_address(struct str value, struct arena *arena, struct str *out) MUST_CHECK;

/** Which range tree an object lives in. */
enum rpsl_range_kind {
    RANGE_NONE,
    RANGE_INETNUM,
    RANGE_INET6NUM,
    RANGE_ROUTE,
    RANGE_ROUTE6,
    RANGE_DOMAIN4, /**< Reverse delegations, dash names included. */
    RANGE_DOMAIN6,
    RANGE_AS_BLOCK, /**< AS numbers in the low 32 bits. */
    RANGE_KIND_COUNT
};
/** The range tree of a class, RANGE_NONE when it has none. @param is_v6  Of a domain's range. */
enum rpsl_range_kind rpsl_range_kind_of(enum rpsl_class class, bool is_v6);
/** @return RANGE_NONE when the class has no range or its key is no valid one: found by key only. */
enum rpsl_range_kind rpsl_object_range(const struct rpsl_key *key, struct ip_range *out);
/** Whether the range kind is IPv6 (128-bit numbers). */
bool rpsl_range_is_wide(enum rpsl_range_kind kind);
