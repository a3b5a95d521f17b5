/*
 * Two look-ups, both by keys that every such database has: `last` by pkey, live row and tombstones
 * alike, then `history` by the start of its primary key, the object's id. So the versions of an
 * object cost nothing to keep searchable.
 *
 * Statements are not run in one transaction: what moves from `last` to `history` between them is
 * told by its sequence number, and a text is looked for in both tables by one statement.
 */
#include "storage/history.h"

#include "storage/source_parts.h"

/* --- connections --- */

void idle_readers_init(struct idle_readers *readers)
{
    pthread_mutex_init(&readers->mutex, NULL);
}

void idle_readers_fini(struct idle_readers *readers)
{
    while (readers->count > 0) {
        sql_close(readers->at[--readers->count]);
    }
    pthread_mutex_destroy(&readers->mutex);
}

/* @return NULL when there is none. */
static struct sql *take_idle(struct idle_readers *readers)
{
    struct sql *sql = NULL;

    pthread_mutex_lock(&readers->mutex);
    if (readers->count > 0) {
        sql = readers->at[--readers->count];
    }
    pthread_mutex_unlock(&readers->mutex);
    return sql;
}

static void give_back(struct idle_readers *readers, struct sql *sql)
{
    pthread_mutex_lock(&readers->mutex);
    if (readers->count < sizeof(readers->at) / sizeof(readers->at[0])) {
        readers->at[readers->count++] = sql;
        sql = NULL;
    }
    pthread_mutex_unlock(&readers->mutex);
    sql_close(sql);
}

/* A connection that was idle may have been closed by the server: then a new one is tried. */
enum err source_read(struct source *source, reading *read, void *context, struct why *why)
{
    struct idle_readers *readers = &source->idle_readers;
    struct sql *sql;
    enum err rc = ERR_SQL_LOST;

    while (rc == ERR_SQL_LOST && (sql = take_idle(readers)) != NULL) {
        rc = read(sql, context, why);
        if (rc == ERR_SQL_LOST) {
            sql_close(sql);
        }
    }
    if (rc == ERR_SQL_LOST) {
        rc = source_connect_new(source, &sql, why);
        if (rc != ERR_OK) {
            return rc;
        }
        rc = read(sql, context, why);
    }
    if (rc == ERR_SQL_LOST) {
        sql_close(sql);
    } else {
        sql_end_rows(sql);
        give_back(readers, sql);
    }
    return rc;
}

/* --- who had a key --- */

struct find {
    uint32_t classes;
    struct str key;
    struct arena *arena;
    struct history_list *out;
};

/* How a pkey may spell the key, as a list of literals: a range's blanks are its maintainer's. */
static struct str spellings(struct sql *sql, struct str key, struct arena *arena)
{
    static const char *const dashes[] = {" - ", "-", " -", "- "};
    const size_t dash = str_find(key, '-', 0);
    const bool is_range =
        dash > 1 && key.at[dash - 1] == ' ' && str_starts(str_sub(key, dash, key.len), STR("- "));
    struct str list = sql_quote(sql, rows_pkey(key, arena), arena);

    for (size_t i = 1; is_range && i < sizeof(dashes) / sizeof(dashes[0]) && list.at != NULL; i++) {
        const struct str first = str_sub(key, 0, dash - 1), last = str_sub(key, dash + 2, key.len);
        const struct str spelling =
            arena_printf(arena, "%.*s%s%.*s", STR_ARG(first), dashes[i], STR_ARG(last));

        list = arena_printf(arena, "%.*s, %.*s", STR_ARG(list),
                            STR_ARG(sql_quote(sql, spelling, arena)));
    }
    return list;
}

static struct history *history_of(struct history_list *list, enum rpsl_class class)
{
    size_t i = 0;

    while (i < list->count && list->at[i].class < class) {
        i++;
    }
    if (i == list->count || list->at[i].class != class) {
        for (size_t j = list->count++; j > i; j--) {
            list->at[j] = list->at[j - 1];
        }
        list->at[i] = (struct history){.class = class};
    }
    return &list->at[i];
}

/* A row of `last`: object_id, sequence_id, timestamp, object_type. */
static enum err note_row(struct find *find, const struct str *row)
{
    const struct object_version version = {.object_id = (uint32_t)sql_to_number(row[0]),
                                           .sequence = (uint32_t)sql_to_number(row[1]),
                                           .timestamp = (uint32_t)sql_to_number(row[2])};
    const enum rpsl_class class = rpsl_class_by_db_id((unsigned)sql_to_number(row[3]));
    struct history *history;

