/*
 * The stages of an answer. Each step looks at the stage, does a bounded piece of work and says what
 * comes next:
 *
 *   START -> SOURCE -> CLASS -> FIND* -> [RECORD* or SORT*] -> OBJECT* -> CLASS ...
 *     OBJECT -> FOLLOW* -> [SORT*] -> COMPANION* -> OBJECT
 *     CLASS -> [[SORT*] -> RELATED*] -> SOURCE ... -> END
 *     SOURCE -> VERSIONS -> SOURCE
 *
 * Most answers are one object, and much of their time would be waits for memory: for the nodes of a
 * tree where the key belongs, those on the way to the object's record, its text. FIND and RECORD
 * note what they look at next (base/ahead.h) and say so (ANSWER_AHEAD), so that the caller does
 * others' work meanwhile.
 *
 * Lists of ids live in the answer's arena and are dropped with their source; texts live in the
 * thread's scratch arena and are dropped with their step.
 */
#include "query/answer.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "query/answer_object.h"
#include "query/info.h"
#include "query/line.h"

enum {
    STAGE_START,
    STAGE_SOURCE,
    STAGE_CLASS,
    STAGE_FIND,
    STAGE_RECORD,
    STAGE_SORT,
    STAGE_OBJECT,
    STAGE_FOLLOW,
    STAGE_COMPANION,
    STAGE_RELATED,
    STAGE_VERSIONS,
    STAGE_END,
};

/* Access control's end of an answer. */
static void refuse(struct answer *answer, enum message message, const struct ip_range *address,
                   const char *failure, struct buf *out)
{
    char text[ADDRESS_TEXT_MAX];

    message_print(out, message, ARGS(str_from(address_text_of(address, text))));
    answer->failure = failure;
    answer->hides_no_entries = true;
    answer->must_close = true;
    answer->stage = STAGE_END;
}

/* The key `help` with options switches filtering off, an accident of the reference. */
static bool filters_email(const struct answer *answer)
{
    return answer_part(answer)->source->is_main &&
           !query_has(&answer->query, QF(NO_FILTERING) | BRIEF_FLAGS) &&
           !search_key_is_help(&answer->key);
}

static void fail(struct answer *answer, enum err rc, struct buf *out)
{
    if (rc == ERR_DENIED) {
        refuse(answer, MSG_LIMIT_PAST, &answer->accounted, "limit", out);
        return;
    }
    if (rc == ERR_LIMIT) {
        message_print(out, MSG_ANSWER_TOO_LARGE, NULL);
        answer->failure = "too large";
        log_warn(LOG_QUERY, "answer too large for query.answer.memory, query=%s",
                 log_quote(answer->query.text).text);
    } else {
        message_print(out, MSG_INTERNAL_ERROR, NULL);
        answer->failure = err_text(rc);
        log_error(LOG_QUERY, "source %s: %s while answering %s",
                  answer->part > 0 ? answer_part(answer)->source->name : "none", err_text(rc),
                  log_quote(answer->query.text).text);
    }
    answer->hides_no_entries = true;
    answer->must_close = true;
    answer->stage = STAGE_END;
}

/* --- reading --- */

enum err answer_read(struct answer *answer, struct answer_tools *tools, struct str line,
                     const struct answer_client *client, struct arena *arena)
{
    struct str text;
    bool is_converted;
    enum err rc;

    memset(answer, 0, offsetof(struct answer, query));
    answer->query.text = STR("");
    answer->tools = tools;
    answer->arena = arena;
    answer->client = *client;
    /* Flags, key and sources are slices of the line, which its connection forgets after the first
     * slice. */
    line = arena_strdup(arena, line);
    if (line.at == NULL) {
        return ERR_LIMIT;
    }
    if ((rc = line_decode(line, arena, &text, &is_converted)) != ERR_OK) {
        return rc;
    }
    rc = query_parse(text, arena, &answer->query);
    answer->query.is_converted = is_converted;
    if (rc != ERR_OK) {
        return rc == ERR_SYNTAX ? ERR_OK : rc;
    }
    rc = search_key_read(tools->matcher, answer->query.key,
                         query_has(&answer->query, QF(REVERSE_DOMAIN)), arena, &answer->key);
    if (rc == ERR_OK) {
        answer->is_valid =
            query_check(&answer->query, &answer->key, client->is_trusted, arena, &answer->verdict);
        answer->must_close = answer->verdict.must_close;
    }
    return rc;
}

