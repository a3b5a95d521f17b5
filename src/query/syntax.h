/*
 * Whether an object conforms to the template of its class (whois-queries 6.9). Names, mandatory
 * attributes and repetitions are looked at; values are not.
 */
#pragma once

#include "rpsl/object.h"

bool syntax_is_valid(const struct rpsl_object *object);
