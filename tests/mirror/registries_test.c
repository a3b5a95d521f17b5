/*
 * The known registries, against the list that operators know: where the NRTM server is, where the
 * dump, where its serial.
 */
#include "mirror/registries.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

struct place {
    char source[16], host[24];
    int port;
    char dump[64], serial[64];
};

ParameterizedTestParameters(registries, are_where_they_are)
{
    // clang-format off
    static struct place places[] = {
        {"RIPE", "whois.ripe.net", 4444, "https://ftp.ripe.net/ripe/dbase/ripe.db.gz",
         "https://ftp.ripe.net/ripe/dbase/RIPE.CURRENTSERIAL"},
        {"RIPE-NONAUTH", "whois.ripe.net", 4444,
         "https://ftp.ripe.net/ripe/dbase/ripe-nonauth.db.gz",
         "https://ftp.ripe.net/ripe/dbase/RIPE-NONAUTH.CURRENTSERIAL"},
        {"RADB", "nrtm.radb.net", 43, "ftp://ftp.radb.net/radb/dbase/radb.db.gz",
         "ftp://ftp.radb.net/radb/dbase/RADB.CURRENTSERIAL"},
        {"NTTCOM", "rr.ntt.net", 43, "ftp://rr1.ntt.net/nttcomRR/nttcom.db.gz",
         "ftp://rr1.ntt.net/nttcomRR/NTTCOM.CURRENTSERIAL"},
        {"ARIN", "rr.arin.net", 43, "https://ftp.arin.net/pub/rr/arin.db.gz",
         "https://ftp.arin.net/pub/rr/ARIN.CURRENTSERIAL"},
        {"APNIC", "nrtm.apnic.net", 43003, "ftp://ftp.apnic.net/pub/apnic/whois/apnic.db.as-block.gz",
         "ftp://ftp.apnic.net/pub/apnic/whois/APNIC.CURRENTSERIAL"},
        {"AFRINIC", "whois.afrinic.net", 43003, "https://ftp.afrinic.net/pub/dbase/afrinic.db.gz",
         "https://ftp.afrinic.net/pub/dbase/AFRINIC.CURRENTSERIAL"},
        {"LACNIC", "", 0, "https://irr.lacnic.net/lacnic.db.gz",
         "https://irr.lacnic.net/LACNIC.CURRENTSERIAL"},
        {"ALTDB", "whois.altdb.net", 43, "ftp://ftp.altdb.net/pub/altdb/altdb.db.gz",
         "ftp://ftp.altdb.net/pub/altdb/ALTDB.CURRENTSERIAL"},
        {"JPIRR", "jpirr.nic.ad.jp", 43, "ftp://ftp.nic.ad.jp/jpirr/jpirr.db.gz",
         "ftp://ftp.nic.ad.jp/jpirr/JPIRR.CURRENTSERIAL"},
        {"LEVEL3", "rr.level3.net", 43, "", ""},
        {"IDNIC", "irr.idnic.net", 43, "", ""},
        {"TC", "irr.bgp.net.br", 43, "", ""},
        {"BBOI", "irr.bboi.net", 43, "", ""},
        {"BELL", "whois.in.bell.ca", 43, "", ""},
        {"CANARIE", "whois.canarie.ca", 43003, "", ""},
        {"PANIX", "rrdb.access.net", 43, "", ""},
        {"NESTEGG", "whois.nestegg.net", 43, "", ""},
        {"REACH", "rr.telstraglobal.net", 43, "", ""},
    };
    // clang-format on
    return cr_make_param_array(struct place, places, sizeof(places) / sizeof(places[0]));
}

ParameterizedTest(struct place *p, registries, are_where_they_are)
{
    const struct registry *known = registry_find(str_from(p->source));

    cr_assert_not_null(known, "%s", p->source);
    cr_expect_str_eq(known->host != NULL ? known->host : "", p->host);
    cr_expect_eq(known->port, p->port, "%s", p->source);
    cr_expect_str_eq(known->dump.count > 0 ? known->dump.items[0] : "", p->dump);
    cr_expect_str_eq(known->serial, p->serial);
    cr_expect_eq(known->charset,
                 strncmp(p->source, "RIPE", 4) == 0 ? CHARSET_LATIN1 : CHARSET_UTF8);
}

Test(registries, are_found_in_any_case_and_by_the_whole_name)
{
    cr_expect_eq(registry_find(STR("radb")), registry_find(STR("RADB")));
    cr_expect_null(registry_find(STR("RAD")));
    cr_expect_null(registry_find(STR("RADB2")));
}
