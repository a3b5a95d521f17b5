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

struct query_source query_source_of(struct source *source)
{
    return (struct query_source){
        .name = source_name(source),
        .upstream = source_upstream(source),
        .is_main = source_kind(source) == SOURCE_MAIN,
        .index = source_index(source),
        .state = state_of,
        .context = source,
    };
}
