/*
 * Whether an object is as its class wants it (whois-queries 6.9): the names of its attributes,
 * those that must be there, those that may be there once, and the syntax of each value.
 *
 * The rules are those of the RIPE Database: what it stores freely (`descr`, `remarks`, `address`,
 * what it generates itself) is right whatever it holds, even nothing. `changed:` is right in any
 * class, and `mnt-lower:`, `mnt-routes:` in an aut-num: they were there once.
 */
#pragma once

#include "rpsl/object.h"

/**
 * @param value  Clean (rpsl_clean_value()); of a list-valued attribute the whole list, none of
 * whose elements may be empty.
 */
bool rpsl_value_is_valid(enum rpsl_class class, enum rpsl_attr_id attr, struct str value);

/**
 * Judge a whole object. Linear in its size.
 * @param arena  For values that have to be joined; given back before the return.
 * @return ERR_OK, or ERR_LIMIT when the arena is full. An object of an unknown class is not valid.
 */
enum err rpsl_check_syntax(const struct rpsl_object *object, struct arena *arena,
                           bool *is_valid) MUST_CHECK;
