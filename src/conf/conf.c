/*
 * A parsed file is an array of entries sorted by key. `${}` is replaced when a value is first asked
 * for: a bad reference in a key nobody needs does no harm. Each entry is expanded once and
 * remembers the outcome, so that the work stays linear whatever refers to what.
 */
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/properties.h"

#define MAX_FILE_BYTES  ((size_t)1 << 20)
#define MAX_VALUE_BYTES ((size_t)64 << 10)
#define MAX_NESTING     32

struct entry {
    const char *key;
    const char *raw;   /* As in the file. */
    const char *value; /* Expanded and trimmed; NULL before, and when that failed. */
    struct why *problem;
    int line;
    bool is_expanding;
    bool is_known;
};

struct conf {
    char *name;
    struct arena *arena;
    struct entry *entries; /* Sorted by key, each key once. */
    size_t count;
};

static enum err expand(struct conf *conf, struct str text, int depth, struct buf *out,
                       struct why *why);

/* --- looking up --- */

static int cmp_key_to_entry(const void *key, const void *entry)
{
    return strcmp(key, ((const struct entry *)entry)->key);
}

static struct entry *find(const struct conf *conf, const char *key)
{
    if (conf->count == 0) {
        return NULL;
    }
    return bsearch(key, conf->entries, conf->count, sizeof(conf->entries[0]), cmp_key_to_entry);
}

/* --- substitution --- */

static enum err expand_entry(struct conf *conf, struct entry *entry, int depth, struct why *why)
{
    struct buf expanded = {0};
    struct why what = {0};
    enum err rc;

    entry->is_known = true;
    if (entry->value != NULL) {
        return ERR_OK;
    }
    if (entry->problem != NULL) {
        *why = *entry->problem;
        return ERR_SYNTAX;
    }
    if (entry->is_expanding) {
        return why_set(why, ERR_SYNTAX, "${%s} refers to itself", entry->key);
    }
    entry->is_expanding = true;
    rc = expand(conf, str_from(entry->raw), depth + 1, &expanded, &what);
    entry->is_expanding = false;
    if (rc == ERR_OK) {
        entry->value = arena_strdup(conf->arena, str_trim(buf_str(&expanded))).at;
    }
    if (entry->value == NULL) {
        if (rc == ERR_OK) {
            why_set(&what, ERR_LIMIT, "the values together are too large");
        }
        entry->problem = arena_alloc(conf->arena, sizeof(what));
        if (entry->problem != NULL) {
            *entry->problem = what;
        }
        *why = what;
        rc = ERR_SYNTAX;
    }
    buf_free(&expanded);
    return rc;
}

static enum err expand_variable(struct conf *conf, const char *name, struct str fallback, int depth,
                                struct buf *out, struct why *why)
{
    struct entry *entry = find(conf, name);
    const char *environment;

    if (entry != NULL) {
        enum err rc = expand_entry(conf, entry, depth, why);

        if (rc == ERR_OK) {
            buf_add_str(out, str_from(entry->value));
        }
        return rc;
    }
    environment = getenv(name);
    if (environment != NULL) {
        buf_add_str(out, str_from(environment));
        return ERR_OK;
    }
    if (fallback.at == NULL) {
        return why_set(why, ERR_SYNTAX, "${%s} is neither a key nor in the environment", name);
    }
    return expand(conf, fallback, depth + 1, out, why);
}

/* Replace `name:default`, the inside of a `${}`; the name may itself hold a `${}`. */
static enum err expand_reference(struct conf *conf, struct str inside, int depth, struct buf *out,
                                 struct why *why)
{
    struct buf name = {0};
    struct str fallback = {NULL, 0};
    size_t colon = 0;
    int braces = 0;
    enum err rc;

    while (colon < inside.len && (inside.at[colon] != ':' || braces > 0)) {
        braces += (inside.at[colon] == '{') - (inside.at[colon] == '}');
        colon++;
    }
    if (colon < inside.len) {
        fallback = str_sub(inside, colon + 1, inside.len);
    }
    rc = expand(conf, str_sub(inside, 0, colon), depth + 1, &name, why);
    if (rc == ERR_OK) {
        buf_add_char(&name, '\0');
        rc = expand_variable(conf, name.at, fallback, depth, out, why);
    }
    buf_free(&name);
    return rc;
}