/* --- sources --- */

/* A name counts once. @param name  In the answer's arena, or a source's own. */
static void add_part(struct answer *answer, struct str name)
{
    struct answer_part part = {name, settings_source(answer_settings(answer), name), false};

    for (size_t i = 0; i < answer->part_count; i++) {
        const struct answer_part *other = &answer->parts[i];

        if (str_eq_nocase(other->name, name)) {
            return;
        }
        part.is_merged |= part.source != NULL && other->source == part.source;
    }
    answer->parts[answer->part_count++] = part;
}

static void add_mirrors(struct answer *answer, bool with_virtual)
{
    const struct settings *settings = answer_settings(answer);

    for (size_t i = 0; i < settings->source_count; i++) {
        const struct query_source *source = &settings->sources[i];

        if (!source->is_main && (with_virtual || !source->is_virtual)) {
            add_part(answer, str_from(settings->sources[i].name));
        }
    }
}

/* The names are copied: settings may change while the answer goes on, its sources may not. */
static enum err add_configured(struct answer *answer, const struct str *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct str name = arena_strdup(answer->arena, names[i]);

        if (name.at == NULL) {
            return ERR_LIMIT;
        }
        add_part(answer, name);
    }
    return ERR_OK;
}

static enum err add_main(struct answer *answer)
{
    const struct settings *settings = answer_settings(answer);

    return settings->main == NULL ? ERR_OK : add_configured(answer, &settings->main_name, 1);
}

/* Which sources are searched, in order (whois-queries 7.3). */
static enum err choose_sources(struct answer *answer)
{
    const struct settings *settings = answer_settings(answer);
    const struct query *query = &answer->query;
    /* The main source is added up to twice, and counts once. */
    size_t most = settings->source_count + settings->additional_count + query->source_count + 1;
    enum err rc = ERR_OK;

    answer->parts = arena_calloc(answer->arena, most, sizeof(*answer->parts));
    if (answer->parts == NULL) {
        return ERR_LIMIT;
    }
    if (query_has(query, QF(RESOURCE))) {
        add_mirrors(answer, true);
    }
    if (query_has(query, QF(ALL_SOURCES))) {
        rc = add_main(answer);
        add_mirrors(answer, false);
    }
    /* A -s that names nothing is none. */
    if (rc == ERR_OK && query->source_count == 0 &&
        (settings->additional_count > 0 || answer->part_count == 0)) {
        rc = add_main(answer);
        if (rc == ERR_OK) {
            rc = add_configured(answer, settings->additional, settings->additional_count);
        }
    }
    for (size_t i = 0; i < query->source_count; i++) {
        add_part(answer, query->sources[i]);
    }
    return rc;
}

/* The snapshot to search. @return false when the source cannot be answered from now. */
static bool open_source(struct answer *answer, const struct query_source *source, struct buf *out)
{
    const struct snapshot *snap = reader_snapshot(answer->tools->reader, source->index);
    enum query_source_state state = QUERY_SOURCE_READY;
    char digits[16];
    int percent = 0;

    answer->search.view.snap = snap;
    if ((snap == NULL || snapshot_position(snap).objects == 0) && source->state != NULL) {
        state = source->state(source->context, &percent);
    }
    if (state == QUERY_SOURCE_READY) {
        return true;
    }
    if (state == QUERY_SOURCE_LOADING) {
        snprintf(digits, sizeof(digits), "%d", percent);
        message_print(out, MSG_SOURCE_LOADING, ARGS(str_from(source->name), str_from(digits)));
    } else {
        message_print(out, MSG_SOURCE_UNAVAILABLE, ARGS(str_from(source->name)));
    }
    answer->hides_no_entries = true;
    answer->must_close = true;
    return false;
}

/* The extra line of a source whose updates have stopped. */
static void print_stale(struct answer *answer, struct buf *out)
{
    const struct settings *settings = answer_settings(answer);
    const struct query_source *source = answer_part(answer)->source;
    char text[sizeof("2026-01-01T00:00:00Z")];
    int64_t since_ms = 0;
    struct tm when;
    time_t seconds;

    if (answer->search.view.snap != NULL) {
        since_ms = snapshot_position(answer->search.view.snap).stale_since_ms;
    }
    if (since_ms == 0 && settings->stale_since_ms != NULL) {
        since_ms = atomic_load_explicit(&settings->stale_since_ms[source - settings->sources],
                                        memory_order_relaxed);
    }
    if (since_ms == 0) {
        return;
    }
    seconds = (time_t)(since_ms / 1000);
    gmtime_r(&seconds, &when);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &when);
    message_print(out, MSG_STALE, ARGS(str_from(source->name), str_from(text)));
}

