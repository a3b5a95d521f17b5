/*
 * Address ranges and the notations of the query language (whois-queries 3.1 to 3.4).
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"

typedef unsigned __int128 u128;

/** Both ends inclusive, begin <= end, host order; IPv4 and AS numbers in the low 32 bits. Need not be a CIDR block. */
struct ip_range {
    u128 begin, end;
    bool is_v6;
};

/* Each takes the whole of s and returns ERR_OK or ERR_SYNTAX. The leniencies of sections 3.2 and 3.3 apply. */
enum err ip_parse_v4(struct str s, struct ip_range *out) MUST_CHECK; /* Address, prefix, or a - b. */
enum err ip_parse_v6(struct str s, struct ip_range *out) MUST_CHECK; /* Address or prefix; host bits masked. */
/** v4 when there is no `:`, else v6. */
enum err ip_parse(struct str s, struct ip_range *out) MUST_CHECK;
/** `…in-addr.arpa` or `…ip6.arpa`, trailing dot allowed, dash ranges in the first label. Not e164.arpa. */
enum err ip_parse_reverse(struct str s, struct ip_range *out) MUST_CHECK;
/** `AS1 - AS5`, or a single `AS1`. */
enum err ip_parse_as_range(struct str s, struct ip_range *out) MUST_CHECK;

#define IP_TEXT_MAX 96
/** Canonical text: IPv4 `a.b.c.d - e.f.g.h`, IPv6 `prefix/len` (zero runs as section 3.3 says). @return Length. */
size_t ip_format(const struct ip_range *range, char out[static IP_TEXT_MAX]);
/** The shortest prefix length that covers exactly this range, or -1 when it is no CIDR block. */
int ip_prefix_length(const struct ip_range *range);