/* @return Index of the brace that closes the one just before `from`, or s.len. */
static size_t find_closing_brace(struct str s, size_t from)
{
    int braces = 1;

    for (size_t i = from; i < s.len; i++) {
        braces += (s.at[i] == '{') - (s.at[i] == '}');
        if (braces == 0) {
            return i;
        }
    }
    return s.len;
}

static enum err expand(struct conf *conf, struct str text, int depth, struct buf *out,
                       struct why *why)
{
    if (depth > MAX_NESTING) {
        return why_set(why, ERR_SYNTAX, "${} nested more than %d deep", MAX_NESTING);
    }
    while (text.len > 0) {
        size_t dollar = 0, end;
        enum err rc;

        while (dollar < text.len && !str_starts(str_sub(text, dollar, text.len), STR("${"))) {
            dollar++;
        }
        buf_add(out, text.at, dollar);
        if (dollar == text.len) {
            break;
        }
        end = find_closing_brace(text, dollar + 2);
        if (end == text.len) {
            return why_set(why, ERR_SYNTAX, "${ without }");
        }
        rc = expand_reference(conf, str_sub(text, dollar + 2, end), depth, out, why);
        if (rc != ERR_OK) {
            return rc;
        }
        if (out->len > MAX_VALUE_BYTES) {
            return why_set(why, ERR_SYNTAX, "longer than %zu bytes", MAX_VALUE_BYTES);
        }
        text = str_sub(text, end + 1, text.len);
    }
    return ERR_OK;
}

/* --- reading --- */

static int cmp_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = strcmp(a->key, b->key);

    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* Sort, and of equal keys keep the one that came last. */
static void sort_entries(struct conf *conf)
{
    size_t kept = 0;

    if (conf->count == 0) {
        return;
    }
    qsort(conf->entries, conf->count, sizeof(conf->entries[0]), cmp_entries);
    for (size_t i = 1; i < conf->count; i++) {
        const struct entry *earlier = &conf->entries[kept], *entry = &conf->entries[i];

        if (strcmp(earlier->key, entry->key) == 0) {
            log_warn(LOG_MAIN, "%s line %d: %s stands already on line %d; the later one counts",
                     conf->name, entry->line, log_quote(str_from(entry->key)).text, earlier->line);
        } else {
            kept++;
        }
        conf->entries[kept] = *entry;
    }
    conf->count = kept + 1;
}

static enum err parse_into(struct conf *conf, struct str text, struct why *why)
{
    struct buf entries = {0};
    struct property property;
    struct why what;
    int line = 0;
    enum err rc;

    if (str_starts(text, STR("\xef\xbb\xbf"))) {
        text = str_sub(text, 3, text.len); /* The byte order mark of Windows editors. */
    }
    while ((rc = properties_next(&text, &line, conf->arena, &property, &what)) == ERR_OK) {
        struct entry entry = {.key = property.key, .raw = property.value, .line = property.line};

        buf_add(&entries, &entry, sizeof(entry));
        conf->count++;
    }
    conf->entries = (struct entry *)entries.at;
    if (rc != ERR_NOT_FOUND) {
        return why_set(why, rc, "%s %s", conf->name, what.text);
    }
    sort_entries(conf);
    return ERR_OK;
}

enum err conf_parse(struct str text, const char *name, struct conf **out, struct why *why)
{
    struct conf *conf;
    enum err rc;

    if (text.len > MAX_FILE_BYTES) {
        return why_set(why, ERR_LIMIT, "%s: larger than %zu bytes", name, MAX_FILE_BYTES);
    }
    conf = calloc(1, sizeof(*conf));
    if (conf == NULL) {
        abort();
    }
    conf->name = str_dup(str_from(name));
    conf->arena = arena_new(MAX_FILE_BYTES * 64);
    rc = parse_into(conf, text, why);
    if (rc != ERR_OK) {
        conf_free(conf);
        return rc;
    }
    *out = conf;
    return ERR_OK;
}

enum err conf_read(const char *path, struct conf **out, struct why *why)
{
    struct buf text = {0};
    FILE *file = fopen(path, "re");
    size_t got = 1;
    enum err rc;

