/*
 * Answers about the server and the language itself: help, -q, -t, -v (whois-queries 6.10 and 6.11).
 */
#pragma once

#include "query/key.h"
#include "query/settings.h"

/** Whether the query is one of these; help is the word alone, without any option. */
bool info_is_asked(const struct query *query, const struct search_key *key);
/** Print the whole of it, or what is wrong with its argument. @param arena  For a few bytes. */
void info_print(const struct settings *settings, const struct query *query,
                const struct search_key *key, struct arena *arena, struct buf *out);
