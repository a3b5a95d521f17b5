/*
 * The tables of classes and attributes, and their look-ups.
 */
#include "rpsl/schema.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static struct str upper(const char *name, char out[static 32])
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        out[i] = (char)toupper((unsigned char)name[i]);
    }
    return (struct str){out, len};
}

Test(rpsl_schema, every_attribute_is_found_by_its_names_in_any_case)
{
    char text[32];

    for (enum rpsl_attr_id attr = ATTR_UNKNOWN + 1; attr < ATTR_COUNT; attr++) {
        const struct rpsl_attr_info *info = rpsl_attr_info(attr);

        cr_expect_eq(rpsl_attr_by_name(str_from(info->name)), attr, "%s", info->name);
        cr_expect_eq(rpsl_attr_by_name(upper(info->name, text)), attr, "%s", info->name);
        cr_expect_eq(rpsl_attr_by_argument(str_from(info->name)), attr, "%s", info->name);
        cr_expect_eq(rpsl_attr_by_argument(upper(info->short_name, text)), attr, "%s", info->name);
        snprintf(text, sizeof(text), "*%s", info->short_name);
        cr_expect_eq(rpsl_attr_by_argument(str_from(text)), strlen(text) == 3 ? attr : ATTR_UNKNOWN,
                     "%s", info->name);
        cr_expect_eq(rpsl_attr_by_name(str_from(info->short_name)), ATTR_UNKNOWN);
    }
}

Test(rpsl_schema, every_class_is_found_by_its_names_and_number)
{
    char text[32];

    for (enum rpsl_class id = 0; id < CLASS_UNKNOWN; id++) {
        const struct rpsl_class_info *info = rpsl_class_info(id);

        cr_expect_eq(rpsl_class_by_name(upper(info->name, text)), id, "%s", info->name);
        cr_expect_eq(rpsl_class_by_argument(str_from(info->name)), id, "%s", info->name);
        cr_expect_eq(rpsl_class_by_argument(upper(info->short_name, text)), id);
        snprintf(text, sizeof(text), "*%s", info->short_name);
        cr_expect_eq(rpsl_class_by_argument(str_from(text)), id, "%s", info->name);
        cr_expect_eq(rpsl_class_by_db_id(info->db_id), id, "%s", info->name);
        cr_expect_eq(rpsl_class_by_name(str_from(info->short_name)), CLASS_UNKNOWN);
    }
}