static void print_notes(struct answer *answer, struct buf *out)
{
    const struct query *query = &answer->query;

    if (query_has(query, QF(PRIMARY_KEYS)) && !query_has(query, QF(BRIEF))) {
        message_print(out, MSG_KEYS_ONLY, NULL);
    } else if (filters_email(answer)) {
        message_print(out, MSG_FILTERED, NULL);
    }
    if (query_has(query, QF(NO_PERSONAL)) && !query_has(query, QF(SHOW_PERSONAL))) {
        message_print(out, MSG_NO_PERSONAL, NULL);
    }
    if (query->is_converted && !query_has(query, QF(INVERSE))) {
        message_print(out, MSG_CONVERTED, NULL);
    }
    print_stale(answer, out);
}

/* Attributes that -i cannot search are named, all of them. */
static bool print_bad_attributes(struct answer *answer, struct buf *out)
{
    const struct query *query = &answer->query;
    bool found = false;

    for (size_t i = 0; i < query->inverse_count; i++) {
        if (!search_is_inverse(query->inverse[i], answer->client.is_trusted)) {
            message_print(out, MSG_NOT_SEARCHABLE,
                          ARGS(str_from(rpsl_attr_info(query->inverse[i])->name)));
            found = true;
        }
    }
    return found;
}

static void release_source(struct answer *answer)
{
    if (answer->is_held) {
        snapshot_release(answer->tools->reader, answer->search.view.snap);
        answer->is_held = false;
    }
    answer->search.view.snap = NULL; /* The rest is set by begin_search(). */
    answer->ids = answer->related = answer->shown_related = (struct id_list){0};
    answer->references = (struct references){0};
    answer->id = answer->related_id = 0;
    answer->place.info.id = 0;
}

static enum err begin_search(struct answer *answer)
{
    const struct snapshot *snap = answer->search.view.snap;

    answer->search = (struct search){
        .view = {answer->tools->reader, snap, answer->tools->scratch},
        .query = &answer->query,
        .key = &answer->key,
        .classes = answer->verdict.candidates,
        .is_trusted = answer->client.is_trusted,
        .arena = answer->arena,
    };
    answer->printer = (struct printer){
        .utf8 = &answer->tools->utf8,
        .charset = answer->verdict.charset,
        .filters_email = filters_email(answer),
        .is_short = query_has(&answer->query, QF(BRIEF)),
    };
    answer->candidates = answer->verdict.candidates;
    return search_begin(&answer->search);
}

/* Versions come from the database: no snapshot is kept while it is asked. */
static enum err begin_versions(struct answer *answer, const struct query_source *source)
{
    release_source(answer);
    answer->versions = version_query_new(source, &answer->query, &answer->key, &answer->verdict);
    if (answer->versions == NULL) {
        return ERR_MEMORY;
    }
    answer->stage = STAGE_VERSIONS;
    return ERR_OK;
}

static enum err step_source(struct answer *answer, struct buf *out)
{
    const struct answer_part *part;

    release_source(answer);
    if (answer->part == 0) {
        answer->source_mark = arena_mark(answer->arena);
    }
    arena_rewind(answer->arena, answer->source_mark);
    if (answer->part == answer->part_count) {
        answer->stage = STAGE_END;
        return ERR_OK;
    }
    part = &answer->parts[answer->part++];
    if (part->source == NULL) {
        message_print(out, MSG_UNKNOWN_SOURCE, ARGS(part->name));
        answer->hides_no_entries = true;
        return ERR_OK;
    }
    if (part->is_merged || !open_source(answer, part->source, out)) {
        return ERR_OK;
    }
    if (query_has(&answer->query, QF_VERSIONS)) {
        return begin_versions(answer, part->source);
    }
    answer->is_dummified =
        answer_settings(answer)->is_dummified[part->source - answer_settings(answer)->sources];
    print_notes(answer, out);
    if (print_bad_attributes(answer, out) || answer->search.view.snap == NULL) {
        return ERR_OK;
    }
    answer->stage = STAGE_CLASS;
    return begin_search(answer);
}

