/*
 * Histories of all classes that had the key are fetched first; what the argument of the flag says
 * is looked at only when there is an object to apply it to, as in the reference. Texts pass the
 * filters of printing before they are shown or compared.
 */
#include "query/versions.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "query/diff.h"
#include "query/print.h"

#define MEMORY_MAX     ((size_t)256 << 20) /* Two texts of 20 MB, their attributes, their lines. */
#define PERSON_CLASSES (CLASS_BIT(CLASS_PERSON) | CLASS_BIT(CLASS_ROLE))

/* --- life --- */

struct version_query *version_query_new(const struct query_source *source,
                                        const struct query *query, const struct search_key *key,
                                        const struct verdict *verdict)
{
    struct version_query *out = calloc(1, sizeof(*out));

    if (out == NULL) {
        return NULL;
    }
    out->source = source;
    out->arena = arena_new(MEMORY_MAX);
    /* Without -T what had the key decides, whatever else the key may look like. */
    out->is_by_class = query->classes != 0;
    out->classes = out->is_by_class ? verdict->candidates : ALL_CLASSES;
    out->charset = verdict->charset;
    out->flag = query_has(query, QF(LIST_VERSIONS))  ? FLAG_LIST_VERSIONS
                : query_has(query, QF(SHOW_VERSION)) ? FLAG_SHOW_VERSION
                                                     : FLAG_DIFF_VERSIONS;
    if (out->flag != FLAG_LIST_VERSIONS) { /* Which has none. */
        out->argument = query_value(query, out->flag);
    }
    out->argument.text = arena_strdup(out->arena, out->argument.text);
    out->key = arena_strdup(out->arena, key->value);
    return out;
}

void version_query_free(struct version_query *query)
{
    if (query == NULL) {
        return;
    }
    buf_free(&query->text);
    arena_free(query->arena);
    free(query);
}

/* --- outcomes --- */

/* An error that is the whole answer. @return ERR_SYNTAX: nothing else is printed. */
static enum err reject(struct version_query *query, enum message message, struct str argument)
{
    buf_clear(&query->text);
    message_print(&query->text, message, ARGS(argument));
    query->ends_answer = true;
    return ERR_SYNTAX;
}

static void fail(struct version_query *query, enum message message, const char *why)
{
    buf_clear(&query->text);
    message_print(&query->text, message, ARGS(str_from(query->source->name)));
    query->must_close = query->ends_answer = true;
    query->failure = why;
}

void version_query_refuse(struct version_query *query)
{
    fail(query, MSG_VERSIONS_BUSY, "too many version queries");
    query->is_done = true;
}

struct version_query *version_query_late(const struct query_source *source)
{
    struct version_query *query = calloc(1, sizeof(*query));

    if (query == NULL) {
        abort();
    }
    query->source = source;
    fail(query, MSG_VERSIONS_UNAVAILABLE, "no answer from the database");
    query->is_done = true;
    return query;
}

/* --- pieces of text --- */

static struct str time_text(const struct version_query *query, uint32_t timestamp)
{
    char text[32];
    time_t seconds = timestamp;
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return arena_strdup(query->arena, str_from(text));
}

static struct str number_text(const struct version_query *query, uint64_t number)
{
    return arena_printf(query->arena, "%" PRIu64, number);
}

/* `AUT-NUM` */
static struct str class_text(const struct version_query *query, enum rpsl_class class)
{
    struct str name = arena_strdup(query->arena, str_from(rpsl_class_info(class)->name));

    for (size_t i = 0; i < name.len; i++) {
        ((char *)name.at)[i] = (char)toupper((unsigned char)name.at[i]);
    }
    return name;
}

static enum err load_version(struct version_query *query, const struct object_version *version,
                             enum rpsl_class class, struct item *out, struct str *key)
{
    const struct view view = {.scratch = query->arena};
    struct why why = {""};
    enum err rc;

    *out = (struct item){.info = {.class = class}};
    rc = query->source->versions->text(query->source->context, version, query->arena, &out->text,
                                       &why);
    if (rc != ERR_OK) {
        log_error(LOG_QUERY, "source %s: version %u of object_id %u: %s", query->source->name,
                  version->sequence, version->object_id, why.text);
        return rc;
    }
    return item_key_text(&view, out, key);
}

/* A version as it may be shown, and the empty line behind it. */
static enum err print_version(struct version_query *query, struct item *item, enum charset charset,
                              struct buf *out)
{
    const struct view view = {.scratch = query->arena};
    struct buf utf8 = {0};
    const struct printer printer = {
        .out = out,
        .utf8 = &utf8,
        .charset = charset,
        .filters_email = true,
        .hides_contacts = true,
    };
    enum err rc = print_object(&printer, &view, item);

