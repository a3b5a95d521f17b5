/*
 * The versions of a dump's and a journal's objects, kept in memory: what a test's source gives as
 * its version_store.
 */
#pragma once

#include "query/source.h"

struct fixture_versions;

/** @param dump, journal  As for fixture_load() and fixture_apply(); must live as long. */
struct fixture_versions *fixture_versions_new(struct str dump, struct str journal);
void fixture_versions_free(struct fixture_versions *versions);
/** Its functions take the fixture_versions as context. */
extern const struct version_store fixture_version_store;
