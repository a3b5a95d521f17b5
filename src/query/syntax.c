/*
 * One pass counts the attributes of the object, a second over the template's rows compares.
 */
#include "query/syntax.h"

bool syntax_is_valid(const struct rpsl_object *object)
{
    const struct rpsl_class_info *class = rpsl_class_info(object->class);
    unsigned char counts[ATTR_COUNT] = {0};

    for (size_t i = 0; i < object->attr_count; i++) {
        enum rpsl_attr_id attr = object->attrs[i].id;

        if (attr == ATTR_UNKNOWN || rpsl_template_row(object->class, attr) == NULL) {
            return false;
        }
        counts[attr] += counts[attr] < UINT8_MAX;
    }
    for (size_t i = 0; i < class->row_count; i++) {
        const struct rpsl_template_row *row = &class->rows[i];

        if ((row->requirement == RPSL_MANDATORY && counts[row->attr] == 0) ||
            (row->single && counts[row->attr] > 1)) {
            return false;
        }
    }
    return class->row_count > 0;
}