    buf_free(&utf8);
    return rc;
}

/* --- the flags' arguments --- */

static enum err check_repetition(struct version_query *query)
{
    if (query->argument.short_uses + query->argument.long_uses <= 1) {
        return ERR_OK;
    }
    return reject(query, MSG_FLAG_TWICE,
                  arena_printf(query->arena, "--%s", flag_infos[query->flag].name));
}

/* A 32-bit number as the reference's language reads one: with an optional sign. */
static bool read_number(struct str text, int64_t *out)
{
    const bool has_sign = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+');
    uint64_t value;

    if (str_to_u64(str_sub(text, has_sign, text.len), (uint64_t)INT_MAX + 1, &value) != ERR_OK) {
        return false;
    }
    *out = has_sign && text.at[0] == '-' ? -(int64_t)value : (int64_t)value;
    return *out <= INT_MAX;
}

/* Whether an object has this version. That it has not is said of this object only: another one may
 * have it. */
static bool has_version(struct version_query *query, const struct history *history, size_t number)
{
    if (number > history->count) {
        message_print(&query->text, MSG_NO_SUCH_VERSION, ARGS(number_text(query, history->count)));
    }
    return number <= history->count;
}

/* --show-version */
static enum err read_version(struct version_query *query, size_t *out)
{
    int64_t number;
    enum err rc = check_repetition(query);

    if (rc != ERR_OK) {
        return rc;
    }
    if (!read_number(query->argument.text, &number)) {
        return reject(query, MSG_BAD_OPTION, STR(""));
    }
    if (number < 1) {
        return reject(query, MSG_BAD_OPTION_VALUE,
                      STR("version flag number must be greater than 0"));
    }
    *out = (size_t)number;
    return ERR_OK;
}

/* Cut `a:b`; empty pieces do not count. */
static bool cut_pair(struct str text, struct str pair[2])
{
    struct str piece;
    size_t count = 0;

    while (str_split(&text, ':', &piece)) {
        if (piece.len > 0 && count++ < 2) {
            pair[count - 1] = piece;
        }
    }
    return count == 2;
}

/* --diff-versions */
static enum err read_two_versions(struct version_query *query, size_t out[2])
{
    struct str pair[2];
    int64_t a, b;
    enum err rc = check_repetition(query);

    if (rc != ERR_OK) {
        return rc;
    }
    if (!cut_pair(query->argument.text, pair)) {
        return reject(query, MSG_BAD_OPTION_VALUE, STR("diff versions must be in the format a:b"));
    }
    if (!read_number(pair[0], &a) || !read_number(pair[1], &b)) {
        return reject(query, MSG_BAD_OPTION_VALUE, STR("diff version must be a number"));
    }
    if (a < 1 || b < 1) {
        return reject(query, MSG_BAD_OPTION_VALUE,
                      STR("diff version number must be greater than 0"));
    }
    if (a == b) {
        return reject(query, MSG_BAD_OPTION_VALUE, STR("diff versions are the same"));
    }
    out[0] = (size_t)a;
    out[1] = (size_t)b;
    return ERR_OK;
}

/* --- the three answers --- */

static void print_history_head(struct version_query *query, const struct history *history)
{
    message_print(&query->text, MSG_VERSION_HISTORY,
                  ARGS(class_text(query, history->class), query->key));
    if (history->deleted != 0) {
        message_print(&query->text, MSG_VERSION_DELETED, ARGS(time_text(query, history->deleted)));
    }
}

static enum err list_versions(struct version_query *query, const struct history *history)
{
    struct buf *out = &query->text;
    const int width = snprintf(NULL, 0, "%04zu", history->count);

    print_history_head(query, history);
    buf_printf(out, "%-*s  %-16s  %-7s\n\n", width, "rev#", "Date", "Op.");
    for (size_t i = 0; i < history->count; i++) {
        struct arena_mark mark = arena_mark(query->arena);

        buf_printf(out, "%-*zu  %-16.*s  %-7s\n", width, i + 1,
                   STR_ARG(time_text(query, history->versions[i].timestamp)), "ADD/UPD");
        arena_rewind(query->arena, mark);
    }
    buf_add_char(out, '\n');
    return ERR_OK;
}

static enum err show_version(struct version_query *query, const struct history *history)
{
    const struct object_version *version;
    struct item item;
    struct str key;
    size_t number = 0;
    enum err rc = read_version(query, &number);

    if (rc != ERR_OK || !has_version(query, history, number)) {
        return rc;
    }
    version = &history->versions[number - 1];
    rc = load_version(query, version, history->class, &item, &key);
    if (rc != ERR_OK) {
        return rc;
    }
    message_print(&query->text, MSG_VERSION_SHOWN,
                  ARGS(number_text(query, number),
                       number == history->count ? STR("(current version) ") : STR(""), key,
                       time_text(query, version->timestamp)));
    return print_version(query, &item, query->charset, &query->text);
}

