/*
 * Single updates for tests of what comes before or behind them, and how a source stands. Each fails
 * the test with the reason.
 */
#pragma once

#include "storage/source.h"

/** A batch of one operation. */
void commit_update(struct source *source, int64_t serial, bool is_delete, const char *text);
void commit_add(struct source *source, int64_t serial, const char *text);
void commit_delete(struct source *source, int64_t serial, const char *text);
struct source_status status_of(struct source *source);
struct source_position position_of_source(struct source *source);
/** Look at the database. @return Whether the position moved without us. */
bool sync_source(struct source *source);
