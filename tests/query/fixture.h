/*
 * An index filled by hand, for tests of the query side that need data but no database.
 */
#pragma once

#include "storage/index.h"

/**
 * Fill an index with the objects of a text: separated by empty lines, ids from 1 in the order of
 * the text, comment lines between them skipped. Ends the test program with a message when one of
 * them cannot be taken.
 */
void fixture_load(struct index *index, struct str text);
/** Apply an NRTM journal (`ADD n`, `DEL n`); new objects get the next ids. */
void fixture_apply(struct index *index, struct str journal);
/** Cut the next object off a text as for fixture_load(). @return false at its end. */
bool fixture_next_object(struct str *rest, struct str *object);
/** Cut the next operation off a journal. @return false at its end. */
bool fixture_next_operation(struct str *rest, bool *is_delete, struct str *object);
/** A whole file in UTF-8, decompressed; read as Latin-1. The caller frees it with buf_free(). */
struct buf fixture_read(const char *path);
