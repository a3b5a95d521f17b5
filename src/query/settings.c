/*
 * The rows of the query server's configuration, and what is made of them once so that no answer has
 * to.
 */
#include "query/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config.h"

#define AT(field) offsetof(struct query_conf, field)

// clang-format off
const struct conf_key query_conf_keys[] = {
    {"port.query",                  conf_port,    AT(port),                    "1043",          "whois listener, TCP; 0 lets the system choose"},
    {"query.bind",                  conf_list,    AT(bind),                    "127.0.0.1,::1", "addresses to listen on; 0.0.0.0 and :: for all"},
    {"query.threads",               conf_int,     AT(threads),                 "0",             "query threads; 0: processors - 1, at least 1"},
    {"whois.source",                conf_text,    AT(main_source),             "",              "name of the main source"},
    {"whois.nonauth.source",        conf_text,    AT(nonauth_source),          NULL,            "second name in the main source's database; not given: the main source's with -NONAUTH; empty: none"},
    {"whois.additional.sources",    conf_list,    AT(additional),              "",              "sources searched besides the main one"},
    {"grs.sources.dummify",         conf_list,    AT(dummified),               "",              "mirrored and virtual sources whose answers lose personal data"},
    {"ipranges.trusted",            conf_list,    AT(trusted),                 "127.0.0.1,::1", "clients that may search by e-mail"},
    {"ipranges.blocked",            conf_list,    AT(blocked),                 "",              "clients that get nothing, not even help"},
    {"proxy.protocol.enabled",      conf_bool,    AT(proxy_protocol),          "false",         "PROXY headers name the clients of ipranges.loadbalancer"},
    {"ipranges.loadbalancer",       conf_list,    AT(balancers),               "",              "load balancers: whoever connects from here sends a PROXY header"},
    {"acl.limit",                   conf_int,     AT(personal_limit),          "-1",            "personal objects of the main source per client and day; below 0: no limit"},
    {"whois.limit.connectionsPerIp", conf_int,    AT(connections_per_address), "0",             "connections at a time from one address; 0: no limit"},
    {"query.connections.max",       conf_int,     AT(connections_total),       "10000",         "connections at a time; 0: no limit"},
    {"whois.read.timeout.sec",      conf_seconds, AT(read_timeout_s),          "180",           "close a client that is silent or does not read"},
    {"query.answer.max.sec",        conf_seconds, AT(answer_timeout_s),        "600",           "close a client whose answer takes longer; 0: never"},
    {"query.database.max.sec",      conf_seconds, AT(database_timeout_s),      "20",            "how long an answer waits for the database (versions of objects); 0: no limit"},
    {"query.answer.memory",         conf_bytes,   AT(answer_memory_bytes),     "64m",           "most memory for the lists of one answer"},
    {"query.log",                   conf_bool,    AT(log_queries),             "false",         "log every query"},
    {"instance.name",               conf_text,    AT(instance),                "",              "name in the last line of answers; empty: the host's"},
    {"query.service",               conf_text,    AT(service),                 "whoisd",        "service name in the banner and the last line"},
    {"query.banner",                conf_text,    AT(banner),                  "",              "banner text instead of the built-in one, \\n between lines"},
    {"query.terms.url",             conf_text,    AT(terms_url),               "https://docs.db.ripe.net/terms-conditions.html", "last line of the banner"},
    {"whois.maintainers.enduser",   conf_text,    AT(enduser_maintainers),     "RIPE-NCC-END-MNT",    "registry maintainers of end users, comma list"},
    {"whois.maintainers.legacy",    conf_text,    AT(legacy_maintainers),      "RIPE-NCC-LEGACY-MNT", "registry maintainers of legacy space"},
    {"whois.maintainers.alloc",     conf_text,    AT(alloc_maintainers),       "RIPE-NCC-HM-MNT",     "registry maintainers of allocations"},
    {NULL, NULL, 0, NULL, NULL},
};
// clang-format on

/* --- strings --- */

/*
 * All slices of the settings show one buffer, sized before the first of them is taken.
 */
static struct str keep(struct settings *settings, const char *text, bool upper)
{
    struct str s = str_from(text);
    char *at = settings->strings.at + settings->strings.len;

    buf_add_str(&settings->strings, s);
    for (size_t i = 0; i < s.len && upper; i++) {
        at[i] = (char)(at[i] >= 'a' && at[i] <= 'z' ? at[i] - 'a' + 'A' : at[i]);
    }
    return (struct str){at, s.len};
}

