/*
 * Finding the attributes of an object, and the clean form of their values.
 * One pass over the lines: a line either begins an attribute or belongs to the one above. Values
 * are slices that end where the next attribute begins, so that the attributes together are the
 * text.
 */
#include "rpsl/object.h"

#include <string.h>

#define ATTRS_AT_FIRST 32 /* Enough for most objects. */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || c == '-' || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '*' || c == '_';
}

size_t rpsl_name_length(struct str line)
{
    size_t i = 0;

    while (i < line.len && is_name_byte(line.at[i])) {
        i++;
    }
    return i < line.len && line.at[i] == ':' ? i : 0;
}

/** Add an attribute whose value runs to the end of the text, for now. */
static bool add_attr(struct rpsl_object *object, size_t *capacity, struct arena *arena,
                     struct str name)
{
    struct rpsl_attr *attr;
    const char *value = name.at + name.len + 1;

    if (object->attr_count == *capacity) {
        size_t grown = *capacity > 0 ? 2 * *capacity : ATTRS_AT_FIRST;
        void *attrs =
            arena_grow(arena, object->attrs, *capacity * sizeof(*attr), grown * sizeof(*attr));

        if (attrs == NULL) {
            return false;
        }
        object->attrs = attrs;
        *capacity = grown;
    }
    attr = &object->attrs[object->attr_count++];
    attr->id = rpsl_attr_by_name(name);
    attr->name = name;
    attr->value = (struct str){value, (size_t)(object->text.at + object->text.len - value)};
    return true;
}

enum err rpsl_parse(struct str text, struct arena *arena, struct rpsl_object *out)
{
    struct rpsl_object object = {.text = text, .class = CLASS_UNKNOWN};
    size_t capacity = 0;

    for (size_t at = 0, end; at < text.len; at = end + 1) {
        const char *line = text.at + at;
        size_t length;

        end = str_find(text, '\n', at);
        if (object.attr_count > 0 && (*line == ' ' || *line == '\t' || *line == '+')) {
            continue;
        }
        length = rpsl_name_length((struct str){line, end - at});
        if (length == 0 && object.attr_count == 0) {
            return ERR_SYNTAX;
        }
        if (length == 0) {
            object.stray_lines++;
            continue;
        }
        if (object.attr_count > 0) {
            struct str *open = &object.attrs[object.attr_count - 1].value;

            open->len = (size_t)(line - 1 - open->at);
        }
        if (!add_attr(&object, &capacity, arena, (struct str){line, length})) {
            return ERR_LIMIT;
        }
    }
    if (object.attr_count == 0) {
        return ERR_SYNTAX;
    }
    if (text.at[text.len - 1] == '\n') {
        object.attrs[object.attr_count - 1].value.len--;
    }
    object.class = rpsl_class_by_name(object.attrs[0].name);
    *out = object;
    return ERR_OK;
}

const struct rpsl_attr *rpsl_find(const struct rpsl_object *object, enum rpsl_attr_id id,
                                  size_t from)
{
    for (size_t i = from; i < object->attr_count; i++) {
        if (object->attrs[i].id == id) {
            return &object->attrs[i];
        }
    }
    return NULL;
}

struct str rpsl_trim(struct str line)
{
    while (line.len > 0 && rpsl_is_blank(line.at[0])) {
        line = str_sub(line, 1, line.len);
    }
    while (line.len > 0 && rpsl_is_blank(line.at[line.len - 1])) {
        line.len--;
    }
    return line;
}

/** Whether a trimmed value is its own clean form: one line, no comment, single blanks. */
static bool is_clean(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];

        if (c <= '#' && (c == '\n' || c == '\t' || c == '\r' || c == '#' ||
                         (c == ' ' && value.at[i + 1] == ' '))) {
            return false; /* A blank is never the last byte of a trimmed value. */
        }
    }
    return true;
}

struct str rpsl_clean_value(struct str value, struct arena *arena)
{
    struct str clean = rpsl_trim(value);
    char *to;
    bool in_comment = false, blank = false;

    if (is_clean(clean)) {
        return clean;
    }
    to = arena_alloc(arena, value.len);
    if (to == NULL) {
        return (struct str){NULL, 0};
    }
    clean = (struct str){to, 0};
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];

        if (c == '\n') {
            in_comment = false;
            blank = true;
            if (i + 1 < value.len && value.at[i + 1] == '+') {
                i++;
            }
        } else if (c == '#') {
            in_comment = true;
        } else if (rpsl_is_blank(c)) {
            blank = true;
        } else if (!in_comment) {
            if (blank && clean.len > 0) {
                to[clean.len++] = ' ';
            }
            blank = false;
            to[clean.len++] = c;
        }
    }
    return clean;
}
