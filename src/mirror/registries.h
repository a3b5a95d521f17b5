/*
 * Registries that operators mirror: where their dumps, serial files and NRTM servers are. A mirror
 * whose `source` is named here needs no more rows; each value can be set by a row of its own.
 */
#pragma once

#include "base/str.h"
#include "conf/conf.h"
#include "rpsl/charset.h"

struct registry {
    const char *source;    /**< "RIPE": what its objects say in `source:`. */
    const char *host;      /**< Of its NRTM server; NULL: it has none. */
    int port;              /**< 0 without a host. */
    enum charset charset;  /**< Of dump and stream. */
    struct conf_list dump; /**< URLs, all needed; empty: not known. */
    const char *serial;    /**< URL of the file with the dump's serial; "": none. */
};

/** @param source  Any case. @return NULL when it is not known. */
const struct registry *registry_find(struct str source);