/* --- objects --- */

/* Put a list in order of keys, step by step, then go on with a stage. */
static enum err begin_sort(struct answer *answer, struct id_list *list, int next_stage)
{
    enum err rc;

    answer->behind_sort = next_stage;
    answer->sort_mark = arena_mark(answer->arena);
    rc = snapshot_sort_begin(answer->tools->reader, answer->search.view.snap, list, answer->arena,
                             &answer->sort);
    answer->stage = answer->sort != NULL ? STAGE_SORT : next_stage;
    return rc;
}

static enum err step_sort(struct answer *answer)
{
    bool is_done;
    enum err rc = snapshot_sort_step(answer->sort, &is_done);

    if (rc == ERR_OK && is_done) {
        arena_rewind(answer->arena, answer->sort_mark);
        answer->stage = answer->behind_sort;
    }
    return rc;
}

/* Search the next class; an inverse search has one list for all. */
static enum err step_class(struct answer *answer)
{
    enum rpsl_class class;

    answer->ids.count = 0;
    answer->id = 0;
    if (answer->candidates == 0) {
        answer->stage = answer->shown_related.count > 0 ? STAGE_RELATED : STAGE_SOURCE;
        return answer->shown_related.count > 1
                   ? begin_sort(answer, &answer->shown_related, STAGE_RELATED)
                   : ERR_OK;
    }
    answer->stage = STAGE_FIND;
    if (query_has(&answer->query, QF(INVERSE))) {
        answer->candidates = 0;
        search_inverse(&answer->search, &answer->ids);
        return ERR_OK;
    }
    class = (enum rpsl_class)__builtin_ctz(answer->candidates);
    answer->candidates &= answer->candidates - 1;
    search_class(&answer->search, class, &answer->ids);
    return ERR_OK;
}

static enum err step_find(struct answer *answer)
{
    bool is_done;
    enum err rc = search_step(&answer->search, &is_done);

    if (rc != ERR_OK || !is_done) {
        answer->is_ahead = answer->search.is_ahead;
        return rc;
    }
    answer->stage = answer->ids.count > 0 ? STAGE_OBJECT : STAGE_CLASS;
    if (search_is_unsorted(&answer->search)) {
        return begin_sort(answer, &answer->ids, STAGE_OBJECT);
    }
    if (answer->ids.count > 0) {
        snapshot_place_begin(answer->search.view.snap, answer->ids.ids[0], &answer->place);
        answer->stage = STAGE_RECORD;
        answer->is_ahead = true;
    }
    return ERR_OK;
}

static void step_record(struct answer *answer)
{
    answer->is_ahead = true;
    if (snapshot_place_step(answer->search.view.snap, answer->ids.ids[0], &answer->place)) {
        answer->stage = STAGE_OBJECT;
    }
}

/* The next of the ids. */
static enum err load_primary(struct answer *answer, struct item *out)
{
    uint32_t id = answer->ids.ids[answer->id++];
    const struct view *view = &answer->search.view;

    return answer->place.info.id == id ? item_load_at(view, &answer->place, out)
                                       : item_load(view, id, out);
}

static enum err print_by_id(struct answer *answer, uint32_t id, struct buf *out)
{
    struct item item;
    enum err rc = item_load(&answer->search.view, id, &item);

    if (rc != ERR_OK || answer_is_hidden_person(answer, item.info.class)) {
        return rc;
    }
    return answer_print_item(answer, &item, out);
}

/* What belongs with the object that was printed. */
static enum err begin_companions(struct answer *answer, struct item *item)
{
    const struct query *query = &answer->query;
    const struct view *view = &answer->search.view;
    struct references *references = &answer->references;
    enum err rc = ERR_OK;

    references_clear(references, item->info.id);
    if (!query_has(query, QF(NO_REFERENCED) | QF(BRIEF) | QF(RESOURCE) | BRIEF_FLAGS)) {
        rc = follow_references(view, item, !query_has(query, QF(NO_PERSONAL)), answer->arena,
                               references);
    }
    if (rc == ERR_OK && query_has(query, QF(IRT) | QF(ABUSE_CONTACT)) &&
        !query_has(query, QF(PRIMARY_KEYS)) &&
        (item->info.class == CLASS_INETNUM || item->info.class == CLASS_INET6NUM)) {
        rc = follow_irts(view, item, answer->arena, references);
    }
    if (rc == ERR_OK && references->count > 0) {
        answer->related.count = 0;
        answer->related_id = 0;
        answer->stage = STAGE_FOLLOW;
    }
    return rc;
}

