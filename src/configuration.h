/*
 * The whole configuration: every module's table applied to one properties file. Read all or
 * nothing.
 */
#pragma once

#include "base/log.h"
#include "mirror/mirror.h"
#include "query/server.h"
#include "storage/acl_store.h"
#include "storage/source.h"

/** What belongs to no module. */
struct process_conf {
    const char *run_user;         /**< run.user */
    enum log_level log_level;     /**< log.level */
    int shutdown_pause_s;         /**< shutdown.pause.sec */
    struct conf_list grs_sources; /**< grs.sources: mirrors beside those of nrtm.import.sources. */
};

struct configuration {
    struct conf *file; /**< Owns every string below. */
    struct configuration
        *older; /**< What a reload replaced: its strings may be in use until the end. */
    struct process_conf process;
    struct storage_conf storage;
    struct acl_conf acl;
    struct query_conf query;
    struct mirror_conf mirror;
};

/** @return ERR_OK, ERR_IO, ERR_SYNTAX with why = file, line, key and what is allowed. */
enum err configuration_read(const char *path, struct configuration **out,
                            struct why *why) MUST_CHECK;
void configuration_free(struct configuration *config); /* NULL is fine. */
/** Print every option with its present default and help, as --check-config does. */
void configuration_print_options(void);
