/*
 * The stages of an answer. Each step looks at the stage, does a bounded piece of work and says what
 * comes next:
 *
 *   START -> SOURCE -> CLASS -> [SORT*] -> OBJECT* -> CLASS ... -> [RELATED*] -> SOURCE ... -> END
 *            SOURCE -> VERSIONS -> SOURCE ...
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
#include "query/info.h"
#include "query/line.h"
#include "rpsl/dummify.h"
#include "rpsl/syntax.h"

enum {
    STAGE_START,
    STAGE_SOURCE,
    STAGE_CLASS,
    STAGE_SORT,
    STAGE_OBJECT,
    STAGE_RELATED,
    STAGE_VERSIONS,
    STAGE_END,
};

#define BRIEF_FLAGS (QF(PRIMARY_KEYS) | QF(ABUSE_CONTACT))

static const struct settings *settings_of(const struct answer *answer)
{
    return answer->tools->settings;
}

static const struct answer_part *current_part(const struct answer *answer)
{
    return &answer->parts[answer->part - 1];
}

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
    return current_part(answer)->source->is_main &&
           !query_has(&answer->query, QF(NO_FILTERING) | BRIEF_FLAGS) &&
           !str_eq_nocase(answer->query.key, STR("help"));
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
                  answer->part > 0 ? current_part(answer)->source->name : "none", err_text(rc),
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

/* @param name  In the answer's arena, or a source's own. */
static void add_part(struct answer *answer, struct str name)
{
    const struct query_source *source = settings_source(settings_of(answer), name);
    struct answer_part *part = &answer->parts[answer->part_count++];

    *part = (struct answer_part){name, source, false};
    for (struct answer_part *other = answer->parts; other < part && source != NULL; other++) {
        part->is_merged |= other->source == source;
    }
}

static void add_mirrors(struct answer *answer, bool with_virtual)
{
    const struct settings *settings = settings_of(answer);

    for (size_t i = 0; i < settings->source_count; i++) {
        const struct query_source *source = &settings->sources[i];

        if (!source->is_main && (with_virtual || !source->is_virtual)) {
            add_part(answer, str_from(settings->sources[i].name));
        }
    }
}

/* The names are copied: settings may change while the answer goes on, its sources may not. */
static void add_configured(struct answer *answer, const struct str *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_part(answer, arena_strdup(answer->arena, names[i]));
    }
}

/* Which sources are searched, in order (whois-queries 7.3). */
static enum err choose_sources(struct answer *answer)
{
    const struct settings *settings = settings_of(answer);
    const struct query *query = &answer->query;
    /* A -s that names nothing is none. */
    bool is_default = query->source_count == 0 && !query_has(query, QF(ALL_SOURCES) | QF(RESOURCE));
    size_t most = settings->source_count + settings->additional_count + query->source_count + 1;

    answer->parts = arena_calloc(answer->arena, most, sizeof(*answer->parts));
    if (answer->parts == NULL) {
        return ERR_LIMIT;
    }
    if (query_has(query, QF(RESOURCE))) {
        add_mirrors(answer, true);
    }
    if (is_default || query_has(query, QF(ALL_SOURCES)) ||
        (query_has(query, QF(RESOURCE)) && answer->part_count == 0)) {
        if (settings->main != NULL) {
            add_configured(answer, &settings->main_name, 1);
        }
    }
    if (query_has(query, QF(ALL_SOURCES))) {
        add_mirrors(answer, false);
    }
    if (is_default || query_has(query, QF(RESOURCE))) {
        add_configured(answer, settings->additional, settings->additional_count);
    }
    for (size_t i = 0; i < query->source_count; i++) {
        add_part(answer, query->sources[i]);
    }
    return ERR_OK;
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
    const struct settings *settings = settings_of(answer);
    const struct query_source *source = current_part(answer)->source;
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
    answer->id = answer->related_id = 0;
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
        settings_of(answer)->is_dummified[part->source - settings_of(answer)->sources];
    print_notes(answer, out);
    if (print_bad_attributes(answer, out) || answer->search.view.snap == NULL) {
        return ERR_OK;
    }
    answer->stage = STAGE_CLASS;
    return begin_search(answer);
}

/* --- objects --- */