    if (file == NULL) {
        return why_set(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    }
    while (got > 0 && text.len <= MAX_FILE_BYTES) {
        buf_reserve(&text, 16384);
        got = fread(text.at + text.len, 1, 16384, file);
        text.len += got;
    }
    rc = ferror(file) ? why_set(why, ERR_IO, "cannot read %s: %s", path, strerror(errno))
                      : conf_parse(buf_str(&text), path, out, why);
    fclose(file);
    buf_free(&text);
    return rc;
}

void conf_free(struct conf *conf)
{
    if (conf == NULL) {
        return;
    }
    free(conf->entries);
    arena_free(conf->arena);
    free(conf->name);
    free(conf);
}

/* --- using --- */

static enum err apply_value(struct conf *conf, const struct conf_key *key, struct entry *entry,
                            void *field, struct why *why)
{
    struct why what = {0};
    enum err rc = expand_entry(conf, entry, 0, &what);

    if (rc != ERR_OK) {
        return why_set(why, rc, "%s line %d: %s: %s", conf->name, entry->line, entry->key,
                       what.text);
    }
    rc = key->parse(entry->value, field, conf->arena, &what);
    if (rc != ERR_OK) {
        return why_set(why, rc, "%s line %d: %s: %s: allowed is %s", conf->name, entry->line,
                       entry->key, log_quote(str_from(entry->value)).text, what.text);
    }
    return ERR_OK;
}

static enum err apply_default(struct conf *conf, const struct conf_key *key, const char *name,
                              void *field, struct why *why)
{
    struct why what = {0};
    enum err rc;

    if (key->default_text == NULL) {
        return ERR_OK;
    }
    rc = key->parse(key->default_text, field, conf->arena, &what);
    if (rc != ERR_OK) {
        return why_set(why, rc, "default of %s: %s: allowed is %s", name, key->default_text,
                       what.text);
    }
    return ERR_OK;
}

static void put_instance(const char *name, const char *instance, struct buf *out)
{
    struct str rest = str_from(name), before;

    str_split(&rest, '*', &before);
    buf_clear(out);
    buf_add_str(out, before);
    if (rest.at != NULL && instance != NULL) {
        buf_add_str(out, str_from(instance));
        buf_add_str(out, rest);
    }
    buf_add_char(out, '\0');
}

enum err conf_apply(struct conf *conf, const struct conf_key *keys, const char *instance,
                    void *target, struct why *why)
{
    struct buf name = {0};
    enum err rc = ERR_OK;

    for (const struct conf_key *key = keys; key->name != NULL && rc == ERR_OK; key++) {
        void *field = (char *)target + key->offset;
        struct entry *entry;

        put_instance(key->name, instance, &name);
        entry = find(conf, name.at);
        rc = entry != NULL ? apply_value(conf, key, entry, field, why)
                           : apply_default(conf, key, name.at, field, why);
    }
    buf_free(&name);
    return rc;
}

const char *conf_get(struct conf *conf, const char *key)
{
    struct entry *entry = find(conf, key);
    struct why what = {0};

    if (entry != NULL && expand_entry(conf, entry, 0, &what) != ERR_OK) {
        log_warn(LOG_MAIN, "%s line %d: %s is left out: %s", conf->name, entry->line, key,
                 what.text);
    }
    return entry != NULL ? entry->value : NULL;
}

void conf_ignore(struct conf *conf, const char *key)
{
    struct str pattern = str_from(key);
    bool is_prefix = pattern.len > 0 && key[pattern.len - 1] == '*';

    if (is_prefix) {
        pattern.len--;
    }
    for (size_t i = 0; i < conf->count; i++) {
        struct str name = str_from(conf->entries[i].key);

        if (is_prefix ? str_starts(name, pattern) : str_eq(name, pattern)) {
            conf->entries[i].is_known = true;
        }
    }
}

size_t conf_warn_unknown(const struct conf *conf)
{
    size_t unknown = 0;

    for (size_t i = 0; i < conf->count; i++) {
        const struct entry *entry = &conf->entries[i];

        if (!entry->is_known) {
            log_warn(LOG_MAIN, "%s line %d: unknown key %s", conf->name, entry->line,
                     log_quote(str_from(entry->key)).text);
            unknown++;
        }
    }
    return unknown;
}
