/*
 * Any bytes as an object: parsed, keyed, indexed, laid out. Attributes must tile the text, forms
 * that are called canonical, folded or laid out must be so when made again, and charsets must go
 * there and back.
 */
#include "fuzz.h"
#include "rpsl/object.h"

#include <stdlib.h>

#include "rpsl/charset.h"
#include "rpsl/fold.h"
#include "rpsl/layout.h"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_attributes(const struct rpsl_object *object, struct arena *arena)
{
    const char *at = object->text.at, *end = at + object->text.len;

    require(object->attr_count > 0);
    for (size_t i = 0; i < object->attr_count; i++) {
        const struct rpsl_attr *attr = &object->attrs[i];
        struct str clean = rpsl_clean_value(attr->value, arena);

        require(attr->name.at == at && attr->name.len > 0);
        require(attr->value.at == at + attr->name.len + 1 && attr->value.at[-1] == ':');
        at = attr->value.at + attr->value.len;
        require(at == end || *at == '\n');
        at += at < end;

        require(clean.at != NULL && clean.len <= attr->value.len);
        require(str_find(clean, '\n', 0) == clean.len && str_find(clean, '#', 0) == clean.len);
        require(str_eq(rpsl_clean_value(clean, arena), clean));
    }
    require(at == end);
}

static void check_key(const struct rpsl_object *object, struct arena *arena)
{
    struct rpsl_key key;
    struct ip_range range;
    enum rpsl_range_kind kind;
    enum err rc = rpsl_object_key(object, arena, &key);

    if (rc != ERR_OK) {
        require(rc == ERR_SYNTAX);
        return;
    }
    require(key.class == object->class && key.text.len > 0);
    require(str_eq(rpsl_canonical_key(key.class, key.text, arena), key.canonical));
    require(str_eq(rpsl_canonical_key(key.class, key.canonical, arena), key.canonical));
    kind = rpsl_object_range(&key, &range);
    if (kind != RANGE_NONE) {
        require(range.begin <= range.end);
        require(range.is_v6 == rpsl_range_is_wide(kind));
        require(range.is_v6 || range.end <= UINT32_MAX);
    }
}

static bool check_value(void *context, unsigned index_attr, struct str folded)
{
    require(index_attr > ATTR_UNKNOWN && index_attr < INDEX_ATTR_COUNT);
    require(folded.len > 0 && str_eq(rpsl_fold(folded, context), folded));
    return true;
}

static void check_layout(const struct rpsl_object *object, struct arena *arena)
{
    struct buf once = {0}, twice = {0};
    struct rpsl_object again;

    for (size_t i = 0; i < object->attr_count; i++) {
        rpsl_layout_attr(&object->attrs[i], &once);
    }
    require(rpsl_is_laid_out(buf_str(&once)));
    require(rpsl_parse(buf_str(&once), arena, &again) == ERR_OK);
    require(again.attr_count == object->attr_count && again.stray_lines == 0);
    for (size_t i = 0; i < again.attr_count; i++) {
        rpsl_layout_attr(&again.attrs[i], &twice);
    }
    require(str_eq(buf_str(&once), buf_str(&twice)));
    require(rpsl_is_laid_out(object->text) ==
            (str_eq(object->text, buf_str(&once)) ||
             str_eq(object->text, str_sub(buf_str(&once), 0, once.len - 1))));

    buf_clear(&once);
    for (size_t i = 0; i < object->attr_count; i++) {
        rpsl_layout_attr_short(&object->attrs[i], &once);
    }
    require(!str_contains(buf_str(&once), STR("\n\n"))); /* Would end the object. */
    buf_free(&once);
    buf_free(&twice);
}

static void check_charset(struct str raw)
{
    struct buf utf8 = {0}, back = {0};
    bool was_wrong;
    struct str stored = charset_to_utf8(raw, CHARSET_LATIN1, &utf8, &was_wrong);

    require(!was_wrong && utf8_is_valid(stored));
    utf8_encode(stored, CHARSET_LATIN1, &back);
    require(str_eq(buf_str(&back), raw));
    stored = charset_to_utf8(raw, CHARSET_UTF8, &utf8, &was_wrong);
    require(was_wrong == !utf8_is_valid(raw) && utf8_is_valid(stored));
    buf_free(&utf8);
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena *arena = arena_new((size_t)1 << 30);
    struct rpsl_object object;
    enum err rc = rpsl_parse(text, arena, &object);

    if (rc == ERR_OK) {
        check_attributes(&object, arena);
        check_key(&object, arena);
        require(rpsl_index_values(&object, arena, check_value, arena) == ERR_OK);
        check_layout(&object, arena);
    } else {
        require(rc == ERR_SYNTAX);
    }
    check_charset(text);
    arena_free(arena);
    return 0;
}
