/*
 * Objects without what is personal.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "rpsl/dummify.h"

#define REMARKS(registry, url)                                                                     \
    "remarks:        ****************************\n"                                               \
    "remarks:        * THIS OBJECT IS MODIFIED\n"                                                  \
    "remarks:        * Please note that all data that is generally regarded as personal\n"         \
    "remarks:        * data has been removed from this object.\n"                                  \
    "remarks:        * To view the original object, please query the " registry " Database at:\n"  \
    "remarks:        * " url "\n"                                                                  \
    "remarks:        ****************************\n"
#define RIPE REMARKS("RIPE", "http://www.ripe.net/whois")

static struct arena *arena;
static struct rpsl_object object;

static void set_up(void)
{
    arena = arena_new(1 << 20);
}

static void tear_down(void)
{
    arena_free(arena);
}

TestSuite(rpsl_dummify, .init = set_up, .fini = tear_down);

static void parse(const char *text)
{
    cr_assert_eq(rpsl_parse(str_from(text), arena, &object), ERR_OK);
}

static void expect(const char *text, const char *expected)
{
    struct str out;

    parse(text);
    cr_assert_eq(rpsl_dummify(&object, STR("RIPE-GRS"), arena, &out), ERR_OK);
    cr_expect(str_eq(out, str_from(expected)), "'%.*s'\nis not\n'%s'", STR_ARG(out), expected);
}

Test(rpsl_dummify, a_mntner_keeps_what_it_must_have_and_its_times)
{
    expect(
        "mntner: FOO-MNT\ndescr: secret\norg: ORG-A1-RIPE\nadmin-c: AA1-RIPE\nadmin-c: AA2-RIPE\n"
        "tech-c: AA1-RIPE\nupd-to: a@b\nupd-to: c@d\nmnt-nfy: a@b\nauth: MD5-PW $1$x$y\n"
        "auth: PGPKEY-01234567\nremarks: secret\nnotify: a@b\nmnt-by: FOO-MNT\nfoo: bar\n"
        "created: 2020\nlast-modified: 2021\nsource: RIPE # Filtered",
        "mntner: FOO-MNT\nadmin-c: DUMY-RIPE\nupd-to: unread@ripe.net\n"
        "auth: SSO unread@ripe.net   # Real value hidden for security\nmnt-by: FOO-MNT\n"
        "created: 2020\nlast-modified: 2021\nsource: RIPE-GRS\n" RIPE);
}

Test(rpsl_dummify, an_organisation_keeps_its_abuse_contact_and_country_too)
{
    expect("organisation: ORG-A1-RIPE\norg-name: A\norg-type: LIR\ndescr: secret\naddress: Street\n"
           "address: City\ncountry: NL\nphone: +31\ne-mail: a@b\nadmin-c: AA1-RIPE\n"
           "abuse-c: AR1-RIPE\nmnt-ref: FOO-MNT\nmnt-by: FOO-MNT\nsource: RIPE\n",
           "organisation: ORG-A1-RIPE\norg-name: A\norg-type: LIR\n"
           "address: Dummy address for ORG-A1-RIPE\ncountry: NL\ne-mail: unread@ripe.net\n"
           "abuse-c: AR1-RIPE\nmnt-ref: FOO-MNT\nmnt-by: FOO-MNT\nsource: RIPE-GRS\n" RIPE);
}

Test(rpsl_dummify, other_classes_keep_all_attributes)
{
    expect(
        "Role: Abuse\naddress: Street\n+ City\nphone: +31\nfax-no: +31\nfax-no: +32\ntech-c: A1\n"
        "notify: a@b\nchanged: a@b 20200101\nABUSE-MAILBOX:  c@d\nnic-hdl: AR1-RIPE\nfoo: bar\n"
        "source: RIPE-NONAUTH\nremarks: behind\n",
        "Role: Abuse\naddress: Dummy address for AR1-RIPE\nphone: +31205354444\n"
        "fax-no: +31205354444\ntech-c: DUMY-RIPE\nnotify: a@b\n"
        "changed: unread@ripe.net 20000101\nABUSE-MAILBOX:  c@d\nnic-hdl: AR1-RIPE\nfoo: bar\n"
        "source: RIPE-GRS\nremarks: behind\n" RIPE);
    expect("poem: POEM-A\nauthor: A1\nauthor: A2\ndescr: a\n b\nsource: RIPE\n",
           "poem: POEM-A\nauthor: DUMY-RIPE\ndescr: a\n b\nsource: RIPE-GRS\n" RIPE);
}

Test(rpsl_dummify, remarks_name_the_registry)
{
    expect("as-set: AS-A\nsource: apnic-grs\n",
           "as-set: AS-A\nsource: RIPE-GRS\n" REMARKS("APNIC", "http://www.apnic.net/"));
    expect("as-set: AS-A\nsource: FOO-GRS\n", "as-set: AS-A\nsource: RIPE-GRS\n");
    expect("as-set: AS-A\nadmin-c: A1\n", "as-set: AS-A\nadmin-c: DUMY-RIPE\n");
}

Test(rpsl_dummify, remarks_are_added_once)
{
    expect("mntner: FOO-MNT\nadmin-c: DUMY-RIPE\nsource: RIPE\n" RIPE,
           "mntner: FOO-MNT\nadmin-c: DUMY-RIPE\nsource: RIPE-GRS\n" RIPE);
    expect("as-set: AS-A\nadmin-c: DUMY-RIPE\nsource: RIPE\n" RIPE,
           "as-set: AS-A\nadmin-c: DUMY-RIPE\nsource: RIPE-GRS\n" RIPE);
}

Test(rpsl_dummify, a_remark_of_the_objects_own_lets_nothing_through)
{
    expect("role: A\naddress: Street 5\nnic-hdl: A1-RIPE\nabuse-mailbox: a@b\n"
           "remarks: * THIS OBJECT IS MODIFIED\nsource: RIPE\n",
           "role: A\naddress: Dummy address for A1-RIPE\nnic-hdl: A1-RIPE\nabuse-mailbox: a@b\n"
           "remarks: * THIS OBJECT IS MODIFIED\nsource: RIPE-GRS\n");
}

Test(rpsl_dummify, persons_and_roles_without_abuse_mailbox_are_withheld)
{
    parse("person: A\nnic-hdl: A1\nabuse-mailbox: a@b\n");
    cr_expect(rpsl_is_withheld(&object));
    parse("role: A\nnic-hdl: A1\n");
    cr_expect(rpsl_is_withheld(&object));
    parse("role: A\nnic-hdl: A1\nabuse-mailbox: a@b\n");
    cr_expect_not(rpsl_is_withheld(&object));
    parse("mntner: FOO-MNT\n");
    cr_expect_not(rpsl_is_withheld(&object));
}
