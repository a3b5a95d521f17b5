/*
 * How the query side sees a source of storage.
 */
#include "query/source.h"

#include "storage/source.h"

static enum query_source_state state_of(void *context, int *percent)
{
    struct source *source = context;
    struct source_status status;

    source_get_status(source, &status);
    *percent = status.percent;
    switch (status.state) {
    case SOURCE_READY:
        return QUERY_SOURCE_READY;
    case SOURCE_EMPTY:
        /* An empty main source is a server's normal state; an empty mirror waits for its data. */
        return source_kind(source) == SOURCE_MAIN ? QUERY_SOURCE_READY : QUERY_SOURCE_UNAVAILABLE;
    case SOURCE_LOADING:
    case SOURCE_OPENING:
        return QUERY_SOURCE_LOADING;
    case SOURCE_CLOSED:
    case SOURCE_FAILED:
        break;
    }
    return QUERY_SOURCE_UNAVAILABLE;
}

static enum err find_versions(void *context, uint32_t classes, struct str key, struct arena *arena,
                              struct history_list *out, struct why *why)
{
    return source_histories(context, classes, key, arena, out, why);
}

static enum err version_text(void *context, const struct object_version *version,
                             struct arena *arena, struct str *out, struct why *why)
{
    return source_version_text(context, version, arena, out, why);
}

static const struct version_store versions = {find_versions, version_text};

struct query_source query_source_of(struct source *source)
{
    return (struct query_source){
        .name = source_name(source),
        .is_main = source_kind(source) == SOURCE_MAIN,
        .index = source_index(source),
        .state = state_of,
        .versions = &versions,
        .context = source,
    };
}

struct query_source query_source_alias(const struct query_source *main, const char *name)
{
    struct query_source alias = *main;

    alias.name = name;
    alias.is_main = false;
    alias.is_virtual = true;
    alias.notice = NULL;
    alias.versions = NULL;
    return alias;
}
