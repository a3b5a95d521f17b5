/*
 * The rows of mirrors in the properties file. A mistake in the rows of one mirror disables that
 * mirror and nothing else: an operator's other mirrors must come up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mirror/mirror.h"
#include "mirror/registries.h"

enum { LEAST_POLL_S = 15 };

static conf_parse_fn parse_version, parse_mode, parse_poll, parse_charset, parse_reload,
    parse_time_of_day;

#define AT(field) offsetof(struct mirror_conf, field)
// clang-format off
const struct conf_key mirror_conf_keys[] = {
    {"nrtm.import.enabled", conf_bool, AT(is_enabled), "false", "follow upstreams by NRTM"},
    {"nrtm.import.sources", conf_list, AT(names), "", "mirrors, such as RIPE-GRS"},
    {"bootstrap.dumpfile", conf_list, AT(bootstrap), "", "dump loaded into an empty main source"},
    {"mirror.connect.timeout", conf_seconds, AT(connect_timeout_s), "10", "per address"},
    {"mirror.start.timeout", conf_seconds, AT(start_timeout_s), "300",
     "wait for %START; large ranges take servers minutes"},
    {"mirror.idle.probe", conf_seconds, AT(idle_probe_s), "600",
     "probe the server of a stream that is silent for so long"},
    {"mirror.heartbeat", conf_seconds, AT(heartbeat_s), "21600",
     "ask for a closed range when the position has not moved for so long"},
    {"mirror.reset.grace", conf_seconds, AT(reset_grace_s), "1800",
     "an upstream behind us for so long was reset"},
    {"mirror.keepalive.idle", conf_int, AT(keepalive.idle_s), "60", "TCP_KEEPIDLE, seconds"},
    {"mirror.keepalive.intvl", conf_int, AT(keepalive.interval_s), "15", "TCP_KEEPINTVL, seconds"},
    {"mirror.keepalive.cnt", conf_int, AT(keepalive.count), "4", "TCP_KEEPCNT"},
    {"mirror.lag.warn", conf_seconds, AT(lag_warn_s), "600",
     "a mirror that has not been up to date for so long is late: a warning in the log"},
    {"mirror.lag.error", conf_seconds, AT(lag_error_s), "3600",
     "and stale from here on: an error in the log, and a line in its answers"},
    {"mirror.audit", parse_time_of_day, AT(audit_minute), "03:30",
     "when mirrors are compared with a fresh dump, HH:MM local time; off: never"},
    {"mirror.dump.timeout", conf_seconds, AT(fetch.timeout_s), "60",
     "a dump server that does not answer, or stalls, for so long is given up for now"},
    {"mirror.dump.max.time", conf_seconds, AT(fetch.total_s), "21600", "for the download of a file"},
    {"mirror.dump.max.size", conf_bytes, AT(fetch.max_bytes), "20g", "of a file that is downloaded"},
    {"mirror.dump.max.age", conf_seconds, AT(fetch.max_age_s), "1209600",
     "an older dump is not loaded unless forced"},
    {"mirror.dump.max.growth", conf_int, AT(fetch.max_growth), "100",
     "a dump with so many percent more objects than its mirror is not loaded unless forced"},
    {"mirror.backlog.reload", conf_int, AT(backlog_reload), "500000",
     "a mirror so many serials behind takes a fresh dump instead; 0: never"},
    {"mirror.max.object.size", conf_bytes, AT(max_object), "20m", "objects in dumps and streams"},
    {NULL, NULL, 0, NULL, NULL},
};
// clang-format on
#undef AT

#define AT(field) offsetof(struct mirror_source_conf, field)
// clang-format off
const struct conf_key mirror_source_conf_keys[] = {
    {"nrtm.import.*.source", conf_text, AT(source), NULL, "the upstream's name of the source"},
    {"nrtm.import.*.host", conf_text, AT(host), NULL, "the upstream's NRTM server"},
    {"nrtm.import.*.aliases", conf_text, AT(aliases), "",
     "other hosts that count the same serials: a change among them keeps the position"},
    {"nrtm.import.*.port", conf_port, AT(port), NULL, "its port"},
    {"nrtm.import.*.version", parse_version, AT(version), "3", "NRTM version, 1 to 3"},
    {"nrtm.import.*.mode", parse_mode, AT(mode), "auto",
     "auto, persistent or poll; dump: no NRTM, the dump is reloaded every .refresh seconds"},
    {"nrtm.import.*.poll", parse_poll, AT(poll_s), "60", "seconds between polls, at least 15"},
    {"nrtm.import.*.charset", parse_charset, AT(charset), NULL,
     "latin1 (usual for RIPE) or utf8 (usual for others), of dump and stream"},
    {"nrtm.import.*.notice", conf_text, AT(notice), NULL, "banner lines, \\n between them"},
    {"nrtm.import.*.notice.off", conf_text, AT(notice_off), "",
     "i-have-permission: no banner lines"},
    {"nrtm.import.*.dump", conf_list, AT(dump), NULL,
     "files or URLs; loaded when the mirror is empty, and when it has to be healed"},
    {"nrtm.import.*.serial", conf_text, AT(serial), NULL, "the dump's serial file, or its URL; nrtm: ask the server"},
    {"nrtm.import.*.refresh", parse_poll, AT(refresh_s), "86400",
     "seconds between reloads of a mirror without NRTM"},
    {"nrtm.import.*.reload", parse_reload, AT(reload), NULL,
     "auto or manual, when the upstream expired or was reset"},
    {NULL, NULL, 0, NULL, NULL},
};
// clang-format on
#undef AT

static enum err parse_version(const char *text, void *target, struct arena *arena, struct why *why)
{
    if (strlen(text) != 1 || text[0] < '1' || text[0] > '3') {
        return why_set(why, ERR_SYNTAX, "1, 2 or 3");
    }
    *(int *)target = text[0] - '0';
    return ERR_OK;
}

static enum err parse_mode(const char *text, void *target, struct arena *arena, struct why *why)
{
    static const char *const modes[] = {"auto", "persistent", "poll", "dump"}; /* As the enum. */

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(text, modes[i]) == 0) {
            *(enum nrtm_mode *)target = (enum nrtm_mode)i;
            return ERR_OK;
        }
    }
    return why_set(why, ERR_SYNTAX, "auto, persistent, poll or dump");
}