/* One list of all classes, which may be long: it is sorted in steps. */
static enum err begin_inverse(struct answer *answer)
{
    enum err rc = search_inverse(&answer->search, &answer->ids);

    if (rc != ERR_OK || answer->ids.count < 2) {
        return rc;
    }
    answer->stage = STAGE_SORT;
    return snapshot_sort_begin(answer->tools->reader, answer->search.view.snap, &answer->ids,
                               answer->arena, &answer->sort);
}

static enum err step_sort(struct answer *answer)
{
    bool is_done;
    enum err rc = snapshot_sort_step(answer->sort, &is_done);

    if (is_done) {
        answer->stage = STAGE_OBJECT;
    }
    return rc;
}

/* Fetch the ids of the next class; an inverse search has one list for all. */
static enum err step_class(struct answer *answer)
{
    enum rpsl_class class;

    answer->ids.count = 0;
    answer->id = 0;
    if (answer->candidates == 0) {
        answer->stage = answer->shown_related.count > 0 ? STAGE_RELATED : STAGE_SOURCE;
        if (answer->shown_related.count > 1) {
            return snapshot_sort(answer->tools->reader, answer->search.view.snap,
                                 &answer->shown_related, answer->arena);
        }
        return ERR_OK;
    }
    answer->stage = STAGE_OBJECT;
    if (query_has(&answer->query, QF(INVERSE))) {
        answer->candidates = 0;
        return begin_inverse(answer);
    }
    class = (enum rpsl_class)__builtin_ctz(answer->candidates);
    answer->candidates &= answer->candidates - 1;
    return search_class(&answer->search, class, &answer->ids);
}

/* With -s on the main data only objects of the named sources are shown. */
static enum err check_source_line(struct answer *answer, struct item *item)
{
    const struct query *query = &answer->query;
    struct str source;
    enum err rc;