static size_t length(const char *text)
{
    return text == NULL ? 0 : strlen(text);
}

static size_t strings_size(const struct query_conf *conf)
{
    size_t size = 3 * length(conf->main_source) + length(conf->nonauth_source) +
                  sizeof("-NONAUTH") + sizeof("-GRS") + length(conf->enduser_maintainers) +
                  length(conf->legacy_maintainers) + length(conf->alloc_maintainers);

    for (size_t i = 0; i < conf->additional.count; i++) {
        size += strlen(conf->additional.items[i]);
    }
    return size + 1;
}

/* --- parts --- */

static struct str nonauth_name(struct settings *settings, const struct query_conf *conf)
{
    struct str name;

    if (conf->nonauth_source != NULL || length(conf->main_source) == 0) {
        return keep(settings, conf->nonauth_source, true);
    }
    name = keep(settings, conf->main_source, true);
    name.len += keep(settings, "-NONAUTH", true).len;
    return name;
}

static enum err take_sources(struct settings *settings, const struct query_conf *conf,
                             const struct query_source *sources, size_t count, struct why *why)
{
    if (conf->additional.count > MAX_SOURCES) {
        return why_set(why, ERR_SYNTAX, "whois.additional.sources: more than %d", MAX_SOURCES);
    }
    for (size_t i = 0; i < count; i++) {
        if (sources[i].is_main) {
            settings->main = &sources[i];
        }
    }
    settings->sources = sources;
    settings->source_count = count;
    settings->main_name = keep(settings, conf->main_source, true);
    settings->nonauth_name = nonauth_name(settings, conf);
    if (settings->main != NULL && settings->main_name.len == 0) {
        settings->main_name = str_from(settings->main->name);
    }
    for (size_t i = 0; i < conf->additional.count; i++) {
        struct str name = keep(settings, conf->additional.items[i], true);

        if (settings_source(settings, name) == NULL) {
            return why_set(why, ERR_SYNTAX, "whois.additional.sources: %.*s is not configured",
                           STR_ARG(name));
        }
        settings->additional[settings->additional_count++] = name;
    }
    return ERR_OK;
}

static void take_dummified(struct settings *settings, const struct conf_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct query_source *source = settings_source(settings, str_from(names->items[i]));

        if (source == NULL || source->is_main) {
            log_warn(LOG_QUERY, "grs.sources.dummify: %s is no mirrored source",
                     log_quote(str_from(names->items[i])).text);
        } else {
            settings->is_dummified[source - settings->sources] = true;
        }
    }
}

static enum err take_abuse_rules(struct settings *settings, const struct query_conf *conf,
                                 struct why *why)
{
    const char *lists[] = {conf->enduser_maintainers, conf->legacy_maintainers,
                           conf->alloc_maintainers};
    struct str grs = keep(settings, conf->main_source, true), name;

    buf_add_str(&settings->strings, STR("-GRS"));
    grs.len += 4;
    settings->abuse_sources[0] = settings->main_name;
    settings->abuse_sources[1] = grs;
    settings->abuse_sources[2] = settings->nonauth_name;
    settings->abuse.sources = settings->abuse_sources;
    settings->abuse.source_count = settings->nonauth_name.len > 0 ? 3 : 2;
    settings->abuse.maintainers = settings->maintainers;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct str rest = keep(settings, lists[i], false);

        while (str_split(&rest, ',', &name)) {
            name = str_trim(name);
            if (name.len == 0) {
                continue;
            }
            if (settings->abuse.maintainer_count == MAX_SOURCES) {
                return why_set(why, ERR_SYNTAX, "whois.maintainers.*: more than %d names",
                               MAX_SOURCES);
            }
            settings->maintainers[settings->abuse.maintainer_count++] = name;
        }
    }
    return ERR_OK;
}

static enum err take_ranges(struct address_list *list, const char *key,
                            const struct conf_list *ranges, struct why *why)
{
    struct ip_range range;

    for (size_t i = 0; i < ranges->count; i++) {
        if (ip_parse(str_from(ranges->items[i]), &range) != ERR_OK) {
            return why_set(why, ERR_SYNTAX, "%s: %s is no address or prefix", key,
                           ranges->items[i]);
        }
        address_list_add(list, &range, 0);
    }
    address_list_seal(list);
    return ERR_OK;
}

