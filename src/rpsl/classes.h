/*
 * The object classes of the RIPE Database in order of output, one row each:
 * X(ID, "name", "short name", sort position, number in the database's `object_type` column).
 * Their templates are in rpsl/templates.h.
 */
#pragma once

/* clang-format off */
#define CLASS_LIST(X) \
  X(INETNUM,      "inetnum",      "in",  5,  6) \
  X(INET6NUM,     "inet6num",     "i6",  6,  5) \
  X(AS_BLOCK,     "as-block",     "ak",  7,  0) \
  X(AUT_NUM,      "aut-num",      "an",  8,  2) \
  X(AS_SET,       "as-set",       "as",  9,  1) \
  X(ROUTE,        "route",        "rt", 10, 12) \
  X(ROUTE6,       "route6",       "r6", 11, 19) \
  X(ROUTE_SET,    "route-set",    "rs", 12, 13) \
  X(INET_RTR,     "inet-rtr",     "ir", 15,  4) \
  X(FILTER_SET,   "filter-set",   "fs", 21, 14) \
  X(PEERING_SET,  "peering-set",  "ps", 22, 15) \
  X(RTR_SET,      "rtr-set",      "is", 23, 16) \
  X(DOMAIN,       "domain",       "dn", 30,  3) \
  X(POETIC_FORM,  "poetic-form",  "pf", 36, 21) \
  X(POEM,         "poem",         "po", 37, 20) \
  X(MNTNER,       "mntner",       "mt", 40,  9) \
  X(IRT,          "irt",          "it", 41, 17) \
  X(KEY_CERT,     "key-cert",     "kc", 45,  7) \
  X(ORGANISATION, "organisation", "oa", 48, 18) \
  X(ROLE,         "role",         "ro", 49, 11) \
  X(PERSON,       "person",       "pn", 50, 10)
/* clang-format on */
