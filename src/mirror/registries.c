/*
 * The known registries, as their own pages and the list of Internet routing registries name them.
 * RIPE and RIPE-NONAUTH count with one counter and write two dumps.
 */
#include "mirror/registries.h"

#include <stddef.h>

/* Folders. */
#define RIPE    "https://ftp.ripe.net/ripe/dbase/"
#define AFRINIC "https://ftp.afrinic.net/pub/dbase/"
#define ALTDB   "ftp://ftp.altdb.net/pub/altdb/"
#define APNIC   "ftp://ftp.apnic.net/pub/apnic/whois/"
#define ARIN    "https://ftp.arin.net/pub/rr/"
#define JPIRR   "ftp://ftp.nic.ad.jp/jpirr/"
#define LACNIC  "https://irr.lacnic.net/"
#define NTTCOM  "ftp://rr1.ntt.net/nttcomRR/"
#define RADB    "ftp://ftp.radb.net/radb/dbase/"

// clang-format off
#define FILES(...)                                                                                 \
    {(const char *[]){__VA_ARGS__},                                                                \
     sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)}
#define NO_FILES {NULL, 0}

/* One per class. */
#define APNIC_FILE(class) APNIC "apnic.db." class ".gz"
#define APNIC_FILES                                                                                \
    APNIC_FILE("as-block"), APNIC_FILE("as-set"), APNIC_FILE("aut-num"),                           \
    APNIC_FILE("domain"), APNIC_FILE("filter-set"), APNIC_FILE("inet-rtr"),                        \
    APNIC_FILE("inet6num"), APNIC_FILE("inetnum"), APNIC_FILE("irt"),                              \
    APNIC_FILE("key-cert"), APNIC_FILE("mntner"), APNIC_FILE("organisation"),                      \
    APNIC_FILE("peering-set"), APNIC_FILE("role"), APNIC_FILE("route"),                            \
    APNIC_FILE("route-set"), APNIC_FILE("route6"), APNIC_FILE("rtr-set")

static const struct registry registries[] = {
    {"RIPE", "whois.ripe.net", 4444, CHARSET_LATIN1,
     FILES(RIPE "ripe.db.gz"),
     RIPE "RIPE.CURRENTSERIAL"},
    {"RIPE-NONAUTH", "whois.ripe.net", 4444, CHARSET_LATIN1,
     FILES(RIPE "ripe-nonauth.db.gz"),
     RIPE "RIPE-NONAUTH.CURRENTSERIAL"},
    {"AFRINIC", "whois.afrinic.net", 43003, CHARSET_UTF8,
     FILES(AFRINIC "afrinic.db.gz"),
     AFRINIC "AFRINIC.CURRENTSERIAL"},
    {"ALTDB", "whois.altdb.net", 43, CHARSET_UTF8,
     FILES(ALTDB "altdb.db.gz"),
     ALTDB "ALTDB.CURRENTSERIAL"},
    {"APNIC", "nrtm.apnic.net", 43003, CHARSET_UTF8,
     FILES(APNIC_FILES),
     APNIC "APNIC.CURRENTSERIAL"},
    {"ARIN", "rr.arin.net", 43, CHARSET_UTF8,
     FILES(ARIN "arin.db.gz"),
     ARIN "ARIN.CURRENTSERIAL"},
    {"BBOI", "irr.bboi.net", 43, CHARSET_UTF8, NO_FILES, ""},
    {"BELL", "whois.in.bell.ca", 43, CHARSET_UTF8, NO_FILES, ""},
    {"CANARIE", "whois.canarie.ca", 43003, CHARSET_UTF8, NO_FILES, ""},
    {"IDNIC", "irr.idnic.net", 43, CHARSET_UTF8, NO_FILES, ""},
    {"JPIRR", "jpirr.nic.ad.jp", 43, CHARSET_UTF8,
     FILES(JPIRR "jpirr.db.gz"),
     JPIRR "JPIRR.CURRENTSERIAL"},
    {"LACNIC", NULL, 0, CHARSET_UTF8,
     FILES(LACNIC "lacnic.db.gz"),
     LACNIC "LACNIC.CURRENTSERIAL"},
    {"LEVEL3", "rr.level3.net", 43, CHARSET_UTF8, NO_FILES, ""},
    {"NESTEGG", "whois.nestegg.net", 43, CHARSET_UTF8, NO_FILES, ""},
    {"NTTCOM", "rr.ntt.net", 43, CHARSET_UTF8,
     FILES(NTTCOM "nttcom.db.gz"),
     NTTCOM "NTTCOM.CURRENTSERIAL"},
    {"PANIX", "rrdb.access.net", 43, CHARSET_UTF8, NO_FILES, ""},
    {"RADB", "nrtm.radb.net", 43, CHARSET_UTF8,
     FILES(RADB "radb.db.gz"),
     RADB "RADB.CURRENTSERIAL"},
    {"REACH", "rr.telstraglobal.net", 43, CHARSET_UTF8, NO_FILES, ""},
    {"TC", "irr.bgp.net.br", 43, CHARSET_UTF8, NO_FILES, ""},
};
// clang-format on

const struct registry *registry_find(struct str source)
{
    for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++) {
        if (str_eq_nocase(source, str_from(registries[i].source))) {
            return &registries[i];
        }
    }
    return NULL;
}
