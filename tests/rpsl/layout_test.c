/*
 * Laying out attributes: vectors executed against the reference, and objects that it printed.
 */
#include "rpsl/layout.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(1 << 20);
}

static void tear_down(void)
{
    arena_free(arena);
}

TestSuite(rpsl_layout, .init = set_up, .fini = tear_down);

typedef void layout_attr(const struct rpsl_attr *attr, struct buf *out);

static void lay_out(struct str text, layout_attr *layout, struct buf *out)
{
    struct rpsl_object object;

    cr_assert_eq(rpsl_parse(text, arena, &object), ERR_OK, "%.*s", STR_ARG(text));
    buf_clear(out);
    for (size_t i = 0; i < object.attr_count; i++) {
        layout(&object.attrs[i], out);
    }
}

struct layout_case {
    char stored[96], plain[160], brief[160];
};

ParameterizedTestParameters(rpsl_layout, of_an_attribute)
{
    /* clang-format off */
    static struct layout_case cases[] = {
        {"mntner:FOO-MNT\n", "mntner:         FOO-MNT\n", "*mt: FOO-MNT\n"},
        {"mntner:         FOO-MNT", "mntner:         FOO-MNT\n", "*mt: FOO-MNT\n"},
        {"assignment-size:48\n", "assignment-size:48\n", "*ae: 48\n"},
        {"assignment-size:   48\n", "assignment-size:   48\n", "*ae: 48\n"},
        {"Sponsoring-Org:ORG-X\n", "sponsoring-org: ORG-X\n", "*sp: ORG-X\n"},
        {"descr:  one\n  two\n+  three\n+\n\tfour  five   \n \n",
         "descr:          one\n"
         "                two\n"
         "+               three\n"
         "+\n"
         "                four  five\n"
         "+\n",
         "*de: one\n"
         "+    two\n"
         "+    three\n"
         "+    four  five\n"},
        {"descr:\n", "descr:\n", "*de:\n"},
        {"descr: \t \n", "descr:\n", "*de:\n"},
        {"contact: tel:1\n", "contact:        tel:1\n", "*con: tel:1\n"},
        {"contact:tel:1\n", "contact:        tel:1\n", "*con: tel:1\n"},
        {"contact:      tel:1\n", "contact:        tel:1\n", "*con: tel:1\n"},
        {"IREALLY-DUNNO:v\n", "ireally-dunno:  v\n", "ireally-dunno:  v\n"},
        {"a-name-of-sixteen-or-more:v\n", "a-name-of-sixteen-or-more:v\n",
         "a-name-of-sixteen-or-more: v\n"},
        {"foo:\n bar\n", "foo:\n                bar\n", "foo:            bar\n"},
        {"text:\n \n a b c\n d\n", "text:\n+\n                a b c\n                d\n",
         "*tx: a\n+    b c\n+    d\n"},
        {"text:\n+\n a b\n", "text:\n+\n                a b\n", "*tx:\n+    a b\n"},
        {"text:\n+ a\n", "text:\n+               a\n", "*tx:\n+    a\n"},
        {"text:\ta\tb\r\n", "text:           a b\n", "*tx: a b\n"},
        {"text: a\r\n+\r\n b\r\n", "text:           a\n+\n                b\n", "*tx: a\n+    b\n"},
        {"text: a # c\n+++x\n", "text:           a # c\n+               ++x\n",
         "*tx: a # c\n+    x\n"},
        {"text: x\nstray line\n", "text:           x\n                stray line\n",
         "*tx: x\n+    stray line\n"},
        {"text: x\n\n", "text:           x\n+\n", "*tx: x\n"},
    };
    /* clang-format on */
    return cr_make_param_array(struct layout_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct layout_case *c, rpsl_layout, of_an_attribute)
{
    struct buf out = {0};
    struct str stored = str_from(c->stored), plain = str_from(c->plain);

    lay_out(stored, rpsl_layout_attr, &out);
    cr_expect(str_eq(buf_str(&out), plain), "got\n%.*snot\n%s", STR_ARG(buf_str(&out)), c->plain);
    lay_out(stored, rpsl_layout_attr_short, &out);
    cr_expect(str_eq(buf_str(&out), str_from(c->brief)), "got\n%.*snot\n%s", STR_ARG(buf_str(&out)),
              c->brief);

    cr_expect(rpsl_is_laid_out(plain), "%s", c->plain);
    lay_out(plain, rpsl_layout_attr, &out);
    cr_expect(str_eq(buf_str(&out), plain), "laid out twice: %.*s", STR_ARG(buf_str(&out)));
    cr_expect_eq(rpsl_is_laid_out(stored),
                 str_eq(stored, plain) || str_eq(stored, str_sub(plain, 0, plain.len - 1)), "%s",
                 c->stored);
    buf_free(&out);
}

Test(rpsl_layout, keeps_nul_bytes)
{
    struct buf out = {0};

    lay_out(STR("text: a\0b\n"), rpsl_layout_attr, &out);
    cr_expect(str_eq(buf_str(&out), STR("text:           a\0b\n")));
    buf_free(&out);
}

Test(rpsl_layout, an_empty_text_is_not_laid_out)
{
    cr_expect_not(rpsl_is_laid_out(STR("")));
    cr_expect_not(rpsl_is_laid_out(STR("\n")));
    cr_expect_not(rpsl_is_laid_out(STR("                no attribute\n")));
}

struct object_case {
    char stored[700], printed[700];
};

/* Left as registries publish, right as the reference printed it. */
ParameterizedTestParameters(rpsl_layout, of_a_recorded_object)
{
    /* clang-format off */
    static struct object_case cases[] = {
        {"inetnum:        87.96.45.0 - 87.96.45.63\n"
         "netname:        SILTAGEN-DC-222\n"
         "country:        pl\n"
         "status:                        ASSIGNED PA  \n"
         "mnt-by:\tKESNEDOR-MNT\n"
         "remarks:        next lines belong to this value\n"
         " ADD 1\n"
         "+DEL 2\n"
         "\t%END RIPE\n"
         "source:         RIPE\n",
         "inetnum:        87.96.45.0 - 87.96.45.63\n"
         "netname:        SILTAGEN-DC-222\n"
         "country:        pl\n"
         "status:         ASSIGNED PA\n"
         "mnt-by:         KESNEDOR-MNT\n"
         "remarks:        next lines belong to this value\n"
         "                ADD 1\n"
         "+               DEL 2\n"
         "                %END RIPE\n"
         "source:         RIPE\n"},
        {"organisation:   ORG-KA1-RIPE\n"
         "org-name:       Kalsovex Analytics Ltd\n"
         "org-type:OTHER\n"
         "e-mail:\tunread@ripe.net\n"
         "abuse-c:                        ACRO225-RIPE  \n"
         "ORG-TYPE:       OTHER\n"
         "mnt-by:         LIR-GALRIDIA-1-MNT, # first\n"
         "+               LIR-GALRIDIA-1-MNT\n",
         "organisation:   ORG-KA1-RIPE\n"
         "org-name:       Kalsovex Analytics Ltd\n"
         "org-type:       OTHER\n"
         "e-mail:         unread@ripe.net\n"
         "abuse-c:        ACRO225-RIPE\n"
         "org-type:       OTHER\n"
         "mnt-by:         LIR-GALRIDIA-1-MNT, # first\n"
         "+               LIR-GALRIDIA-1-MNT\n"},
        {"route:          193.110.102.0/23\n"
         "descr:Kesmamos3 Media\n"
         "origin:         AS39612\n"
         "remarks:        %ERROR:101: no entries found\n"
         "remarks:        tab\there and two  spaces\n"
         "remarks:\n"
         "remarks:        L\xc3\xadnea de acceso\n",
         "route:          193.110.102.0/23\n"
         "descr:          Kesmamos3 Media\n"
         "origin:         AS39612\n"
         "remarks:        %ERROR:101: no entries found\n"
         "remarks:        tab here and two  spaces\n"
         "remarks:\n"
         "remarks:        L\xc3\xadnea de acceso\n"},
    };
    /* clang-format on */
    return cr_make_param_array(struct object_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct object_case *c, rpsl_layout, of_a_recorded_object)
{
    struct buf out = {0};

    lay_out(str_from(c->stored), rpsl_layout_attr, &out);
    cr_expect(str_eq(buf_str(&out), str_from(c->printed)), "got\n%.*s", STR_ARG(buf_str(&out)));
    cr_expect_not(rpsl_is_laid_out(str_from(c->stored)));
    cr_expect(rpsl_is_laid_out(str_from(c->printed)));
    buf_free(&out);
}
