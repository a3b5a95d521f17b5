/*
 * NRTM probe: connect, one line, find our source in the answer, close. What the first question does
 * not bring is asked for in the next one's way, by a connection of its own. The last is a request
 * that every server refuses, most of them by telling what they have.
 */
#include "mirror/nrtm_probe.h"

#include <stdlib.h>
#include <string.h>

#include "mirror/nrtm_reply.h"

enum question { ASK_SOURCES, ASK_JOURNAL, ASK_TOO_MUCH, QUESTIONS };

struct nrtm_probe {
    struct nrtm_probes *probes;
    struct loop *loop;
    int port, timeout_s;
    struct net_keepalive keepalive;
    enum question question;
    struct nrtm_probe *next; /* Of probes. */
    char *host, *source;
    struct conn_request *connecting;
    struct conn *conn;
    bool got_bytes;
    void (*on_done)(void *context, int64_t newest);
    void *context;
};

static void probe_free(struct nrtm_probe *probe)
{
    struct nrtm_probe **link = &probe->probes->first;
    struct conn *conn = probe->conn;

    while (*link != probe) {
        link = &(*link)->next;
    }
    *link = probe->next;
    conn_connect_cancel(probe->connecting);
    probe->conn = NULL;
    if (conn != NULL) {
        conn_close(conn, "probe done");
    }
    free(probe->host);
    free(probe->source);
    free(probe);
}

static void finish(struct nrtm_probe *probe, int64_t newest)
{
    void (*on_done)(void *context, int64_t newest) = probe->on_done;
    void *context = probe->context;

    probe_free(probe);
    on_done(context, newest);
}

/* The last serial that the protocol has room for; refusals are told apart by nrtm_reply. */
static const struct nrtm_request too_much = {.version = 3, .first = INT32_MAX, .last = -1};

static bool read_refusal(struct str line, int64_t *newest)
{
    struct nrtm_reply reply;

    (void)nrtm_reply_meaning(line, true, &too_much, &reply);
    *newest = reply.upstream_max;
    return reply.upstream_max >= 0;
}

/* To -q sources: RIPE:3:X:1-70004000. To !jRIPE: RIPE:Y:1-70004000, or with the serial of the last
 * export behind it. */
static bool read_line(enum question question, struct str line, struct str source, int64_t *newest)
{
    struct str rest = str_trim(line), piece;
    uint64_t number;

    if (!str_split(&rest, ':', &piece) || !str_eq_nocase(piece, source) ||
        !str_split(&rest, ':', &piece) ||
        (question == ASK_SOURCES && !str_split(&rest, ':', &piece)) ||
        !str_split(&rest, '-', &piece) || !str_split(&rest, ':', &piece) ||
        str_to_u64(piece, INT64_MAX, &number) != ERR_OK) {
        return false;
    }
    *newest = (int64_t)number;
    return true;
}

static void ask(struct nrtm_probe *probe);

static void on_line(struct conn *conn, struct str line)
{
    struct nrtm_probe *probe = conn_context(conn);
    int64_t newest;

    probe->got_bytes = true;
    if (probe->question == ASK_TOO_MUCH
            ? read_refusal(line, &newest)
            : read_line(probe->question, line, str_from(probe->source), &newest)) {
        finish(probe, newest);
    }
}

static void on_close(struct conn *conn, const char *reason)
{
    struct nrtm_probe *probe = conn_context(conn);

    if (probe->conn == conn) { /* Not closed by us. */
        probe->conn = NULL;
        if (++probe->question < QUESTIONS) {
            ask(probe);
        } else {
            finish(probe, probe->got_bytes ? NRTM_PROBE_UNTOLD : NRTM_PROBE_NO_ANSWER);
        }
    }
}

static const struct conn_handler probe_handler = {.on_line = on_line, .on_close = on_close};

static void on_connected(void *context, struct conn *conn)
{
    struct nrtm_probe *probe = context;

    probe->connecting = NULL;
    probe->conn = conn;
    conn_set_handler(conn, &probe_handler, probe);
    if (probe->question == ASK_SOURCES) {
        buf_add_str(conn_output(conn), STR("-q sources\n"));
    } else if (probe->question == ASK_JOURNAL) {
        buf_printf(conn_output(conn), "!j%s\n", probe->source);
    } else {
        buf_printf(conn_output(conn), "-g %s:%d:%lld-LAST\n", probe->source, too_much.version,
                   (long long)too_much.first);
    }
    conn_flush(conn);
}

static void on_fail(void *context, const char *text)
{
    struct nrtm_probe *probe = context;

    probe->connecting = NULL;
    finish(probe, probe->got_bytes ? NRTM_PROBE_UNTOLD : NRTM_PROBE_NO_ANSWER);
}

static void ask(struct nrtm_probe *probe)
{
    const struct conn_limits limits = {
        .max_line = 1024, .read_timeout_s = probe->timeout_s, .write_timeout_s = probe->timeout_s};

    probe->connecting = conn_connect(probe->loop, probe->host, probe->port, probe->timeout_s,
                                     &probe->keepalive, &limits, on_connected, on_fail, probe);
}

struct nrtm_probe *nrtm_probe_start(struct nrtm_probes *probes, struct loop *loop, const char *host,
                                    int port, const char *source,
                                    const struct net_keepalive *keepalive, int timeout_s,
                                    void (*on_done)(void *context, int64_t newest), void *context)
{
    struct nrtm_probe *probe;

    for (probe = probes->first; probe != NULL; probe = probe->next) {
        if (strcmp(probe->host, host) == 0) {
            return NULL;
        }
    }
    probe = calloc(1, sizeof(*probe));
    if (probe == NULL) {
        abort();
    }
    probe->probes = probes;
    probe->next = probes->first;
    probes->first = probe;
    probe->host = str_dup(str_from(host));
    probe->source = str_dup(str_from(source));
    probe->on_done = on_done;
    probe->context = context;
    probe->loop = loop;
    probe->port = port;
    probe->timeout_s = timeout_s;
    probe->keepalive = *keepalive;
    ask(probe);
    return probe;
}

void nrtm_probe_cancel(struct nrtm_probe *probe)
{
    if (probe != NULL) {
        probe_free(probe);
    }
}