/* For the end of the answer. Objects share a few contacts: most doubles are dropped at once, the
 * rest when sorting. */
static enum err gather_related(struct answer *answer, const struct id_list *list)
{
    struct id_list *all = &answer->shown_related;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < list->count && rc == ERR_OK; i++) {
        size_t newest = all->count, oldest = newest > 16 ? newest - 16 : 0;

        while (newest > oldest && all->ids[newest - 1] != list->ids[i]) {
            newest--;
        }
        if (newest == oldest) {
            rc = id_list_add(all, answer->arena, list->ids[i]);
        }
    }
    return rc;
}

/* The object's companions: behind it, or with -G and -b, which group nothing, gathered for the
 * end. */
static enum err step_follow(struct answer *answer)
{
    struct id_list *list = &answer->related;
    bool is_done;
    enum err rc =
        references_step(&answer->references, &answer->search.view, answer->arena, list, &is_done);

    if (rc != ERR_OK || !is_done) {
        return rc;
    }
    answer->stage = STAGE_COMPANION;
    if (query_has(&answer->query, QF(NO_GROUPING) | QF(ABUSE_CONTACT))) {
        answer->stage = STAGE_OBJECT;
        return gather_related(answer, list);
    }
    return list->count > 1 ? begin_sort(answer, list, STAGE_COMPANION) : ERR_OK;
}

static enum err step_companion(struct answer *answer, struct buf *out)
{
    if (answer->related_id == answer->related.count) {
        answer->stage = STAGE_OBJECT;
        return ERR_OK;
    }
    return print_by_id(answer, answer->related.ids[answer->related_id++], out);
}

static enum err print_primary(struct answer *answer, struct buf *out)
{
    struct item item;
    bool is_ordered = true;
    enum err rc = ERR_OK;

    if (!query_has(&answer->query, QF(INVERSE))) {
        rc = search_order(&answer->search, &answer->ids, answer->id, &is_ordered);
    }
    if (rc != ERR_OK || !is_ordered || (rc = load_primary(answer, &item)) != ERR_OK ||
        (rc = search_accepts(&answer->search, &item)) != ERR_OK ||
        (rc = answer_check_source_line(answer, &item)) != ERR_OK ||
        (rc = answer_remove_personal(answer, &item)) != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    if (answer_is_hidden_person(answer, item.info.class)) {
        return ERR_OK;
    }
    if (!query_has(&answer->query, QF(ABUSE_CONTACT))) {
        rc = answer_print_comments(answer, &item, out);
    }
    if (rc != ERR_OK || (rc = answer_print_item(answer, &item, out)) != ERR_OK) {
        return rc;
    }
    return begin_companions(answer, &item);
}

static enum err step_object(struct answer *answer, struct buf *out)
{
    if (answer->id == answer->ids.count) {
        answer->stage = STAGE_CLASS;
        return ERR_OK;
    }
    return print_primary(answer, out);
}

static enum err step_related(struct answer *answer, struct buf *out)
{
    if (answer->related_id == answer->shown_related.count) {
        answer->stage = STAGE_SOURCE;
        return ERR_OK;
    }
    return print_by_id(answer, answer->shown_related.ids[answer->related_id++], out);
}

/* --- versions --- */

static void drop_versions(struct answer *answer)
{
    version_query_free(answer->versions);
    answer->versions = NULL;
}

/* What was found out about one source. */
static void step_versions(struct answer *answer, struct buf *out)
{
    const struct version_query *versions = answer->versions;

    buf_add_str(out, buf_str(&versions->text));
    answer->object_count += versions->found;
    answer->must_close = answer->must_close || versions->must_close;
    answer->hides_no_entries = answer->hides_no_entries || versions->ends_answer;
    if (versions->failure != NULL) {
        answer->failure = versions->failure;
    }
    answer->stage = versions->ends_answer ? STAGE_END : STAGE_SOURCE;
    drop_versions(answer);
}

/* --- the ends --- */

/* Whether the client may search, for itself or for another. */
static bool is_admitted(struct answer *answer, struct buf *out)
{
    struct acl *acl = answer->tools->acl;
    const struct ip_range *client = &answer->client.address;

    answer->accounted = *client;
    switch (acl_check(acl, client)) {
    case ACL_DENIED:
        refuse(answer, MSG_DENIED, client, "denied", out);
        return false;
    case ACL_LIMIT_PAST:
        refuse(answer, MSG_LIMIT_PAST, client, "limit", out);
        return false;
    case ACL_PASS:
        break;
    }
    if (query_proxied_address(&answer->query, &answer->accounted) && !acl_may_proxy(acl, client)) {
        refuse(answer, MSG_NO_PROXY, client, "no proxy", out);
        return false;
    }
    answer->is_limited = acl_is_limited(acl, &answer->accounted);
    return true;
}

static enum err step_start(struct answer *answer, struct buf *out)
{
    const struct query *query = &answer->query;