static enum err parse_poll(const char *text, void *target, struct arena *arena, struct why *why)
{
    enum err rc = conf_seconds(text, target, arena, why);

    if (rc == ERR_OK && *(int *)target < LEAST_POLL_S) {
        return why_set(why, ERR_SYNTAX, "at least %d seconds", LEAST_POLL_S);
    }
    return rc;
}

static enum err parse_charset(const char *text, void *target, struct arena *arena, struct why *why)
{
    if (text[0] == '\0') {
        return ERR_OK; /* As when the row is not there. */
    }
    if (charset_by_name(str_from(text), target) != ERR_OK) {
        return why_set(why, ERR_SYNTAX, "latin1 or utf8");
    }
    return ERR_OK;
}

static enum err parse_reload(const char *text, void *target, struct arena *arena, struct why *why)
{
    if (strcmp(text, "auto") != 0 && strcmp(text, "manual") != 0) {
        return why_set(why, ERR_SYNTAX, "auto or manual");
    }
    *(enum mirror_reload *)target = strcmp(text, "auto") == 0 ? RELOAD_AUTO : RELOAD_MANUAL;
    return ERR_OK;
}

static enum err parse_time_of_day(const char *text, void *target, struct arena *arena,
                                  struct why *why)
{
    struct str rest = str_from(text), hours, minutes;
    uint64_t h, m;

    if (strcmp(text, "off") == 0) {
        *(int *)target = -1;
        return ERR_OK;
    }
    if (!str_split(&rest, ':', &hours) || !str_split(&rest, ':', &minutes) || rest.at != NULL ||
        str_to_u64(hours, 23, &h) != ERR_OK || str_to_u64(minutes, 59, &m) != ERR_OK) {
        return why_set(why, ERR_SYNTAX, "a time of day such as 03:30, or off");
    }
    *(int *)target = (int)(h * 60 + m);
    return ERR_OK;
}

/* What the rows leave open: a known registry's values. */
static void fill_from_registry(struct mirror_source_conf *out)
{
    struct str name = str_from(out->name);
    const struct registry *known;
    bool own_server, asks;

    if (str_ends_nocase(name, STR("-GRS"))) {
        name = str_sub(name, 0, name.len - 4);
    }
    known = registry_find(out->source != NULL ? str_from(out->source) : name);
    if (known == NULL) {
        return;
    }
    out->source = out->source != NULL ? out->source : known->source;
    out->host = out->host != NULL ? out->host : known->host;
    own_server = known->host == NULL ? out->host == NULL
                                     : out->host != NULL && str_eq_nocase(str_from(out->host),
                                                                          str_from(known->host));
    if (out->port == 0 && own_server) {
        out->port = known->port;
    }
    if (out->charset == CHARSET_ASCII) {
        out->charset = known->charset;
    }
    /* The registry's dump counts as its own server does, its serial file belongs to its dump. */
    asks = out->serial != NULL && strcmp(out->serial, "nrtm") == 0;
    if (out->dump.items == NULL && (out->serial == NULL || asks) && own_server) {
        out->dump = known->dump;
        out->serial = asks ? out->serial : known->serial;
    }
}

