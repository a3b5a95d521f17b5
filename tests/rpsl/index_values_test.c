/*
 * What of an object goes into the postings index.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "rpsl/object.h"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(1 << 26);
}

static void tear_down(void)
{
    arena_free(arena);
}

TestSuite(rpsl_index_values, .init = set_up, .fini = tear_down);

struct collected {
    struct buf text;
    size_t count, stop_at;
};

/** Write `name=value` lines; words of names have the name `word`. */
static bool collect(void *context, unsigned index_attr, struct str folded)
{
    struct collected *collected = context;
    const char *name = index_attr == INDEX_NAME_WORD ? "word" : rpsl_attr_info(index_attr)->name;

    buf_printf(&collected->text, "%s=%.*s\n", name, STR_ARG(folded));
    return ++collected->count != collected->stop_at;
}

static enum err collect_from(struct str text, struct arena *into, struct collected *collected)
{
    struct rpsl_object object;

    cr_assert_eq(rpsl_parse(text, arena, &object), ERR_OK);
    return rpsl_index_values(&object, into, collect, collected);
}

struct index_case {
    char object[384];
    char values[320];
};

ParameterizedTestParameters(rpsl_index_values, of_an_object)
{
    /* clang-format off */
    static struct index_case cases[] = {
        /* Lists with comments, continuation lines and repetition; lookup-only attributes. */
        {"inetnum: 10.0.0.0 - 10.0.0.7\n"
         "netname: foo-Net\n"
         "descr: not indexed\n"
         "org: ORG-X1-RIPE\n"
         "admin-c: AA1-RIPE # boss\n"
         "admin-c: aa1-ripe\n"
         "mnt-by: A-MNT, # first, not second\n"
         "+       b-mnt,,\n"
         "\tA-mnt , C-MNT\n"
         "mnt-by: C-MNT\n"
         "status: ASSIGNED PA\n",
         "netname=FOO-NET\norg=ORG-X1-RIPE\nadmin-c=AA1-RIPE\n"
         "mnt-by=A-MNT\nmnt-by=B-MNT\nmnt-by=C-MNT\n"},
        /* One value under two attributes is two entries. */
        {"inet6num: 2001:db8::/32\n"
         "netname: X\n"
         "mnt-by: A-MNT\n"
         "mnt-lower: A-MNT\n"
         "mnt-routes: A-MNT {2001:db8::/32^48-64, 2001:db9::/32}\n"
         "mnt-routes: A-MNT ANY\n"
         "mnt-routes: B-MNT{2001:db8::/32}\n"
         "mnt-irt: IRT-A, IRT-B\n",
         "netname=X\nmnt-by=A-MNT\nmnt-lower=A-MNT\nmnt-routes=A-MNT\nmnt-routes=B-MNT\n"
         "mnt-irt=IRT-A\nmnt-irt=IRT-B\n"},
        {"domain: 0.0.193.in-addr.arpa\n"
         "zone-c: ZZ1-RIPE\n"
         "nserver: NS1.example.net   10.0.0.1 # glue\n"
         "nserver: ns2.example.net.\n"
         "ds-rdata: 52151 1 1  13ee60f7499a70e5aadaf05828e7fc59e8e70bc1\n",
         "zone-c=ZZ1-RIPE\nnserver=NS1.EXAMPLE.NET 10.0.0.1\nnserver=NS2.EXAMPLE.NET.\n"
         "ds-rdata=52151 1 1 13EE60F7499A70E5AADAF05828E7FC59E8E70BC1\n"},
        {"route: 10.0.0.0/8\n"
         "origin: as3333\n"
         "member-of: RS-A, rs-b\n"
         "holes: 10.1.0.0/16\n"
         "ping-hdl: PP1-RIPE\n",
         "origin=AS3333\nmember-of=RS-A\nmember-of=RS-B\nping-hdl=PP1-RIPE\n"},
        {"mntner: A-MNT\n"
         "auth: MD5-PW $1$abc$def\n"
         "auth: md5-pw # Filtered\n"
         "auth: CRYPT-PW xyz\n"
         "auth: SSO 123-456\n"
         "auth: PGPKEY-abcdef01\n"
         "auth: X509-1\n"
         "upd-to: Upd <upd@example.net>\n"
         "e-mail: not@in.the.template\n"
         "mnt-nfy: nfy@Example.NET\n",
         "auth=SSO 123-456\nauth=PGPKEY-ABCDEF01\nauth=X509-1\nupd-to=UPD@EXAMPLE.NET\n"
         "mnt-nfy=NFY@EXAMPLE.NET\n"},
        {"role: Network  Operations b.v. operations\n"
         "address: Street 5\n"
         "e-mail: Net Ops < ops@example.net >\n"
         "e-mail: broken <ops@example.net\n"
         "e-mail: no one <nobody>\n"
         "e-mail: second@example.net (Net Ops)\n"
         "e-mail: Net <third@example.net> (Ops)\n"
         "nic-hdl: NO1-RIPE\n"
         "abuse-mailbox: Abuse <abuse@example.net>\n"
         "notify: ops@example.net, x@example.net\n",
         "word=NETWORK\nword=OPERATIONS\nword=B.V.\n"
         "e-mail=OPS@EXAMPLE.NET\ne-mail=BROKEN <OPS@EXAMPLE.NET\n"
         "e-mail=NO ONE <NOBODY>\ne-mail=SECOND@EXAMPLE.NET\ne-mail=THIRD@EXAMPLE.NET\n"
         "abuse-mailbox=ABUSE@EXAMPLE.NET\nnotify=OPS@EXAMPLE.NET, X@EXAMPLE.NET\n"},
        /* Words that the collation does not tell apart are one. */
        {"person: M\xc3\xbcller Muller MULLER\nnic-hdl: M1\n", "word=MULLER\n"},
        {"organisation: ORG-X1-RIPE\norg-name: X\n Y # z\norg-type: OTHER\nref-nfy: r@x.y\n"
         "abuse-c: AB1-RIPE\n",
         "word=X\nword=Y\nref-nfy=R@X.Y\nabuse-c=AB1-RIPE\n"},
        {"inet-rtr: rtr.example.net\n"
         "local-as: as1\n"
         "ifaddr: 192.0.2.1 masklen 30\n"
         "ifaddr: 192.0.2.1 masklen 24\n"
         "ifaddr: 2001:db8::1 masklen 64\n"
         "ifaddr: masklen 24\n"
         "interface: 192.0.2.9 masklen 30\n",
         "local-as=AS1\nifaddr=192.0.2.1\n"},
        {"as-set: AS-X\nmembers: AS1, AS2\nmbrs-by-ref: any\n", "mbrs-by-ref=ANY\n"},
        {"poem: POEM-X\nform: FORM-LIMERICK\ntext: x\nauthor: A1\n",
         "form=FORM-LIMERICK\nauthor=A1\n"},
        {"key-cert: X509-1\nfingerpr: AA BB  CC\nmethod: X509\n", "fingerpr=AA BB CC\n"},
        {"irt: IRT-A\nirt-nfy: a@b.c\nsignature: PGPKEY-1\n", "irt-nfy=A@B.C\n"},
        /* Empty values are no values; unknown classes have none. */
        {"mntner: X\nadmin-c:\ntech-c: #\nmnt-by: ,\n", ""},
        {"limerick: X\nmnt-by: A-MNT\n", ""},
    };
    /* clang-format on */
    return cr_make_param_array(struct index_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct index_case *c, rpsl_index_values, of_an_object)
{
    struct collected collected = {0};

    cr_assert_eq(collect_from(str_from(c->object), arena, &collected), ERR_OK);
    cr_expect(str_eq(buf_str(&collected.text), str_from(c->values)), "got\n%.*snot\n%s",
              STR_ARG(buf_str(&collected.text)), c->values);
    buf_free(&collected.text);
}

Test(rpsl_index_values, are_distinct_in_a_list_of_any_length)
{
    struct buf text = {0};
    struct collected collected = {0};

    buf_add_str(&text, STR("mntner: X\nmnt-by: "));
    for (int i = 0; i < 30000; i++) {
        buf_printf(&text, "%s%s-%d-MNT", i > 0 ? ", " : "", i % 2 == 0 ? "M" : "m", i % 10000);
    }
    cr_assert_eq(collect_from(buf_str(&text), arena, &collected), ERR_OK);
    cr_expect_eq(collected.count, 10000);
    buf_free(&text);
    buf_free(&collected.text);
}

Test(rpsl_index_values, stop_when_the_visitor_says_so)
{
    struct collected collected = {.stop_at = 2};
    struct str text = STR("mntner: X\nmnt-by: A, B, C\nadmin-c: D\n");

    cr_expect_eq(collect_from(text, arena, &collected), ERR_STOPPED);
    cr_expect_eq(collected.count, 2);
    buf_free(&collected.text);
}

Test(rpsl_index_values, say_when_the_arena_is_full)
{
    static const char *objects[] = {"mntner: X\nmnt-by: A-MNT\n", "mntner: X\nmnt-by: a-mnt\n",
                                    "mntner: X\nmnt-by: A-MNT #\n",
                                    "inet-rtr: X\nifaddr: 10.0.0.1 masklen 8\n"};

    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        struct arena *small = arena_new(64);
        struct collected collected = {0};

        while (arena_alloc(small, 1) != NULL) {
        }
        cr_expect_eq(collect_from(str_from(objects[i]), small, &collected), ERR_LIMIT);
        cr_expect_eq(collected.count, 0);
        arena_free(small);
    }
}
