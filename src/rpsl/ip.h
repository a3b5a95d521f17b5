/*
 * Address ranges and the notations of the query language (whois-queries 3.1 to 3.4).
 */
#pragma once

#include "base/str.h"

typedef unsigned __int128 u128;

/**
 * Both ends inclusive, begin <= end, host order; IPv4 and AS numbers in the low 32 bits.
 * Need not be a CIDR block.
 */
struct ip_range {
    u128 begin, end;
    bool is_v6;
};

/* Each takes the whole of s (blanks around it do not count) and returns ERR_OK or ERR_SYNTAX. */

/**
 * An address (four octets, no leading zeros), a prefix or a - b. In the latter two, octets missing
 * at the right are 0 and `010` and `+10` are 10, `-0` is 0; a prefix has no bits beyond its length.
 */
enum err ip_parse_v4(struct str s, struct ip_range *out) MUST_CHECK;
/**
 * An address or a prefix, `[]` round the address and a zone (`%1`) allowed; bits beyond the length
 * are dropped.
 * IPv4-mapped addresses (`::ffff:1.2.3.4`) are none of ours.
 */
enum err ip_parse_v6(struct str s, struct ip_range *out) MUST_CHECK;
/** v4 when there is no `:`, else v6. */
enum err ip_parse(struct str s, struct ip_range *out) MUST_CHECK;
/**
 * `…in-addr.arpa` with one to four octets (`16-31.2.0.192` is a range), `…ip6.arpa` with 1 to 32
 * digits; a trailing dot is allowed. e164.arpa is none of them.
 */
enum err ip_parse_reverse(struct str s, struct ip_range *out) MUST_CHECK;
/** `AS1 - AS5`, or a single `AS1`. @param max  The highest number that is one: UINT32_MAX, or for
 * what is only asked for more, at most INT64_MAX. */
enum err ip_parse_as_range(struct str s, uint64_t max, struct ip_range *out) MUST_CHECK;

#define IP_TEXT_MAX 96
/**
 * Canonical text, NUL-terminated: IPv4 `a.b.c.d - e.f.g.h`, IPv6 `prefix/len` with the last of the
 * longest zero runs as `::`, be it a single group. @return Length.
 */
size_t ip_format(const struct ip_range *range, char out[static IP_TEXT_MAX]);
/** The same, but IPv4 blocks as `a.b.c.d/len`, as routes are written. @return Length. */
size_t ip_format_prefix(const struct ip_range *range, char out[static IP_TEXT_MAX]);
/** `AS1 - AS5`. @return Length. */
size_t ip_format_as_range(const struct ip_range *range, char out[static IP_TEXT_MAX]);
/** The prefix length that covers exactly this range, or -1 when it is no CIDR block. */
int ip_prefix_length(const struct ip_range *range);
