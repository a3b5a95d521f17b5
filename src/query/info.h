/*
 * Answers about the server and the language itself: help, -q, -t, -v (whois-queries 6.10 and 6.11).
 */
#pragma once

#include "query/parse.h"
#include "query/settings.h"

/** Whether the query is one of these. */
bool info_is_asked(const struct query *query);
/** Print the whole of it. */
void info_print(const struct settings *settings, const struct query *query, struct buf *out);
