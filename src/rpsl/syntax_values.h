/*
 * The syntax of values that are no policies: names, numbers, addresses, and so on. Each takes a
 * clean value, of a list one element, and looks at each byte a bounded number of times.
 */
#pragma once

#include "rpsl/schema.h"

bool value_is_address(struct str value);    /* One address of either family. */
bool value_is_alias(struct str value);      /* A host's name; a dot at the end is allowed. */
bool value_is_as_block(struct str value);   /* AS1 - AS5 */
bool value_is_as_number(struct str value);  /* AS1, without leading zeros. */
bool value_is_auth(struct str value);       /* MD5-PW, PGPKEY-, SSO, X509- */
bool value_is_domain(struct str value);     /* A reverse delegation or a number in e164.arpa. */
bool value_is_ds_rdata(struct str value);   /* RFC 4034, the digest's length is that of its type. */
bool value_is_email(struct str value);      /* RFC 2822: a@b, Name <a@b>; 80 characters. */
bool value_is_geoloc(struct str value);     /* Latitude and longitude. */
bool value_is_inet6num(struct str value);   /* As ip_parse_v6(). */
bool value_is_inetnum(struct str value);    /* As ip_parse_v4(). */
bool value_is_irt(struct str value);        /* IRT-FOO */
bool value_is_key_cert(struct str value);   /* PGPKEY-01234567, X509-1 */
bool value_is_mnt_routes(struct str value); /* FOO-MNT {10.0.0.0/8^+} or FOO-MNT ANY */
bool value_is_name(struct str value);       /* Two to 80 characters; no word of RPSL. */
bool value_is_netname(struct str value);    /* One to 80 characters. */
bool value_is_nic_hdl(struct str value);    /* AA1-RIPE */
bool value_is_nserver(struct str value);    /* A host's name and perhaps an address. */
bool value_is_number(struct str value);     /* Digits. */
bool value_is_org_name(struct str value);   /* One to 30 words. */
bool value_is_org_type(struct str value);
bool value_is_organisation(struct str value); /* ORG-AA1-RIPE */
bool value_is_person(struct str value);       /* Two to ten words. */
bool value_is_phone(struct str value);        /* +31 20 535 (0) 4444 ext. 1 */
bool value_is_poem(struct str value);
bool value_is_poetic_form(struct str value);
bool value_is_route(struct str value);  /* An IPv4 prefix without host bits. */
bool value_is_route6(struct str value); /* An IPv6 prefix, whose host bits do not matter. */
bool value_is_router(struct str value); /* As alias, with underscores. */
bool value_is_source(struct str value);
bool value_is_two_letters(struct str value); /* Of a country or language. */
bool value_is_url(struct str value);         /* https:// */

bool value_is_prefix_range(struct str value, bool allows_v6); /* 10.0.0.0/8^9-24 */
bool value_is_route_set_range(struct str value); /* RS-FOO^+, or without an operator. */
/** @param class  Of the set: as-set, route-set, rtr-set, filter-set, peering-set. */
bool value_is_set_name(enum rpsl_class class, struct str value);
/** @param class  inetnum, inet6num or aut-num. */
bool value_is_status(enum rpsl_class class, struct str value);