    if (answer->client.is_blocked) {
        refuse(answer, MSG_BLOCKED, &answer->client.address, "blocked", out);
        return ERR_OK;
    }
    answer->stage = STAGE_END;
    answer->hides_no_entries = true;
    if (!answer->is_valid) {
        for (size_t i = 0; i < query->complaint_count; i++) {
            message_print(out, query->complaints[i].message, query->complaints[i].args);
        }
        return ERR_OK;
    }
    if (query_is_only_persistent(query)) {
        return ERR_OK;
    }
    if (answer->verdict.has_useless_ip_flag) {
        message_print(out, MSG_USELESS_IP_FLAG, NULL);
    }
    if (info_is_asked(query, &answer->key)) {
        info_print(answer_settings(answer), query, &answer->key, answer->arena, out);
        return ERR_OK;
    }
    if (!is_admitted(answer, out)) {
        return ERR_OK;
    }
    answer->stage = STAGE_SOURCE;
    answer->hides_no_entries = false;
    return choose_sources(answer);
}

/* ERROR:101 names all sources that were tried. */
static void print_no_entries(const struct answer *answer, struct buf *out)
{
    struct buf names = {0};

    for (size_t i = 0; i < answer->part_count; i++) {
        if (i > 0) {
            buf_add_char(&names, ',');
        }
        buf_add_str(&names, answer->parts[i].name);
    }
    message_print(out, MSG_NO_ENTRIES, ARGS(buf_str(&names)));
    buf_free(&names);
}

enum answer_progress answer_step(struct answer *answer, struct buf *out)
{
    enum err rc = ERR_OK;
    bool is_ahead;

    switch (answer->stage) {
    case STAGE_START:
        rc = step_start(answer, out);
        break;
    case STAGE_SOURCE:
        rc = step_source(answer, out);
        break;
    case STAGE_CLASS:
        rc = step_class(answer);
        break;
    case STAGE_FIND:
        rc = step_find(answer);
        break;
    case STAGE_RECORD:
        step_record(answer);
        break;
    case STAGE_SORT:
        rc = step_sort(answer);
        break;
    case STAGE_OBJECT:
        rc = step_object(answer, out);
        break;
    case STAGE_FOLLOW:
        rc = step_follow(answer);
        break;
    case STAGE_COMPANION:
        rc = step_companion(answer, out);
        break;
    case STAGE_RELATED:
        rc = step_related(answer, out);
        break;
    case STAGE_VERSIONS:
        if (!answer->versions->is_done) {
            return ANSWER_WAITS;
        }
        step_versions(answer, out);
        break;
    case STAGE_END:
        if (answer->object_count == 0 && !answer->hides_no_entries) {
            print_no_entries(answer, out);
        }
        return ANSWER_DONE;
    }
    arena_reset(answer->tools->scratch);
    if (rc != ERR_OK) {
        fail(answer, rc, out);
    }
    is_ahead = answer->is_ahead;
    answer->is_ahead = false;
    return is_ahead ? ANSWER_AHEAD : ANSWER_MORE;
}

void answer_hold(struct answer *answer)
{
    if (!answer->is_held && answer->search.view.snap != NULL) {
        snapshot_hold(answer->tools->reader, answer->search.view.snap);
        answer->is_held = true;
    }
}

bool answer_is_unwanted(const struct answer *answer)
{
    return answer->is_held && snapshot_is_unwanted(answer->search.view.snap);
}

void answer_end(struct answer *answer)
{
    drop_versions(answer);
    if (answer->personal_count > 0) {
        acl_count(answer->tools->acl, &answer->accounted, answer->personal_count);
        answer->personal_count = 0;
    }
    release_source(answer);
}
