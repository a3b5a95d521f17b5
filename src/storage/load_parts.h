/*
 * What load.c (the way in, and an empty source) shares with reload.c (a source that holds objects).
 */
#pragma once

#include "storage/source_parts.h"

struct load {
    struct source *source;
    struct load_options options;
    struct load_report report;
    struct arena *arena; /* Reset for each object. */
    struct fill *fill;   /* Exactly one of the two: */
    struct reload *reload;
    struct sql_array quarantine;
    struct arena *kept; /* Texts in quarantine. */
    int percent;        /* Of the dump, as status shows it. */
    size_t warned;      /* Duplicates that were logged one by one. */
};

/** Keep aside an object without class or key; bounded, the rest is only counted. */
void load_reject(struct load *load, struct str text, const char *reason);
/** A later object with the same key wins; a person and a role of one name: the first. */
void load_note_duplicate(struct load *load, const struct rpsl_key *key, const char *what);
/** In the transaction: the rows kept aside. Those of serials that the dump covers were tried again
 * with it, and go. */
enum err load_write_quarantine(struct load *load, struct sql *sql, struct why *why) MUST_CHECK;
/** The class that shares the name space of nic-hdls, or CLASS_UNKNOWN. */
enum rpsl_class load_other_class(enum rpsl_class class);

/* --- reload.c --- */
enum err reload_begin(struct load *load, struct why *why) MUST_CHECK;
enum err reload_add(struct load *load, const struct rpsl_object *object, const struct rpsl_key *key,
                    struct why *why) MUST_CHECK;
/** Commit and publish; on failure everything is rolled back. */
enum err reload_finish(struct load *load, struct why *why) MUST_CHECK;
void reload_free(struct reload *reload); /* NULL is fine. */
