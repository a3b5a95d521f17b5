/*
 * The parsers that rows of options name. Each says in one phrase what is allowed.
 */
#include "conf/conf.h"

#define TEN_YEARS_S 315360000

/* A whole number with an optional sign, that is all of text. */
static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
    bool negative = text[0] == '-';
    struct str digits = str_from(negative || text[0] == '+' ? text + 1 : text);
    uint64_t magnitude;

    if (str_to_u64(digits, INT64_MAX, &magnitude) != ERR_OK) {
        return false;
    }
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return *out >= min && *out <= max;
}

static enum err parse_int(const char *text, int min, int max, const char *allowed, int *out,
                          struct why *why)
{
    int64_t value;

    if (!parse_number(text, min, max, &value)) {
        return why_set(why, ERR_SYNTAX, "%s", allowed);
    }
    *out = (int)value;
    return ERR_OK;
}

enum err conf_text(const char *text, void *target, struct arena *arena, struct why *why)
{
    *(const char **)target = text;
    return ERR_OK;
}

enum err conf_bool(const char *text, void *target, struct arena *arena, struct why *why)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        {"true",  true },
        {"false", false},
        {"yes",   true },
        {"no",    false},
        {"on",    true },
        {"off",   false}
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_eq_nocase(str_from(text), str_from(words[i].word))) {
            *(bool *)target = words[i].value;
            return ERR_OK;
        }
    }
    return why_set(why, ERR_SYNTAX, "true or false");
}

enum err conf_port(const char *text, void *target, struct arena *arena, struct why *why)
{
    return parse_int(text, 0, 65535, "a port, 0 to 65535", target, why);
}

enum err conf_int(const char *text, void *target, struct arena *arena, struct why *why)
{
    return parse_int(text, INT32_MIN, INT32_MAX, "a whole number, -2147483648 to 2147483647",
                     target, why);
}

enum err conf_seconds(const char *text, void *target, struct arena *arena, struct why *why)
{
    return parse_int(text, 0, TEN_YEARS_S, "a number of seconds, 0 to 315360000", target, why);
}

enum err conf_bytes(const char *text, void *target, struct arena *arena, struct why *why)
{
    struct str digits = str_from(text);
    uint64_t value, unit = 1;

    if (digits.len > 0) {
        switch (digits.at[digits.len - 1] | 0x20) {
        case 'k':
            unit = (uint64_t)1 << 10;
            break;
        case 'm':
            unit = (uint64_t)1 << 20;
            break;
        case 'g':
            unit = (uint64_t)1 << 30;
            break;
        }
    }
    if (unit > 1) {
        digits = str_trim(str_sub(digits, 0, digits.len - 1));
    }
    if (str_to_u64(digits, INT64_MAX / unit, &value) != ERR_OK) {
        return why_set(why, ERR_SYNTAX, "a number of bytes, with k, m or g behind it if you like");
    }
    *(int64_t *)target = (int64_t)(value * unit);
    return ERR_OK;
}

enum err conf_days(const char *text, void *target, struct arena *arena, struct why *why)
{
    struct str digits = str_from(text);
    uint64_t value, unit = 24 * 60 * 60;
    bool has_unit = true;

    switch (digits.len > 0 ? digits.at[digits.len - 1] | 0x20 : 0) {
    case 'd':
        break;
    case 'h':
        unit = 60 * 60;
        break;
    case 'm':
        unit = 60;
        break;
    case 's':
        unit = 1;
        break;
    default:
        has_unit = false;
    }
    if (has_unit) {
        digits = str_trim(str_sub(digits, 0, digits.len - 1));
    }
    if (str_to_u64(digits, TEN_YEARS_S / unit, &value) != ERR_OK) {
        return why_set(why, ERR_SYNTAX,
                       "a number of days, or with h, m or s behind it of hours, minutes or "
                       "seconds; 10 years at most");
    }
    *(int64_t *)target = (int64_t)(value * unit);
    return ERR_OK;
}

enum err conf_list(const char *text, void *target, struct arena *arena, struct why *why)
{
    struct conf_list *list = target;
    struct str rest = str_from(text), item;
    size_t most = 1;

    for (size_t i = 0; i < rest.len; i++) {
        most += rest.at[i] == ',';
    }
    list->count = 0;
    list->items = arena_calloc(arena, most, sizeof(list->items[0]));
    if (list->items == NULL) {
        return why_set(why, ERR_LIMIT, "a shorter list");
    }
    while (str_split(&rest, ',', &item)) {
        item = str_trim(item);
        if (item.len == 0) {
            continue;
        }
        list->items[list->count] = arena_strdup(arena, item).at;
        if (list->items[list->count] == NULL) {
            return why_set(why, ERR_LIMIT, "a shorter list");
        }
        list->count++;
    }
    return ERR_OK;
}