Test(rpsl_schema, what_is_unknown_has_no_row)
{
    cr_expect_eq(rpsl_attr_by_name(STR("")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_attr_by_name(STR("mnt-b")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_attr_by_name(STR("mnt-byy")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_attr_by_name(STR("mnt\rby")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_attr_by_name(STR("an-attribute-of-a-very-long-name")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_attr_by_argument(STR("*")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_attr_by_argument(STR("")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_attr_by_argument(STR("*mnt-by")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_attr_by_argument(STR("*con")), ATTR_UNKNOWN);
    cr_expect_eq(rpsl_class_by_name(STR("mnt-by")), CLASS_UNKNOWN);
    cr_expect_eq(rpsl_class_by_argument(STR("mb")), CLASS_UNKNOWN);
    cr_expect_eq(rpsl_class_by_argument(STR("")), CLASS_UNKNOWN);
    cr_expect_eq(rpsl_class_by_db_id(8), CLASS_UNKNOWN);
    cr_expect_null(rpsl_attr_info(ATTR_UNKNOWN)->name);
    cr_expect_str_eq(rpsl_class_info(CLASS_UNKNOWN)->name, "unknown");
    cr_expect_eq(rpsl_class_info(CLASS_UNKNOWN)->db_id, 255);
    cr_expect_null(rpsl_template_row(CLASS_UNKNOWN, ATTR_MNT_BY));
    cr_expect_null(rpsl_template_row(CLASS_INETNUM, ATTR_UNKNOWN));
}

Test(rpsl_schema, short_names_that_mislead)
{
    cr_expect_eq(rpsl_class_by_argument(STR("is")), CLASS_RTR_SET);
    cr_expect_eq(rpsl_class_by_argument(STR("rs")), CLASS_ROUTE_SET);
    cr_expect_eq(rpsl_class_by_argument(STR("as")), CLASS_AS_SET);
    cr_expect_eq(rpsl_class_by_argument(STR("ak")), CLASS_AS_BLOCK);
    cr_expect_eq(rpsl_class_by_argument(STR("an")), CLASS_AUT_NUM);
    cr_expect_eq(rpsl_class_by_argument(STR("oa")), CLASS_ORGANISATION);
    cr_expect_eq(rpsl_class_by_argument(STR("it")), CLASS_IRT);
    cr_expect_eq(rpsl_attr_by_argument(STR("con")), ATTR_CONTACT);
    cr_expect_eq(rpsl_attr_by_argument(STR("co")), ATTR_COMPONENTS);
}

Test(rpsl_schema, classes_stand_in_order_of_output)
{
    for (int id = 1; id < CLASS_UNKNOWN; id++) {
        cr_expect_lt(rpsl_class_info(id - 1)->position, rpsl_class_info(id)->position);
    }
    cr_expect_eq(CLASS_UNKNOWN, 21);
    cr_expect_eq(rpsl_class_info(CLASS_INETNUM)->position, 5);
    cr_expect_eq(rpsl_class_info(CLASS_INETNUM)->db_id, 6);
    cr_expect_eq(rpsl_class_info(CLASS_PERSON)->position, 50);
    cr_expect_eq(rpsl_class_info(CLASS_PERSON)->db_id, 10);
}

Test(rpsl_schema, templates_are_whole)
{
    for (enum rpsl_class id = 0; id < CLASS_UNKNOWN; id++) {
        const struct rpsl_class_info *info = rpsl_class_info(id);
        unsigned primary = 0;

        cr_expect_str_eq(rpsl_attr_info(info->rows[0].attr)->name, info->name);
        cr_expect_eq(info->rows[info->row_count - 1].attr, ATTR_SOURCE, "%s", info->name);
        for (unsigned i = 0; i < info->row_count; i++) {
            cr_expect_eq(rpsl_template_row(id, info->rows[i].attr), &info->rows[i], "%s row %u",
                         info->name, i);
            primary += info->rows[i].primary;
        }
        cr_expect_eq(primary, id == CLASS_ROUTE || id == CLASS_ROUTE6 ? 2 : 1, "%s", info->name);
        cr_expect(rpsl_template_row(id, ATTR_MNT_BY)->inverse, "%s", info->name);
    }
}

Test(rpsl_schema, rows_say_what_the_reference_prints)
{
    const struct rpsl_template_row *row = rpsl_template_row(CLASS_ROUTE, ATTR_ORIGIN);

    cr_assert_not_null(row);
    cr_expect(row->primary && row->inverse && !row->lookup && row->single);
    cr_expect_eq(row->requirement, RPSL_MANDATORY);
    row = rpsl_template_row(CLASS_PERSON, ATTR_PERSON);
    cr_assert_not_null(row);
    cr_expect(!row->primary && row->lookup && !row->inverse && row->single);
    row = rpsl_template_row(CLASS_FILTER_SET, ATTR_MP_FILTER);
    cr_assert_not_null(row);
    cr_expect_eq(row->requirement, RPSL_CONDITIONAL);
    row = rpsl_template_row(CLASS_KEY_CERT, ATTR_OWNER);
    cr_assert_not_null(row);
    cr_expect(row->requirement == RPSL_GENERATED && !row->single);
    cr_expect_null(rpsl_template_row(CLASS_AUT_NUM, ATTR_MNT_ROUTES));
    cr_expect_null(rpsl_template_row(CLASS_MNTNER, ATTR_CHANGED));
}

/** Names of the attributes with a flag, in the order of the table. */
static void expect_flagged(unsigned flag, const char *expected)
{
    char names[512] = "";

    for (enum rpsl_attr_id attr = ATTR_UNKNOWN + 1; attr < ATTR_COUNT; attr++) {
        if (rpsl_attr_info(attr)->flags & flag) {
            strcat(strcat(names, names[0] != '\0' ? " " : ""), rpsl_attr_info(attr)->name);
        }
    }
    cr_expect_str_eq(names, expected);
}

Test(rpsl_schema, flags_name_the_right_attributes)
{
    expect_flagged(ATTR_LIST_VALUED, "form holes mbrs-by-ref member-of members mnt-by mnt-domains "
                                     "mnt-irt mnt-lower mnt-ref mp-members");
    expect_flagged(ATTR_EMAIL_VALUE, "abuse-mailbox e-mail irt-nfy mnt-nfy notify ref-nfy upd-to");
    expect_flagged(ATTR_CONTACT_REF, "abuse-c admin-c author ping-hdl tech-c zone-c");
    expect_flagged(ATTR_FOLLOWED, "admin-c author org ping-hdl tech-c zone-c");
    expect_flagged(ATTR_FILTERED, "changed e-mail mnt-nfy notify ref-nfy upd-to");
    expect_flagged(ATTR_REFERENCE,
                   "abuse-c admin-c author form mbrs-by-ref member-of mnt-by mnt-domains mnt-irt "
                   "mnt-lower mnt-ref mnt-routes org ping-hdl sponsoring-org tech-c zone-c");
}
