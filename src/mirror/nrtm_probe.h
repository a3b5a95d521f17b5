/*
 * The probe: a short second connection that asks an NRTM server for its newest serial, by `-q
 * sources`, where that tells nothing by `!jSOURCE`, as IRRd's servers know it, and else by a
 * request behind all serials. Keepalive finds a dead peer; the probe finds a stuck one.
 */
#pragma once

#include "net/conn.h"

struct nrtm_probe;

/** The probes of a loop that run now. Zero-initialise; outlives them. */
struct nrtm_probes {
    struct nrtm_probe *first;
};

/**
 * Begin one, unless another to this host runs: servers count connections by address, and our
 * streams count too.
 * @param on_done  Called once, on the loop: the server's newest serial of the source; -1 when it
 * answered but did not tell (many servers know no such query: no failure); -2 when it did not
 * answer at all.
 * @return NULL when the host is being probed: no callback comes.
 */
struct nrtm_probe *nrtm_probe_start(struct nrtm_probes *probes, struct loop *loop, const char *host,
                                    int port, const char *source,
                                    const struct net_keepalive *keepalive, int timeout_s,
                                    void (*on_done)(void *context, int64_t newest), void *context);
void nrtm_probe_cancel(struct nrtm_probe *probe); /* No callback comes any more. NULL is fine. */
#define NRTM_PROBE_UNTOLD    (-1)
#define NRTM_PROBE_NO_ANSWER (-2)