static enum err take_addresses(struct settings *settings, const struct query_conf *conf,
                               struct why *why)
{
    enum err rc = take_ranges(&settings->trusted, "ipranges.trusted", &conf->trusted, why);

    if (rc == ERR_OK) {
        rc = take_ranges(&settings->blocked, "ipranges.blocked", &conf->blocked, why);
    }
    if (rc == ERR_OK && conf->proxy_protocol) {
        rc = take_ranges(&settings->balancers, "ipranges.loadbalancer", &conf->balancers, why);
        if (rc == ERR_OK && conf->balancers.count == 0) {
            log_warn(LOG_QUERY, "proxy.protocol.enabled does nothing: ipranges.loadbalancer names "
                                "nobody who may send a PROXY header");
        }
    }
    return rc;
}

static void add_comment_lines(struct buf *out, const char *text)
{
    struct str rest = str_from(text), line;

    while (str_split(&rest, '\n', &line)) {
        line = str_trim_right(line);
        buf_printf(out, line.len > 0 ? "%% %.*s\n" : "%%%.*s\n", STR_ARG(line));
    }
}

static void make_banner(struct settings *settings, const struct query_conf *conf)
{
    struct buf *out = &settings->banner;

    if (length(conf->banner) > 0) {
        add_comment_lines(out, conf->banner);
    } else {
        buf_printf(out, "%% This is the %s query service.\n", conf->service);
        buf_add_str(out, STR("% The objects are in RPSL format.\n%\n"));
    }
    for (size_t i = 0; i < settings->source_count; i++) {
        buf_add_str(out, str_from(settings->sources[i].notice));
    }
    if (length(conf->banner) == 0) {
        buf_add_str(out, STR("% The data is subject to Terms and Conditions.\n"));
    }
    buf_printf(out, "%% See %s\n\n", conf->terms_url);
}

static void make_served_by(struct settings *settings, const struct query_conf *conf)
{
    char host[256] = "";
    const char *name = conf->instance;

    if (length(name) == 0) {
        name = getenv("HOSTNAME");
    }
    if (length(name) == 0 && gethostname(host, sizeof(host) - 1) == 0) {
        name = host;
    }
    buf_printf(&settings->served_by,
               "%% This query was served by the %s Query Service version %s (", conf->service,
               SERVER_VERSION);
    for (const char *c = length(name) == 0 ? "localhost" : name; *c != '\0'; c++) {
        buf_add_char(&settings->served_by, (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
    }
    buf_add_str(&settings->served_by, STR(")\n\n"));
}

enum err settings_new(const struct query_conf *conf, const struct query_source *sources,
                      size_t source_count, struct settings **out, struct why *why)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    enum err rc;

    if (settings == NULL) {
        return why_set(why, ERR_MEMORY, "no memory for the query server's settings");
    }
    buf_reserve(&settings->strings, strings_size(conf));
    if ((rc = take_sources(settings, conf, sources, source_count, why)) != ERR_OK ||
        (rc = take_addresses(settings, conf, why)) != ERR_OK ||
        (rc = take_abuse_rules(settings, conf, why)) != ERR_OK) {
        settings_free(settings);
        return rc;
    }
    take_dummified(settings, &conf->dummified);
    make_banner(settings, conf);
    make_served_by(settings, conf);
    settings->connections_per_address = conf->connections_per_address;
    settings->connections_total = conf->connections_total;
    settings->answer_timeout_s = conf->answer_timeout_s;
    settings->database_timeout_s = conf->database_timeout_s;
    settings->log_queries = conf->log_queries;
    *out = settings;
    return ERR_OK;
}

void settings_free(struct settings *settings)
{
    if (settings == NULL) {
        return;
    }
    buf_free(&settings->banner);
    buf_free(&settings->served_by);
    buf_free(&settings->strings);
    address_list_free(&settings->trusted);
    address_list_free(&settings->blocked);
    address_list_free(&settings->balancers);
    free(settings);
}

const struct query_source *settings_source(const struct settings *settings, struct str name)
{
    if (settings->nonauth_name.len > 0 && str_eq_nocase(name, settings->nonauth_name)) {
        return settings->main;
    }
    for (size_t i = 0; i < settings->source_count; i++) {
        if (str_eq_nocase(name, str_from(settings->sources[i].name))) {
            return &settings->sources[i];
        }
    }
    return NULL;
}