    if (class == CLASS_UNKNOWN || (find->classes >> class & 1) == 0) {
        return ERR_OK;
    }
    history = history_of(find->out, class);
    if (version.sequence == 0) {
        history->deleted =
            version.timestamp > history->deleted ? version.timestamp : history->deleted;
        return ERR_OK;
    }
    history->versions = arena_alloc(find->arena, sizeof(version));
    if (history->versions == NULL) {
        return ERR_LIMIT;
    }
    history->versions[0] = version;
    history->count = 1;
    return ERR_OK;
}

static enum err find_last(struct sql *sql, struct find *find, struct why *why)
{
    const struct str pkeys = spellings(sql, find->key, find->arena);
    const struct str *row;
    enum err rc;

    find->out->count = 0;
    find->out->at = arena_calloc(find->arena, CLASS_COUNT, sizeof(*find->out->at));
    if (pkeys.at == NULL || find->out->at == NULL) {
        return ERR_LIMIT;
    }
    rc = sql_select(sql, why,
                    "SELECT object_id, sequence_id, timestamp, object_type FROM last "
                    "WHERE pkey IN (%.*s)",
                    STR_ARG(pkeys));
    while (rc == ERR_OK && (rc = sql_next(sql, &row, why)) == ERR_OK) {
        rc = note_row(find, row);
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* The versions before the one that is in `last`. */
static enum err find_superseded(struct sql *sql, struct history *history, struct arena *arena,
                                struct why *why)
{
    const struct object_version newest = history->versions[0];
    const struct str *row;
    size_t cap = 1;
    enum err rc = sql_select(sql, why,
                             "SELECT sequence_id, timestamp FROM history "
                             "WHERE object_id = %u AND sequence_id < %u ORDER BY sequence_id",
                             newest.object_id, newest.sequence);

    history->count = 0;
    while (rc == ERR_OK && (rc = sql_next(sql, &row, why)) == ERR_OK) {
        if (history->count + 1 == cap) {
            struct object_version *grown = arena_grow(
                arena, history->versions, cap * sizeof(newest), 2 * cap * sizeof(newest));

            if (grown == NULL) {
                return ERR_LIMIT;
            }
            history->versions = grown;
            cap *= 2;
        }
        history->versions[history->count++] = (struct object_version){
            newest.object_id, (uint32_t)sql_to_number(row[0]), (uint32_t)sql_to_number(row[1])};
    }
    history->versions[history->count++] = newest;
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err find_histories(struct sql *sql, void *context, struct why *why)
{
    struct find *find = context;
    enum err rc = find_last(sql, find, why);

    for (size_t i = 0; i < find->out->count && rc == ERR_OK; i++) {
        if (find->out->at[i].count > 0) {
            rc = find_superseded(sql, &find->out->at[i], find->arena, why);
        }
    }
    return rc;
}

enum err source_histories(struct source *source, uint32_t classes, struct str key,
                          struct arena *arena, struct history_list *out, struct why *why)
{
    struct find find = {classes, key, arena, out};

    return source_read(source, find_histories, &find, why);
}

/* --- texts --- */

struct text_wanted {
    const struct object_version *version;
    struct arena *arena;
    struct str *out;
};

static enum err read_text(struct sql *sql, void *context, struct why *why)
{
    struct text_wanted *wanted = context;
    const unsigned id = wanted->version->object_id, sequence = wanted->version->sequence;
    const struct str *row;
    enum err rc = sql_select(sql, why,
                             "SELECT object FROM history WHERE object_id = %u AND sequence_id = %u "
                             "UNION ALL "
                             "SELECT object FROM last WHERE object_id = %u AND sequence_id = %u",
                             id, sequence, id, sequence);

    if (rc != ERR_OK || (rc = sql_next(sql, &row, why)) != ERR_OK) {
        return rc == ERR_NOT_FOUND ? why_set(why, rc, "it has been deleted since") : rc;
    }
    *wanted->out = arena_strdup(wanted->arena, row[0]);
    return wanted->out->at == NULL ? ERR_LIMIT : ERR_OK;
}

enum err source_version_text(struct source *source, const struct object_version *version,
                             struct arena *arena, struct str *out, struct why *why)
{
    struct text_wanted wanted = {version, arena, out};

    return source_read(source, read_text, &wanted, why);
}