static enum err print_difference(struct version_query *query, struct item items[2])
{
    struct buf before = {0}, after = {0}, difference = {0};
    enum err rc = print_version(query, &items[0], CHARSET_UTF8, &before);

    if (rc == ERR_OK) {
        rc = print_version(query, &items[1], CHARSET_UTF8, &after);
    }
    if (rc == ERR_OK) { /* Without the empty line behind the objects. */
        rc = diff_unified(str_sub(buf_str(&before), 0, before.len - 1),
                          str_sub(buf_str(&after), 0, after.len - 1), query->arena, &difference);
    }
    if (rc == ERR_OK) {
        utf8_encode(buf_str(&difference), query->charset, &query->text);
        buf_add_char(&query->text, '\n');
    }
    buf_free(&before);
    buf_free(&after);
    buf_free(&difference);
    return rc;
}

static enum err show_difference(struct version_query *query, const struct history *history)
{
    struct item items[2];
    struct str keys[2];
    size_t numbers[2];
    enum err rc = read_two_versions(query, numbers);

    if (rc != ERR_OK ||
        !has_version(query, history, numbers[0] > numbers[1] ? numbers[0] : numbers[1])) {
        return rc;
    }
    for (int i = 0; i < 2 && rc == ERR_OK; i++) {
        rc = load_version(query, &history->versions[numbers[i] - 1], history->class, &items[i],
                          &keys[i]);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    message_print(&query->text, MSG_VERSION_DIFFERENCE,
                  ARGS(number_text(query, numbers[0]), number_text(query, numbers[1]), keys[0]));
    return print_difference(query, items);
}

/* --- running --- */

static enum err answer_history(struct version_query *query, const struct history *history)
{
    if (history->count == 0) { /* Deleted: that is all there is to say. */
        print_history_head(query, history);
        return ERR_OK;
    }
    switch (query->flag) {
    case FLAG_SHOW_VERSION:
        return show_version(query, history);
    case FLAG_DIFF_VERSIONS:
        return show_difference(query, history);
    default:
        return list_versions(query, history);
    }
}

static bool is_personal(const struct history *history)
{
    return (CLASS_BIT(history->class) & PERSON_CLASSES) != 0;
}

/* Without -T objects of several classes come in the order of the classes' names. */
static void order_by_name(struct history_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        const struct history moved = list->at[i];
        const char *name = rpsl_class_info(moved.class)->name;
        size_t to = i;

        for (; to > 0 && strcmp(rpsl_class_info(list->at[to - 1].class)->name, name) > 0; to--) {
            list->at[to] = list->at[to - 1];
        }
        list->at[to] = moved;
    }
}

/* Persons and roles have no versions to show; unless -T names them, they are mentioned only when
 * nothing else was found. */
static enum err answer_histories(struct version_query *query, struct history_list *list)
{
    bool has_others = false;
    enum err rc = ERR_OK;

    if (!query->is_by_class) {
        order_by_name(list);
    }
    for (size_t i = 0; i < list->count; i++) {
        has_others = has_others || !is_personal(&list->at[i]);
    }
    for (size_t i = 0; i < list->count && rc == ERR_OK; i++) {
        if (!is_personal(&list->at[i])) {
            rc = answer_history(query, &list->at[i]);
        } else if (query->is_by_class || !has_others) {
            message_print(&query->text, MSG_NO_PERSON_HISTORY,
                          ARGS(class_text(query, list->at[i].class), query->key));
        }
    }
    return rc;
}

void version_query_run(struct version_query *query)
{
    struct history_list list = {0};
    struct why why = {""};
    enum err rc = ERR_OK;

    if (query->key.at == NULL || query->argument.text.at == NULL) {
        rc = ERR_LIMIT;
    } else if (query->source->versions != NULL) {
        rc = query->source->versions->find(query->source->context, query->classes, query->key,
                                           query->arena, &list, &why);
        if (rc != ERR_OK && rc != ERR_LIMIT) {
            log_warn(LOG_QUERY, "source %s: versions cannot be read: %s", query->source->name,
                     why.text);
        }
    }
    query->found = list.count > 0;
    if (rc == ERR_OK) {
        rc = answer_histories(query, &list);
    }
    if (rc == ERR_LIMIT) {
        fail(query, MSG_ANSWER_TOO_LARGE, "too large");
    } else if (rc != ERR_OK && rc != ERR_SYNTAX) {
        fail(query, MSG_VERSIONS_UNAVAILABLE, err_text(rc));
    }
    query->is_done = true;
}
