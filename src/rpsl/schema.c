/*
 * Look-ups in the tables of classes and attributes.
 * The rows come from attributes.h, classes.h and templates.h. What is derived from them (a hash of
 * the attribute names, the place of an attribute in a template) is computed once before main()
 * starts, so that a new attribute is one row and no generated code.
 */
#include "rpsl/schema.h"

#include <assert.h>
#include <stddef.h>

#include "rpsl/templates.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
static const struct rpsl_attr_info attr_infos[ATTR_COUNT] = {
#define X(id, name, short_name, flags) [ATTR_##id] = {name, short_name, flags},
    ATTRIBUTE_LIST(X)
#undef X
};

static const struct rpsl_class_info class_infos[CLASS_COUNT] = {
#define X(id, name, short_name, position, db_id) \
    [CLASS_##id] = {name, short_name, position, db_id, template_##id, ARRAY_LEN(template_##id)},
    CLASS_LIST(X)
#undef X
    [CLASS_UNKNOWN] = {"unknown", "", 255, 255, NULL, 0},
};

static const struct str attr_names[ATTR_COUNT] = {
#define X(id, name, short_name, flags) [ATTR_##id] = STR_INIT(name),
    ATTRIBUTE_LIST(X)
#undef X
};

/** The class of objects that begin with an attribute, plus 1; 0 for none. */
static const uint8_t class_of_attr[ATTR_COUNT] = {
#define X(id, name, short_name, position, db_id) [ATTR_##id] = CLASS_##id + 1,
    CLASS_LIST(X)
#undef X
};
/* clang-format on */

/* Derived tables, written by derive_tables() only. */
#define NAME_SLOTS 512                   /* A power of two, several times ATTR_COUNT. */
static uint8_t attr_by_slot[NAME_SLOTS]; /* Attribute id; ATTR_UNKNOWN marks a free slot. */
static uint8_t row_by_attr[CLASS_COUNT][ATTR_COUNT]; /* Row number + 1, 0 for none. */
static_assert(ATTR_COUNT < 256, "attribute ids are kept in a byte");

/** Hash of a name that is not empty, the same in any case. Length and three letters tell nearly all
 * of the names apart. */
static unsigned name_slot(struct str name)
{
    unsigned first = (unsigned char)name.at[0] | 0x20;
    unsigned middle = (unsigned char)name.at[name.len / 2] | 0x20;
    unsigned last = (unsigned char)name.at[name.len - 1] | 0x20;

    return ((unsigned)name.len * 37 + first * 11 + middle * 83 + last * 5) % NAME_SLOTS;
}

__attribute__((constructor)) static void derive_tables(void)
{
    for (unsigned attr = ATTR_UNKNOWN + 1; attr < ATTR_COUNT; attr++) {
        unsigned slot = name_slot(attr_names[attr]);

        while (attr_by_slot[slot] != ATTR_UNKNOWN) {
            slot = (slot + 1) % NAME_SLOTS;
        }
        attr_by_slot[slot] = (uint8_t)attr;
    }
    for (unsigned id = 0; id < CLASS_COUNT; id++) {
        for (unsigned row = 0; row < class_infos[id].row_count; row++) {
            row_by_attr[id][class_infos[id].rows[row].attr] = (uint8_t)(row + 1);
        }
    }
}

const struct rpsl_class_info *rpsl_class_info(enum rpsl_class class)
{
    return &class_infos[(unsigned)class < CLASS_COUNT ? class : CLASS_UNKNOWN];
}

const struct rpsl_attr_info *rpsl_attr_info(enum rpsl_attr_id attr)
{
    return &attr_infos[(unsigned)attr < ATTR_COUNT ? attr : ATTR_UNKNOWN];
}

#define ATTR_NAME_MAX 16 /* No name is longer: most that are none end here. */

enum rpsl_attr_id rpsl_attr_by_name(struct str name)
{
    if (name.len == 0 || name.len > ATTR_NAME_MAX) {
        return ATTR_UNKNOWN;
    }
    for (unsigned slot = name_slot(name);; slot = (slot + 1) % NAME_SLOTS) {
        enum rpsl_attr_id attr = attr_by_slot[slot];

        if (attr == ATTR_UNKNOWN || str_eq_nocase(name, attr_names[attr])) {
            return attr;
        }
    }
}

enum rpsl_class rpsl_class_by_name(struct str name)
{
    unsigned class = class_of_attr[rpsl_attr_by_name(name)];

    return class > 0 ? (enum rpsl_class)(class - 1) : CLASS_UNKNOWN;
}

/** The short name in an argument: `mb` or `*mb`. Before the one of three letters is no star. */
static struct str without_star(struct str argument)
{
    return argument.len == 3 && argument.at[0] == '*' ? str_sub(argument, 1, argument.len)
                                                      : argument;
}

enum rpsl_attr_id rpsl_attr_by_argument(struct str argument)
{
    enum rpsl_attr_id found = rpsl_attr_by_name(argument);
    struct str short_name = without_star(argument);

    for (unsigned attr = ATTR_UNKNOWN + 1; attr < ATTR_COUNT && found == ATTR_UNKNOWN; attr++) {
        if (str_eq_nocase(short_name, str_from(attr_infos[attr].short_name))) {
            found = attr;
        }
    }
    return found;
}

enum rpsl_class rpsl_class_by_argument(struct str argument)
{
    enum rpsl_class found = rpsl_class_by_name(argument);
    struct str short_name = without_star(argument);

    for (unsigned id = 0; id < CLASS_UNKNOWN && found == CLASS_UNKNOWN; id++) {
        if (str_eq_nocase(short_name, str_from(class_infos[id].short_name))) {
            found = id;
        }
    }
    return found;
}

enum rpsl_class rpsl_class_by_db_id(unsigned db_id)
{
    for (unsigned id = 0; id < CLASS_UNKNOWN; id++) {
        if (class_infos[id].db_id == db_id) {
            return id;
        }
    }
    return CLASS_UNKNOWN;
}

const struct rpsl_template_row *rpsl_template_row(enum rpsl_class class, enum rpsl_attr_id attr)
{
    unsigned row = 0;

    if ((unsigned)class < CLASS_COUNT && (unsigned)attr < ATTR_COUNT) {
        row = row_by_attr[class][attr];
    }
    return row > 0 ? &class_infos[class].rows[row - 1] : NULL;
}
