/*
 * The whole configuration: every module's table applied to one properties file.
 */
#include "configuration.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define AT(field) offsetof(struct process_conf, field)

static conf_parse_fn parse_log_level;

static const struct conf_key process_conf_keys[] = {
    {"run.user",           conf_text,       AT(run_user),         "whoisd", "the account a server started as root runs as"},
    {"log.level",          parse_log_level, AT(log_level),        "INFO",
     "least level that is logged: DEBUG, INFO, WARN, ERROR"                                                               },
    {"shutdown.pause.sec", conf_seconds,    AT(shutdown_pause_s), "0",
     "pause before the listeners close at a stop"                                                                         },
    {"grs.sources",        conf_list,       AT(grs_sources),      "",
     "mirrored sources, beside those of nrtm.import.sources"                                                              },
    {NULL,                 NULL,            0,                    NULL,     NULL                                          },
};

static enum err parse_log_level(const char *text, void *target, struct arena *arena,
                                struct why *why)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"}; /* As enum log_level. */

    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (str_eq_nocase(str_from(text), str_from(names[level]))) {
            *(enum log_level *)target = (enum log_level)level;
            return ERR_OK;
        }
    }
    return why_set(why, ERR_SYNTAX, "DEBUG, INFO, WARN or ERROR");
}

/* Keys of the reference that an existing file may hold and whoisd has no use for. */
static const char *const ignored_keys[] = {
    "api.*",
    "dir.grs.*",
    "dir.rpsl.*",
    "dump.total.size.limit",
    "grs.import.*",
    "internals.database.*",
    "mail.*",
    "mailupdates.database.*",
    "maintenance",
    "nrtm.database.*",
    "nrtm.enabled",
    "nrtm.update.interval",
    "nrtm.keepalive.end.of.stream",
    "port.api*",
    "port.nrtm*",
    "rpsl.*",
    "whois.db.driver",
    "whois.db.master.driver",
    "whois.dummy",
};

/* Every table, in the order of --check-config. */
static const struct conf_key *const tables[] = {
    process_conf_keys, storage_conf_keys, acl_conf_keys,
    query_conf_keys,   mirror_conf_keys,  mirror_source_conf_keys,
};

enum err configuration_read(const char *path, struct configuration **out, struct why *why)
{
    struct configuration *configuration = calloc(1, sizeof(*configuration));
    enum err rc;

    if (configuration == NULL) {
        return why_set(why, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    }
    rc = conf_read(path, &configuration->file, why);
    if (rc == ERR_OK) {
        rc = conf_apply(configuration->file, process_conf_keys, NULL, &configuration->process, why);
    }
    if (rc == ERR_OK) {
        rc = conf_apply(configuration->file, storage_conf_keys, NULL, &configuration->storage, why);
    }
    if (rc == ERR_OK) {
        rc = conf_apply(configuration->file, acl_conf_keys, NULL, &configuration->acl, why);
    }
    if (rc == ERR_OK) {
        rc = conf_apply(configuration->file, query_conf_keys, NULL, &configuration->query, why);
    }
    if (rc == ERR_OK) {
        rc = mirror_conf_read(configuration->file, &configuration->mirror, why);
    }
    if (rc != ERR_OK) {
        configuration_free(configuration);
        return rc;
    }
    for (size_t i = 0; i < sizeof(ignored_keys) / sizeof(ignored_keys[0]); i++) {
        conf_ignore(configuration->file, ignored_keys[i]);
    }
    conf_warn_unknown(configuration->file);
    configuration->storage.object_max_bytes = configuration->mirror.max_object;
    configuration->query.keepalive = configuration->mirror.keepalive;
    if (configuration->acl.username[0] == '\0') {
        configuration->acl.username = configuration->storage.username;
        configuration->acl.password = configuration->storage.password;
    }
    *out = configuration;
    return ERR_OK;
}

void configuration_free(struct configuration *configuration)
{
    if (configuration != NULL) {
        mirror_conf_free(&configuration->mirror);
        conf_free(configuration->file);
        free(configuration);
    }
}

void configuration_print_options(void)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct conf_key *key = tables[i]; key->name != NULL; key++) {
            printf("# %s\n%s=%s\n", key->help, key->name,
                   key->default_text != NULL ? key->default_text : "");
        }
    }
}