static enum err check_complete(const struct mirror_source_conf *source, struct why *why)
{
    bool needs_server = source->mode != NRTM_MODE_DUMP;
    const char *missing = source->source == NULL                     ? "source"
                          : needs_server && source->host == NULL     ? "host"
                          : needs_server && source->port == 0        ? "port"
                          : !needs_server && source->dump.count == 0 ? "dump"
                                                                     : NULL;

    if (missing == NULL) {
        return ERR_OK;
    }
    return why_set(why, ERR_SYNTAX, "nrtm.import.%s.%s is missing", source->name, missing);
}

static void read_source(struct conf *file, const char *name, struct mirror_source_conf *out)
{
    struct why why;
    enum err rc;

    *out = (struct mirror_source_conf){.name = name, .aliases = "", .notice_off = ""};
    out->charset = CHARSET_ASCII; /* Stands for: not configured. */
    out->reload = RELOAD_UNTOLD;
    rc = conf_apply(file, mirror_source_conf_keys, name, out, &why);
    if (rc == ERR_OK) {
        fill_from_registry(out);
        if (out->host == NULL && out->dump.count > 0) {
            out->mode = NRTM_MODE_DUMP;
        }
        rc = check_complete(out, &why);
    }
    out->is_enabled = rc == ERR_OK;
    if (rc != ERR_OK) {
        log_error(LOG_CLIENT, "%s is not mirrored: %s", name, why.text);
    }
    out->serial = out->serial != NULL ? out->serial : "";
    out->asks_serial = out->mode != NRTM_MODE_DUMP && strcmp(out->serial, "nrtm") == 0;
    if (out->is_enabled && out->mode != NRTM_MODE_DUMP && out->dump.count > 0 &&
        out->serial[0] == '\0') {
        log_warn(
            LOG_CLIENT,
            "nrtm.import.%s.serial is missing: a dump without its serial says nothing of where "
            "NRTM goes on; give the dump's serial file, or nrtm to ask the server",
            name);
    }
    if (out->reload == RELOAD_UNTOLD) {
        out->reload = out->dump.count > 0 ? RELOAD_AUTO : RELOAD_MANUAL;
    }
    /* RIPE's dumps and streams are Latin-1, those of IRRd's sources UTF-8. */
    if (out->charset == CHARSET_ASCII) {
        out->charset = out->source != NULL && str_starts_nocase(str_from(out->source), STR("RIPE"))
                           ? CHARSET_LATIN1
                           : CHARSET_UTF8;
    }
}

static void forget_rows(struct conf *file, const char *name)
{
    char rows[300];

    snprintf(rows, sizeof(rows), "nrtm.import.%s.*", name);
    conf_ignore(file, rows);
}

/* TCP_USER_TIMEOUT replaces the count of unanswered probes: it has to say the same. 0: not set. */
static int dead_after_ms(const struct net_keepalive *keepalive)
{
    int64_t ms;

    if (keepalive->idle_s <= 0 || keepalive->interval_s <= 0 || keepalive->count <= 0) {
        return 0;
    }
    ms = (keepalive->idle_s + (int64_t)keepalive->interval_s * keepalive->count) * 1000;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

enum err mirror_conf_read(struct conf *file, struct mirror_conf *out, struct why *why)
{
    enum err rc;

    *out = (struct mirror_conf){0};
    rc = conf_apply(file, mirror_conf_keys, NULL, out, why);
    if (rc != ERR_OK) {
        return rc;
    }
    out->keepalive.user_timeout_ms = dead_after_ms(&out->keepalive);
    out->sources = calloc(out->names.count + 1, sizeof(out->sources[0]));
    if (out->sources == NULL) {
        return why_set(why, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    }
    for (size_t i = 0; i < out->names.count; i++) {
        struct mirror_source_conf *source = &out->sources[out->source_count++];

        read_source(file, out->names.items[i], source);
        if (!source->is_enabled) {
            forget_rows(file, source->name); /* Their mistake was told; the rest is not unknown. */
        }
    }
    return ERR_OK;
}

void mirror_conf_free(struct mirror_conf *conf)
{
    free(conf->sources);
    conf->sources = NULL;
    conf->source_count = 0;
}
