/*
 * The attributes of the RIPE Database, one row each:
 * X(ID, "name", "short name", flags of rpsl/schema.h).
 * To add one: a row here, and one in each class that has it (rpsl/templates.h). All else follows.
 */
#pragma once

/* clang-format off */
#define ATTRIBUTE_LIST(X) \
  X(ABUSE_C,         "abuse-c",         "au",  ATTR_REFERENCE | ATTR_CONTACT_REF) \
  X(ABUSE_MAILBOX,   "abuse-mailbox",   "am",  ATTR_EMAIL_VALUE) \
  X(ADDRESS,         "address",         "ad",  0) \
  X(ADMIN_C,         "admin-c",         "ac",  ATTR_REFERENCE | ATTR_CONTACT_REF | ATTR_FOLLOWED) \
  X(AGGR_BNDRY,      "aggr-bndry",      "ab",  0) \
  X(AGGR_MTD,        "aggr-mtd",        "ag",  0) \
  X(ALIAS,           "alias",           "az",  0) \
  X(AS_BLOCK,        "as-block",        "ak",  0) \
  X(AS_NAME,         "as-name",         "aa",  0) \
  X(AS_SET,          "as-set",          "as",  0) \
  X(ASSIGNMENT_SIZE, "assignment-size", "ae",  0) \
  X(AUT_NUM,         "aut-num",         "an",  0) \
  X(AUTH,            "auth",            "at",  0) \
  X(AUTHOR,          "author",          "ah",  ATTR_REFERENCE | ATTR_CONTACT_REF | ATTR_FOLLOWED) \
  X(CERTIF,          "certif",          "ce",  0) \
  X(CHANGED,         "changed",         "ch",  ATTR_FILTERED) \
  X(COMPONENTS,      "components",      "co",  0) \
  X(CONTACT,         "contact",         "con", 0) \
  X(COUNTRY,         "country",         "cy",  0) \
  X(CREATED,         "created",         "cr",  0) \
  X(DEFAULT,         "default",         "df",  0) \
  X(DESCR,           "descr",           "de",  0) \
  X(DOMAIN,          "domain",          "dn",  0) \
  X(DS_RDATA,        "ds-rdata",        "ds",  0) \
  X(E_MAIL,          "e-mail",          "em",  ATTR_EMAIL_VALUE | ATTR_FILTERED) \
  X(ENCRYPTION,      "encryption",      "en",  0) \
  X(EXPORT,          "export",          "ex",  0) \
  X(EXPORT_COMPS,    "export-comps",    "ec",  0) \
  X(EXPORT_VIA,      "export-via",      "ev",  0) \
  X(FAX_NO,          "fax-no",          "fx",  0) \
  X(FILTER,          "filter",          "fi",  0) \
  X(FILTER_SET,      "filter-set",      "fs",  0) \
  X(FINGERPR,        "fingerpr",        "fp",  0) \
  X(FORM,            "form",            "fr",  ATTR_LIST_VALUED | ATTR_REFERENCE) \
  X(GEOFEED,         "geofeed",         "gf",  0) \
  X(GEOLOC,          "geoloc",          "gl",  0) \
  X(HOLES,           "holes",           "ho",  ATTR_LIST_VALUED) \
  X(IFADDR,          "ifaddr",          "if",  0) \
  X(IMPORT,          "import",          "ip",  0) \
  X(IMPORT_VIA,      "import-via",      "iv",  0) \
  X(INET_RTR,        "inet-rtr",        "ir",  0) \
  X(INET6NUM,        "inet6num",        "i6",  0) \
  X(INETNUM,         "inetnum",         "in",  0) \
  X(INJECT,          "inject",          "ij",  0) \
  X(INTERFACE,       "interface",       "ie",  0) \
  X(IRT,             "irt",             "it",  0) \
  X(IRT_NFY,         "irt-nfy",         "iy",  ATTR_EMAIL_VALUE) \
  X(KEY_CERT,        "key-cert",        "kc",  0) \
  X(LANGUAGE,        "language",        "ln",  0) \
  X(LAST_MODIFIED,   "last-modified",   "lm",  0) \
  X(LOCAL_AS,        "local-as",        "la",  0) \
  X(MBRS_BY_REF,     "mbrs-by-ref",     "mr",  ATTR_LIST_VALUED | ATTR_REFERENCE) \
  X(MEMBER_OF,       "member-of",       "mo",  ATTR_LIST_VALUED | ATTR_REFERENCE) \
  X(MEMBERS,         "members",         "ms",  ATTR_LIST_VALUED) \
  X(METHOD,          "method",          "mh",  0) \
  X(MNT_BY,          "mnt-by",          "mb",  ATTR_LIST_VALUED | ATTR_REFERENCE) \
  X(MNT_DOMAINS,     "mnt-domains",     "md",  ATTR_LIST_VALUED | ATTR_REFERENCE) \
  X(MNT_IRT,         "mnt-irt",         "mi",  ATTR_LIST_VALUED | ATTR_REFERENCE) \
  X(MNT_LOWER,       "mnt-lower",       "ml",  ATTR_LIST_VALUED | ATTR_REFERENCE) \
  X(MNT_NFY,         "mnt-nfy",         "mn",  ATTR_EMAIL_VALUE | ATTR_FILTERED) \
  X(MNT_REF,         "mnt-ref",         "mz",  ATTR_LIST_VALUED | ATTR_REFERENCE) \
  X(MNT_ROUTES,      "mnt-routes",      "mu",  ATTR_REFERENCE) \
  X(MNTNER,          "mntner",          "mt",  0) \
  X(MP_DEFAULT,      "mp-default",      "ma",  0) \
  X(MP_EXPORT,       "mp-export",       "me",  0) \
  X(MP_FILTER,       "mp-filter",       "mf",  0) \
  X(MP_IMPORT,       "mp-import",       "my",  0) \
  X(MP_MEMBERS,      "mp-members",      "mm",  ATTR_LIST_VALUED) \
  X(MP_PEER,         "mp-peer",         "mp",  0) \
  X(MP_PEERING,      "mp-peering",      "mg",  0) \
  X(NETNAME,         "netname",         "na",  0) \
  X(NIC_HDL,         "nic-hdl",         "nh",  0) \
  X(NOTIFY,          "notify",          "ny",  ATTR_EMAIL_VALUE | ATTR_FILTERED) \
  X(NSERVER,         "nserver",         "ns",  0) \
  X(ORG,             "org",             "og",  ATTR_REFERENCE | ATTR_FOLLOWED) \
  X(ORG_NAME,        "org-name",        "on",  0) \
  X(ORG_TYPE,        "org-type",        "ot",  0) \
  X(ORGANISATION,    "organisation",    "oa",  0) \
  X(ORIGIN,          "origin",          "or",  0) \
  X(OWNER,           "owner",           "ow",  0) \
  X(PEER,            "peer",            "pe",  0) \
  X(PEERING,         "peering",         "pg",  0) \
  X(PEERING_SET,     "peering-set",     "ps",  0) \
  X(PERSON,          "person",          "pn",  0) \
  X(PHONE,           "phone",           "ph",  0) \
  X(PING_HDL,        "ping-hdl",        "pc",  ATTR_REFERENCE | ATTR_CONTACT_REF | ATTR_FOLLOWED) \
  X(PINGABLE,        "pingable",        "pa",  0) \
  X(POEM,            "poem",            "po",  0) \
  X(POETIC_FORM,     "poetic-form",     "pf",  0) \
  X(PREFIXLEN,       "prefixlen",       "pl",  0) \
  X(REF_NFY,         "ref-nfy",         "rn",  ATTR_EMAIL_VALUE | ATTR_FILTERED) \
  X(REG_NR,          "reg-nr",          "re",  0) \
  X(REMARKS,         "remarks",         "rm",  0) \
  X(ROLE,            "role",            "ro",  0) \
  X(ROUTE,           "route",           "rt",  0) \
  X(ROUTE_SET,       "route-set",       "rs",  0) \
  X(ROUTE6,          "route6",          "r6",  0) \
  X(RTR_SET,         "rtr-set",         "is",  0) \
  X(SIGNATURE,       "signature",       "sg",  0) \
  X(SOURCE,          "source",          "so",  0) \
  X(SPONSORING_ORG,  "sponsoring-org",  "sp",  ATTR_REFERENCE) \
  X(STATUS,          "status",          "st",  0) \
  X(TECH_C,          "tech-c",          "tc",  ATTR_REFERENCE | ATTR_CONTACT_REF | ATTR_FOLLOWED) \
  X(TEXT,            "text",            "tx",  0) \
  X(UPD_TO,          "upd-to",          "dt",  ATTR_EMAIL_VALUE | ATTR_FILTERED) \
  X(ZONE_C,          "zone-c",          "zc",  ATTR_REFERENCE | ATTR_CONTACT_REF | ATTR_FOLLOWED)
/* clang-format on */
