/*
 * The whois query server: listeners, one worker thread with its own loop and reader per
 * query.threads, and a session for each connection. Everything a client can see is configured here.
 *
 * Life: query_server_new(), query_server_listen() (may need root), query_server_start(), ...,
 * query_server_stop(), query_server_free(). All from one thread (main's).
 */
#pragma once

#include "conf/conf.h"
#include "net/conn.h"
#include "query/acl.h"
#include "query/source.h"

struct query_server;

struct query_conf {
    int port;                    /**< port.query; 0 lets the system choose. */
    struct conf_list bind;       /**< query.bind */
    int threads;                 /**< query.threads; 0: processors - 1, at least 1. */
    const char *main_source;     /**< whois.source */
    const char *nonauth_source;  /**< whois.nonauth.source; "" when there is none; NULL: the main
                                    one's  with -NONAUTH. */
    struct conf_list additional; /**< whois.additional.sources */
    struct conf_list dummified;  /**< grs.sources.dummify */
    struct conf_list trusted;    /**< ipranges.trusted */
    struct conf_list blocked;    /**< ipranges.blocked */
    bool proxy_protocol;         /**< proxy.protocol.enabled */
    struct conf_list balancers;  /**< ipranges.loadbalancer */
    int personal_limit;          /**< acl.limit: personal objects per client and day; < 0: off. */
    int connections_per_address; /**< whois.limit.connectionsPerIp; <= 0: off. */
    int connections_total;       /**< query.connections.max */
    int read_timeout_s;          /**< whois.read.timeout.sec; also the write time-out. */
    int answer_timeout_s; /**< query.answer.max.sec: an answer that takes longer is closed; 0: none
                             is. */
    int database_timeout_s;      /**< query.database.max.sec: an answer that waits longer for the
                                    database      says so; 0: none does. */
    int64_t answer_memory_bytes; /**< query.answer.memory: ceiling of one answer's lists. */
    bool log_queries;            /**< query.log */
    const char
        *instance; /**< instance.name, the (HOST) of the served-by line; "": the host's name. */
    const char *service;   /**< query.service: the name in the banner and the served-by line. */
    const char *banner;    /**< query.banner: lines without `% `; replaces the built-in text. */
    const char *terms_url; /**< query.terms.url: `% See ...`, the banner's last line. */
    const char *enduser_maintainers; /**< whois.maintainers.enduser, .legacy, .alloc: registry
                                        maintainers, */
    const char *legacy_maintainers; /**< at which the search for an abuse contact stops climbing. */
    const char *alloc_maintainers;
    struct net_keepalive keepalive; /**< Not a row: the mirror's are used for clients, too. */
};
extern const struct conf_key query_conf_keys[];

/**
 * @param conf     Copied; what its pointers show must live until the server is freed or
 * reconfigured.
 * @param sources  Copied, in the order of `-q sources`; at most one is_main. Their indexes must
 * outlive the server.
 * @return ERR_OK; ERR_SYNTAX (why: a bad address range, an additional source that is not
 * configured).
 */
enum err query_server_new(const struct query_conf *conf, const struct query_source *sources,
                          size_t source_count, struct query_server **out,
                          struct why *why) MUST_CHECK;
void query_server_free(struct query_server *server); /* After query_server_stop(). NULL is fine. */

/** Bind the listeners. @return ERR_OK; ERR_IO with why = "127.0.0.1 port 1043: Address already in
 * use". */
enum err query_server_listen(struct query_server *server, struct why *why) MUST_CHECK;
int query_server_port(const struct query_server *server); /* Bound port. */
/** Start the worker threads: from here on clients are answered. */
enum err query_server_start(struct query_server *server, struct why *why) MUST_CHECK;
/**
 * Accept what is queued, close the listeners, finish the answers in progress, end the threads.
 * @param timeout_s  Answers that are not done by then are cut.
 */
void query_server_stop(struct query_server *server, int timeout_s);

/** @return Who may have what. Lives as long as the server. */
struct acl *query_server_acl(const struct query_server *server);

/**
 * Take over what can change in a running server: texts, lists of addresses, limits of answers and
 * of personal objects, the query log. Not: what it listens on, threads, sources, connection limits
 * and time-outs.
 * @param conf  As above; the old one's strings may be freed when this returns.
 */
enum err query_server_reconfigure(struct query_server *server, const struct query_conf *conf,
                                  struct why *why) MUST_CHECK;

/**
 * Have answers of a source say since when it has not been updated, or no more. Any thread, at any
 * time.
 * @param name      As in the server's sources.
 * @param since_ms  Wall clock of the last update; 0: it is up to date.
 */
void query_server_set_stale(struct query_server *server, const char *name, int64_t since_ms);

/**
 * Have lines that start with `-<letter> ` answered by another protocol that shares the port (for an
 * NRTM server, `-g`; none is served yet). The handler takes the
 * connection over: it calls conn_set_handler() before it returns. Before query_server_start(). Runs
 * on the worker's thread.
 * @param line  The whole line; valid for the call.
 */
typedef void query_line_handler(void *context, struct conn *conn, struct str line);
void query_server_set_handler(struct query_server *server, char letter, query_line_handler *handler,
                              void *context);

/** Counters since the start, for status and tests; any thread. */
struct query_counters {
    uint64_t connections, refused, queries, objects;
    int open; /**< Connections now. */
};
void query_server_counters(const struct query_server *server, struct query_counters *out);
