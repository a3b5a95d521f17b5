/*
 * Any bytes as the value of any attribute, and as any policy: a verdict, whatever blanks and
 * letters' cases there are. The first two bytes choose class and attribute. As an object: a
 * verdict, and what is left of it without personal data.
 */
#include "fuzz.h"
#include "rpsl/dummify.h"
#include "rpsl/policy.h"
#include "rpsl/syntax.h"

#include <stdlib.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/** The text with its ASCII letters in the other case. */
static void swap_case(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        buf_add_char(out, is_letter ? (char)(c ^ 0x20) : c);
    }
}

/* The salt and hash of a password are the only text whose case says something, but not here. */
static void check_value(enum rpsl_class class, enum rpsl_attr_id attr, struct str value)
{
    struct buf other = {0};
    bool is_valid = rpsl_value_is_valid(class, attr, value);

    swap_case(value, &other);
    require(rpsl_value_is_valid(class, attr, buf_str(&other)) == is_valid);
    buf_free(&other);
}

static void check_policies(struct str value)
{
    struct buf spaced = {0};

    buf_add_str(&spaced, STR("  "));
    buf_add_str(&spaced, value);
    buf_add_char(&spaced, ' ');
    for (unsigned policy = 0; policy < POLICY_COUNT; policy++) {
        require(policy_is_valid((enum policy)policy, value) ==
                policy_is_valid((enum policy)policy, buf_str(&spaced)));
    }
    /* What IPv4 alone allows is right where both are. */
    require(!policy_is_valid(POLICY_FILTER, value) || policy_is_valid(POLICY_MP_FILTER, value));
    require(!policy_is_valid(POLICY_PEERING, value) || policy_is_valid(POLICY_MP_PEERING, value));
    require(!policy_is_valid(POLICY_IMPORT, value) || policy_is_valid(POLICY_MP_IMPORT, value));
    require(!policy_is_valid(POLICY_EXPORT, value) || policy_is_valid(POLICY_MP_EXPORT, value));
    require(!policy_is_valid(POLICY_DEFAULT, value) || policy_is_valid(POLICY_MP_DEFAULT, value));
    buf_free(&spaced);
}

static struct str dummify(struct str text, struct arena *arena, struct rpsl_object *object)
{
    struct str out;

    require(rpsl_parse(text, arena, object) == ERR_OK);
    require(rpsl_dummify(object, STR("RIPE"), arena, &out) == ERR_OK);
    return out;
}

/** Without personal data it is an object of the same class. Once it has a source whose remarks are
 * known, it stays as it is. */
static void check_dummified(const struct rpsl_object *object, struct arena *arena)
{
    struct rpsl_object again;
    struct str once = dummify(object->text, arena, &again), twice = dummify(once, arena, &again);

    require(again.class == object->class && again.attr_count <= object->attr_count + 7);
    require(str_eq(dummify(twice, arena, &again), twice));
}

/** The whole input as an object. */
static void check_object(struct str text, struct arena *arena)
{
    struct rpsl_object object;
    bool is_valid;

    if (rpsl_parse(text, arena, &object) == ERR_OK) {
        require(rpsl_check_syntax(&object, arena, &is_valid) == ERR_OK);
        require(!is_valid || object.class != CLASS_UNKNOWN);
        check_dummified(&object, arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(64 << 20);
    struct str text = {(const char *)data, size}, value;

    check_object(text, arena);
    if (size >= 2) {
        arena_reset(arena);
        value = rpsl_clean_value(str_sub(text, 2, size), arena);
        require(value.at != NULL || size == 2);
        check_value((enum rpsl_class)(data[0] % CLASS_UNKNOWN),
                    (enum rpsl_attr_id)(1 + data[1] % (ATTR_COUNT - 1)), value);
        check_policies(value);
    }
    arena_free(arena);
    return 0;
}
