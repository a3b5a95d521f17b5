/*
 * A client's connection: lines in, answers out, one after the other (whois-queries 1). Belongs to
 * one worker.
 */
#pragma once

#include <stdatomic.h>

#include "net/pool.h"
#include "query/answer.h"

struct session;

#define MAX_HANDLERS 128 /* By ASCII letter. */

/** A thread that serves clients: its loop, its view of the indexes, and the sessions it has. */
struct worker {
    struct loop *loop;
    struct pool *pool; /**< For what blocks; shared by all workers. */
    struct answer_tools tools;
    struct session *sessions; /**< List. */
    size_t answer_memory;
    bool is_stopping; /**< No new query is waited for. */
    unsigned next_id; /**< Of logged queries. */
    query_line_handler *handlers[MAX_HANDLERS];
    void *handler_contexts[MAX_HANDLERS];
    _Atomic uint64_t connections, refused, queries, objects; /**< Written by the worker only. */
};

/** Greet a new connection and serve it from now on. */
void session_open(struct worker *worker, struct conn *conn);
/** Tell a connection that there are too many, and close it. */
void session_refuse(struct worker *worker, struct conn *conn, bool from_its_address);
/** Close the sessions whose answer began more than the configured time ago, or keeps too much
 * memory of old versions. */
void sessions_close_overdue(struct worker *worker);
/** The worker has other settings: look up in them what each client may. */
void sessions_reconfigured(struct worker *worker);
/** Have answers that wait for the database longer than configured say so. */
void sessions_end_waits(struct worker *worker);
void sessions_close_all(struct worker *worker, const char *reason);
