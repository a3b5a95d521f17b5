/*
 * The classes and attributes of the RIPE Database (RFC 2622, RFC 4012, RIPE templates): one row
 * each. Parser, indexes, templates, queries and output read the same rows.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "rpsl/attributes.h" /* ATTRIBUTE_LIST(X): X(ID, "name", "short", flags) */
#include "rpsl/classes.h"    /* CLASS_LIST(X): X(ID, "name", "short", position, database id) */

enum rpsl_attr_id {
    ATTR_UNKNOWN, /**< Kept as received, never indexed. */
#define X(id, name, short_name, flags) ATTR_##id,
    ATTRIBUTE_LIST(X)
#undef X
        ATTR_COUNT
};

/** In order of output (position); CLASS_UNKNOWN objects are kept but found by no query. */
enum rpsl_class {
#define X(id, name, short_name, position, db_id) CLASS_##id,
    CLASS_LIST(X)
#undef X
        CLASS_UNKNOWN,
    CLASS_COUNT
};

enum rpsl_attr_flags {
    ATTR_LIST_VALUED = 1, /**< Comma-separated values, each indexed by itself. */
    ATTR_REFERENCE = 2,   /**< Found by -i only while the referenced object exists. */
    ATTR_EMAIL_VALUE = 4, /**< Indexed by the bare address of `Name <a@b>`. */
    ATTR_CONTACT_REF = 8, /**< -i person expands to it. */
    ATTR_FOLLOWED = 16,   /**< Its object is printed as a referenced object (6.1). */
    ATTR_FILTERED = 32,   /**< Removed by the e-mail filter (6.3). */
};

struct rpsl_attr_info {
    const char *name;       /**< "mnt-by" */
    const char *short_name; /**< "mb"; "con" for contact. */
    unsigned flags;
};

enum rpsl_requirement { RPSL_MANDATORY, RPSL_OPTIONAL, RPSL_CONDITIONAL, RPSL_GENERATED };

/** One attribute in a class's template, in template order. */
struct rpsl_template_row {
    enum rpsl_attr_id attr;
    enum rpsl_requirement requirement;
    bool single;
    bool primary, lookup, inverse; /**< Key kinds, P L I. */
};

struct rpsl_class_info {
    const char *name, *short_name;
    uint8_t position; /**< Sort position of section 9.1: 5 inetnum ... 50 person. */
    uint8_t db_id;    /**< The `object_type` column. */
    const struct rpsl_template_row *rows;
    uint8_t row_count;
};

/** @return The row; for CLASS_UNKNOWN name "unknown", db_id 255, no rows. */
const struct rpsl_class_info *rpsl_class_info(enum rpsl_class class);
const struct rpsl_attr_info *rpsl_attr_info(enum rpsl_attr_id attr); /* ATTR_UNKNOWN: name NULL. */
/* Long name, any case (the fast path of the parser). CLASS_UNKNOWN, ATTR_UNKNOWN when there is
 * none. */
enum rpsl_class rpsl_class_by_name(struct str name);
enum rpsl_attr_id rpsl_attr_by_name(struct str name);
/** As a query argument: long name, short name, or `*` and a short name of two letters; any case. */
enum rpsl_class rpsl_class_by_argument(struct str argument);
enum rpsl_attr_id rpsl_attr_by_argument(struct str argument);
enum rpsl_class rpsl_class_by_db_id(unsigned db_id);
/** @return The template row of attr in class, or NULL. O(1). */
const struct rpsl_template_row *rpsl_template_row(enum rpsl_class class, enum rpsl_attr_id attr);