    if (!current_part(answer)->source->is_main || query->source_count == 0) {
        return ERR_OK;
    }
    if ((rc = item_parse(&answer->search.view, item)) != ERR_OK) {
        return rc;
    }
    source = item_value(&answer->search.view, item, ATTR_SOURCE);
    for (size_t i = 0; i < query->source_count; i++) {
        if (source.len == 0 || str_eq_nocase(source, query->sources[i])) {
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* Take what is personal from an object that was searched for; what it refers to stays whole, as in
 * the reference. @return ERR_NOT_FOUND when nothing is left to show. */
static enum err remove_personal(struct answer *answer, struct item *item)
{
    const struct view *view = &answer->search.view;
    enum err rc;

    if (!answer->is_dummified) {
        return ERR_OK;
    }
    if ((rc = item_parse(view, item)) != ERR_OK) {
        return rc;
    }
    if (rpsl_is_withheld(&item->object)) {
        return ERR_NOT_FOUND;
    }
    rc = rpsl_dummify(&item->object, current_part(answer)->name, view->scratch, &item->text);
    item->info.flags &= ~(unsigned)OBJECT_LAID_OUT;
    item->is_parsed = false;
    return rc;
}

static bool is_hidden_person(const struct answer *answer, enum rpsl_class class)
{
    return (class == CLASS_PERSON || class == CLASS_ROLE) &&
           query_has(&answer->query, QF(NO_PERSONAL)) &&
           !query_has(&answer->query, QF(SHOW_PERSONAL));
}

/* `% Information related to` and the abuse contact. */
static enum err print_comments(struct answer *answer, struct item *item, struct buf *out)
{
    const struct view *view = &answer->search.view;
    bool has_contact = item->info.class == CLASS_INETNUM || item->info.class == CLASS_INET6NUM ||
                       item->info.class == CLASS_AUT_NUM;
    struct str key, mailbox;
    enum err rc = ERR_OK;

    has_contact = has_contact && current_part(answer)->source->is_main;
    if ((query_has(&answer->query, QF(NO_GROUPING) | QF(PRIMARY_KEYS)) && !has_contact) ||
        (rc = item_key_text(view, item, &key)) != ERR_OK) {
        return rc;
    }
    if (!query_has(&answer->query, QF(NO_GROUPING) | QF(PRIMARY_KEYS))) {
        message_print(out, MSG_RELATED_TO, ARGS(key));
    }
    if (!has_contact) {
        return ERR_OK;
    }
    rc = follow_abuse_contact(view, &settings_of(answer)->abuse, item, &mailbox);
    if (rc == ERR_OK && mailbox.len > 0) {
        message_print(out, MSG_ABUSE_CONTACT, ARGS(key, mailbox));
    } else if (rc == ERR_OK) {
        message_print(out, MSG_NO_ABUSE_CONTACT, ARGS(key));
    }
    return rc;
}

/* --valid-syntax and --no-valid-syntax: a comment in place of the object. */
static enum err replace_by_syntax(struct answer *answer, struct item *item, struct buf *out,
                                  bool *is_replaced)
{
    const struct query *query = &answer->query;
    const struct view *view = &answer->search.view;
    bool wants_valid = query_has(query, QF(VALID_SYNTAX)), is_valid;
    struct str key;
    enum err rc;

    *is_replaced = false;
    if (!query_has(query, QF(VALID_SYNTAX) | QF(NO_VALID_SYNTAX))) {
        return ERR_OK;
    }
    if ((rc = item_parse(view, item)) != ERR_OK ||
        (rc = item_key_text(view, item, &key)) != ERR_OK ||
        (rc = rpsl_check_syntax(&item->object, view->scratch, &is_valid)) != ERR_OK) {
        return rc;
    }
    if (is_valid != wants_valid) {
        message_print(out, is_valid ? MSG_VALID_SYNTAX : MSG_INVALID_SYNTAX, ARGS(key));
        *is_replaced = true;
    }
    return ERR_OK;
}

/* Persons, and roles that are not for complaints only, of the main source, when shown whole. */
static enum err find_personal(const struct answer *answer, struct item *item, bool *is_personal)
{
    const struct query *query = &answer->query;
    bool is_whole = !query_has(query, BRIEF_FLAGS) || query_has(query, QF(BRIEF));
    enum err rc = ERR_OK;

    *is_personal = item->info.class == CLASS_PERSON || item->info.class == CLASS_ROLE;
    *is_personal = *is_personal && is_whole && current_part(answer)->source->is_main;
    if (*is_personal && item->info.class == CLASS_ROLE) {
        rc = item_parse(&answer->search.view, item);
        *is_personal = rc == ERR_OK && rpsl_find(&item->object, ATTR_ABUSE_MAILBOX, 0) == NULL;
    }
    return rc;
}

/* @return ERR_DENIED when a personal object is one too many for today. */
static enum err count_personal(struct answer *answer, struct item *item)
{
    bool is_personal = false;
    enum err rc = ERR_OK;

    if (answer->is_limited) {
        rc = find_personal(answer, item, &is_personal);
    }
    if (rc != ERR_OK || !is_personal) {
        return rc;
    }
    if (answer->personal_count == 0) {
        answer->personal_budget = acl_budget(answer->tools->acl, &answer->accounted);
    }
    answer->personal_count++;
    return answer->personal_count > answer->personal_budget ? ERR_DENIED : ERR_OK;
}

/* One object in the form that was asked for. */
static enum err print_item(struct answer *answer, struct item *item, struct buf *out)
{
    const struct view *view = &answer->search.view;
    const struct query *query = &answer->query;
    struct str mailbox;
    bool printed = true, is_replaced;
    enum err rc = replace_by_syntax(answer, item, out, &is_replaced);

    if (rc != ERR_OK || is_replaced || (rc = count_personal(answer, item)) != ERR_OK) {
        return rc;
    }
    answer->printer.out = out;
    if (query_has(query, QF(ABUSE_CONTACT)) && item->info.class == CLASS_IRT) {
        rc = print_irt_mailboxes(&answer->printer, view, item, &printed);
    } else if (query_has(query, QF(ABUSE_CONTACT))) {
        rc = follow_abuse_contact(view, &settings_of(answer)->abuse, item, &mailbox);
        if (rc == ERR_OK) {
            rc = print_abuse(&answer->printer, view, item, mailbox);
        }
    } else if (query_has(query, QF(PRIMARY_KEYS)) && !query_has(query, QF(BRIEF))) {
        rc = print_keys(&answer->printer, view, item);
    } else {
        rc = print_object(&answer->printer, view, item);
    }
    answer->object_count += rc == ERR_OK && printed;
    return rc;
}

static enum err print_by_id(struct answer *answer, uint32_t id, struct buf *out)
{
    struct item item;
    enum err rc = item_load(&answer->search.view, id, &item);

    if (rc != ERR_OK || is_hidden_person(answer, item.info.class)) {
        return rc;
    }
    return print_item(answer, &item, out);
}

static enum err find_related(struct answer *answer, struct item *item, struct id_list *list)
{
    const struct query *query = &answer->query;
    const struct view *view = &answer->search.view;
    enum err rc = ERR_OK;

    if (!query_has(query, QF(NO_REFERENCED) | QF(BRIEF) | QF(RESOURCE) | BRIEF_FLAGS)) {
        rc = follow_references(view, item, !query_has(query, QF(NO_PERSONAL)), answer->arena, list);
    }
    if (rc == ERR_OK && query_has(query, QF(IRT) | QF(ABUSE_CONTACT)) &&
        !query_has(query, QF(PRIMARY_KEYS)) &&
        (item->info.class == CLASS_INETNUM || item->info.class == CLASS_INET6NUM)) {
        rc = follow_irts(view, item, answer->arena, list);
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

/* The object's companions: behind it, or with -G gathered for the end. */
static enum err print_related(struct answer *answer, struct item *item, struct buf *out)
{
    struct id_list *list = &answer->related;
    enum err rc;

    list->count = 0;
    if ((rc = find_related(answer, item, list)) != ERR_OK || list->count == 0) {
        return rc;
    }
    if (query_has(&answer->query, QF(NO_GROUPING))) {
        return gather_related(answer, list);
    }
    if (list->count > 1) {
        rc = snapshot_sort(answer->tools->reader, answer->search.view.snap, list, answer->arena);
    }
    for (size_t i = 0; i < list->count && rc == ERR_OK; i++) {
        struct arena_mark mark = arena_mark(answer->tools->scratch);

        rc = print_by_id(answer, list->ids[i], out);
        arena_rewind(answer->tools->scratch, mark);
    }
    return rc;
}

static enum err print_primary(struct answer *answer, struct buf *out)
{
    struct item item;
    enum err rc = ERR_OK;

    if (!query_has(&answer->query, QF(INVERSE))) {
        rc = search_order(&answer->search, &answer->ids, answer->id);
    }
    if (rc != ERR_OK ||
        (rc = item_load(&answer->search.view, answer->ids.ids[answer->id++], &item)) != ERR_OK ||
        (rc = search_accepts(&answer->search, &item)) != ERR_OK ||
        (rc = check_source_line(answer, &item)) != ERR_OK ||
        (rc = remove_personal(answer, &item)) != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    if (is_hidden_person(answer, item.info.class)) {
        return ERR_OK;
    }
    if (!query_has(&answer->query, QF(ABUSE_CONTACT))) {
        rc = print_comments(answer, &item, out);
    }
    if (rc != ERR_OK || (rc = print_item(answer, &item, out)) != ERR_OK) {
        return rc;
    }
    return print_related(answer, &item, out);
}

static enum err step_object(struct answer *answer, struct buf *out)
{
    enum err rc;

    if (answer->id == answer->ids.count) {
        answer->stage = STAGE_CLASS;
        return ERR_OK;
    }
    rc = print_primary(answer, out);
    arena_reset(answer->tools->scratch);
    return rc;
}

static enum err step_related(struct answer *answer, struct buf *out)
{
    enum err rc;

    if (answer->related_id == answer->shown_related.count) {
        answer->stage = STAGE_SOURCE;
        return ERR_OK;
    }
    rc = print_by_id(answer, answer->shown_related.ids[answer->related_id++], out);
    arena_reset(answer->tools->scratch);
    return rc;
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
    if (info_is_asked(query)) {
        info_print(settings_of(answer), query, out);
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

    switch (answer->stage) {
    case STAGE_START:
        rc = step_start(answer, out);
        break;
    case STAGE_SOURCE:
        rc = step_source(answer, out);
        break;
    case STAGE_CLASS:
        rc = step_class(answer);
        arena_reset(answer->tools->scratch);
        break;
    case STAGE_SORT:
        rc = step_sort(answer);
        break;
    case STAGE_OBJECT:
        rc = step_object(answer, out);
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
    if (rc != ERR_OK) {
        arena_reset(answer->tools->scratch);
        fail(answer, rc, out);
    }
    return ANSWER_MORE;
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
