/*
 * Reading ahead: pages of `last` that a batch will write, brought into the database's buffer pool
 * by connections of their own, side by side, while the batch's first statements run.
 *
 * It only ever saves time. Nobody waits for an answer: a connection that has not answered yet is
 * left out, and a failure is logged, closes the connections, and has them tried again later. Only
 * making a connection takes the caller's time, once in a catch-up, right behind a statement that
 * the server has answered. Small batches, and those whose pages were at hand lately, are left
 * alone.
 *
 * All of it under the source's writer lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READ_AHEAD_CONNECTIONS = 4,
    READ_AHEAD_ROWS_MIN = 256,  /* Of a batch worth it. */
    READ_AHEAD_PAUSE_MS = 10000 /* After a failure; and so long unused, connections are closed. */
};

struct source;
struct sql;
struct sql_array;

/** Zero-initialise. */
struct read_ahead {
    struct read_ahead_lane {
        struct sql *sql; /* NULL: not connected. */
        bool is_asked;   /* Its answer has not been taken. */
    } lanes[READ_AHEAD_CONNECTIONS];
    int64_t used_ms, retry_ms; /* Monotonic: used last; not to be connected before. */
    struct {
        int64_t reads; /* Pages that the server had read from disk; 0: not asked yet. */
        size_t rows;   /* What was to be written then. */
    } before;          /* As of the last large batch. */
};

/**
 * On a connected source: have rows of `last` read that are about to be updated, in their order.
 * @param rows    As they will be sent: borrowed for the call.
 * @param column  That of their object_id.
 */
void read_ahead_begin(struct source *source, const struct sql_array *rows, size_t column);
/** Take answers that are there, and close connections that nobody used lately. For a timer. */
void read_ahead_rest(struct source *source);
/** Close the connections; what they do is given up. */
void read_ahead_stop(struct read_ahead *ahead);
