/*
 * Objects without what is generally regarded as personal (nrtm-mirror 3.4, whois-queries 7.4): what
 * public dumps hold, made of an object that is whole.
 *
 * A mntner keeps its mandatory attributes and its times, an organisation its abuse-c and country,
 * too; addresses, numbers, e-mail addresses and auth get one fixed value each, contacts become
 * DUMY-RIPE; seven remarks behind the last attribute say so.
 */
#pragma once

#include "rpsl/object.h"

/** Persons, and roles that are not for complaints: there is nothing of them to show. */
bool rpsl_is_withheld(const struct rpsl_object *object);

/**
 * Make the text of the object without personal data. Where remarks that stay say already that this
 * was done, they are not added again.
 * @param source  What `source:` becomes.
 * @param out     In the arena.
 * @return ERR_OK; ERR_LIMIT when the arena is full.
 */
enum err rpsl_dummify(const struct rpsl_object *object, struct str source, struct arena *arena,
                      struct str *out) MUST_CHECK;
