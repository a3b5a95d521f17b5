/*
 * Address notations, read and written without the C library: what whois clients may type is both
 * wider and narrower than what inet_pton() takes.
 * A reader works on a slice and cuts off what it has read; a notation is accepted when nothing is
 * left.
 */
#include "rpsl/ip.h"

#include <string.h>

#define V4_BITS 32
#define V6_BITS 128

/** @return Value of a digit in a base up to 16, or -1. */
static int digit_value(char c, int base)
{
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : 16;

    return value < base ? value : -1;
}

/** The whole of s as digits, leading zeros and all. */
static bool read_digits(struct str s, int base, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;

    for (size_t i = 0; i < s.len; i++) {
        int digit = digit_value(s.at[i], base);

        if (digit < 0) {
            return false;
        }
        number = number * (unsigned)base + (unsigned)digit;
        if (number > max) {
            return false;
        }
    }
    *out = number;
    return s.len > 0;
}

/** A decimal number in natural form: no sign, no leading zeros. */
static bool read_natural(struct str s, uint64_t max, uint64_t *out)
{
    return (s.len == 1 || (s.len > 1 && s.at[0] != '0')) && read_digits(s, 10, max, out);
}

/** A decimal number that may have a sign and leading zeros; -0 is 0, too. */
static bool read_lenient(struct str s, uint64_t max, uint64_t *out)
{
    bool is_negative = s.len > 0 && s.at[0] == '-';

    return read_digits(is_negative || (s.len > 0 && s.at[0] == '+') ? str_sub(s, 1, s.len) : s, 10,
                       is_negative ? 0 : max, out);
}

enum spelling { NATURAL, LENIENT }; /* As above. */

/** Dotted octets, at least `least` of four; those missing at the right are 0. */
static bool read_octets(struct str s, unsigned least, enum spelling spelling, u128 *out)
{
    const char *at = s.at, *end, *begin;
    uint32_t address = 0;
    unsigned count = 0, octet;

    if (s.len == 0) {
        return false;
    }
    for (end = at + s.len;; at++) {
        bool is_negative = spelling == LENIENT && at < end && *at == '-';

        octet = 0;
        at += is_negative || (spelling == LENIENT && at < end && *at == '+');
        for (begin = at; at < end && *at >= '0' && *at <= '9' && octet <= 255; at++) {
            octet = octet * 10 + (unsigned)(*at - '0');
        }
        if (count == 4 || at == begin || octet > 255 || (is_negative && octet > 0) ||
            (spelling == NATURAL && *begin == '0' && at > begin + 1)) {
            return false;
        }
        address |= octet << (24 - 8 * count);
        count++;
        if (at == end) {
            break;
        }
        if (*at != '.') {
            return false;
        }
    }
    *out = address;
    return count >= least;
}

/** All bits behind the first `length` of `bits`. */
static u128 host_mask(uint64_t length, unsigned bits)
{
    u128 all = bits == V6_BITS ? ~(u128)0 : ((u128)1 << bits) - 1;

    return length == 0 ? all : length >= bits ? 0 : ((u128)1 << (bits - length)) - 1;
}

enum err ip_parse_v4(struct str s, struct ip_range *out)
{
    struct ip_range range = {.is_v6 = false};
    size_t slash, dash;

    s = str_trim(s);
    slash = str_find(s, '/', 0);
    dash = str_find(s, '-', 0);
    if (slash < s.len) {
        uint64_t length;

        if (!read_octets(str_trim(str_sub(s, 0, slash)), 1, LENIENT, &range.begin) ||
            !read_lenient(str_trim(str_sub(s, slash + 1, s.len)), V4_BITS, &length) ||
            (range.begin & host_mask(length, V4_BITS)) != 0) {
            return ERR_SYNTAX;
        }
        range.end = range.begin | host_mask(length, V4_BITS);
    } else if (dash < s.len) {
        if (!read_octets(str_trim(str_sub(s, 0, dash)), 1, LENIENT, &range.begin) ||
            !read_octets(str_trim(str_sub(s, dash + 1, s.len)), 1, LENIENT, &range.end) ||
            range.begin > range.end) {
            return ERR_SYNTAX;
        }
    } else {
        if (!read_octets(s, 4, NATURAL, &range.begin)) {
            return ERR_SYNTAX;
        }
        range.end = range.begin;
    }
    *out = range;
    return ERR_OK;
}

/**
 * One to eight groups behind each other; the last two may be written as an IPv4 address.
 * @return Number of groups, 0 when it is anything else.
 */
static unsigned read_groups(struct str s, uint16_t groups[static 8])
{
    unsigned count = 0;
    struct str piece;

    while (str_split(&s, ':', &piece)) {
        uint64_t group;
        u128 v4;

        if (count < 8 && piece.len <= 4 && read_digits(piece, 16, 0xffff, &group)) {
            groups[count++] = (uint16_t)group;
        } else if (count < 7 && s.at == NULL && read_octets(piece, 4, NATURAL, &v4)) {
            groups[count++] = (uint16_t)(v4 >> 16);
            groups[count++] = (uint16_t)v4;
        } else {
            return 0;
        }
    }
    return count;
}

/** @return Index of the first `::`, or s.len. */
static size_t find_gap(struct str s)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.at[i] == ':' && s.at[i + 1] == ':') {
            return i;
        }
    }
    return s.len;
}

/** Cut off `%1`, a zone of up to nine digits; not from an address that ends like one of IPv4. */
static struct str without_zone(struct str s)
{
    size_t zone = str_find(s, '%', 0);
    bool is_number = zone < s.len && s.len - zone <= 10 && str_find(s, '.', 0) == s.len;

    for (size_t i = zone + 1; i < s.len; i++) {
        is_number = is_number && digit_value(s.at[i], 10) >= 0;
    }
    return is_number ? str_sub(s, 0, zone) : s;
}

static bool read_v6_address(struct str s, u128 *out)
{
    uint16_t groups[8] = {0}, behind[8];
    size_t gap = find_gap(s = without_zone(s));
    u128 address = 0;

    if (gap == s.len) {
        if (read_groups(s, groups) != 8) {
            return false;
        }
    } else {
        struct str left = str_sub(s, 0, gap);
        struct str right = str_sub(s, gap + 2, s.len);
        unsigned left_count = left.len > 0 ? read_groups(left, groups) : 0;
        unsigned right_count = right.len > 0 ? read_groups(right, behind) : 0;

        if ((left.len > 0 && (left_count == 0 || str_find(left, '.', 0) < left.len)) ||
            (right.len > 0 && right_count == 0) || left_count + right_count > 7) {
            return false;
        }
        memset(groups + left_count, 0, (8 - left_count) * sizeof(groups[0]));
        memcpy(groups + 8 - right_count, behind, right_count * sizeof(groups[0]));
    }
    for (unsigned i = 0; i < 8; i++) {
        address = address << 16 | groups[i];
    }
    *out = address;
    return address >> 32 != 0xffff; /* IPv4-mapped. */
}

enum err ip_parse_v6(struct str s, struct ip_range *out)
{
    struct ip_range range = {.is_v6 = true};
    uint64_t length = V6_BITS;
    size_t slash;

    s = str_trim(s);
    slash = str_find(s, '/', 0);
    if (slash < s.len && !read_lenient(str_sub(s, slash + 1, s.len), V6_BITS, &length)) {
        return ERR_SYNTAX;
    }
    s = str_sub(s, 0, slash);
    if (s.len > 1 && s.at[0] == '[' && s.at[s.len - 1] == ']') {
        s = str_sub(s, 1, s.len - 1);
    }
    if (!read_v6_address(s, &range.begin)) {
        return ERR_SYNTAX;
    }
    range.begin &= ~host_mask(length, V6_BITS);
    range.end = range.begin | host_mask(length, V6_BITS);
    *out = range;
    return ERR_OK;
}

enum err ip_parse(struct str s, struct ip_range *out)
{
    return str_find(s, ':', 0) == s.len ? ip_parse_v4(s, out) : ip_parse_v6(s, out);
}

/**
 * `4.3.2.1` or `16-31.3.2.1`: one to four labels, least significant first, a dash range only in
 * the first of four.
 */
static enum err read_in_addr(struct str labels, struct ip_range *out)
{
    struct ip_range range = {.is_v6 = false};
    unsigned count = 0;
    struct str label;

    while (str_split(&labels, '.', &label)) {
        size_t dash = str_find(label, '-', 0);
        uint64_t begin, end;

        if (count == 4 || !read_natural(str_sub(label, 0, dash), 255, &begin)) {
            return ERR_SYNTAX;
        }
        end = begin;
        if (dash < label.len &&
            (count > 0 || !read_digits(str_sub(label, dash + 1, label.len), 10, 255, &end))) {
            return ERR_SYNTAX;
        }
        range.begin |= (u128)begin << 8 * count;
        range.end |= (u128)end << 8 * count;
        count++;
    }
    if (count == 0 || (count < 4 && range.begin != range.end) || range.begin > range.end) {
        return ERR_SYNTAX;
    }
    /* Labels missing at the left are octets missing at the right. */
    range.begin <<= 8 * (4 - count);
    range.end = range.end << 8 * (4 - count) | host_mask(8 * count, V4_BITS);
    *out = range;
    return ERR_OK;
}

/** One to 32 labels of a single hexadecimal digit, least significant first. */
static enum err read_ip6(struct str labels, struct ip_range *out)
{
    struct ip_range range = {.is_v6 = true};
    unsigned count = 0;
    struct str label;

    while (str_split(&labels, '.', &label)) {
        uint64_t digit;

        if (count == 32 || label.len != 1 || !read_digits(label, 16, 15, &digit)) {
            return ERR_SYNTAX;
        }
        range.begin |= (u128)digit << 4 * count;
        count++;
    }
    if (count == 0) {
        return ERR_SYNTAX;
    }
    range.begin <<= 4 * (32 - count);
    range.end = range.begin | host_mask(4 * count, V6_BITS);
    *out = range;
    return ERR_OK;
}

enum err ip_parse_reverse(struct str s, struct ip_range *out)
{
    static const struct str in_addr = STR_INIT(".in-addr.arpa"), ip6 = STR_INIT(".ip6.arpa");

    s = str_trim(s);
    if (s.len > 0 && s.at[s.len - 1] == '.') {
        s.len--;
    }
    if (str_ends_nocase(s, in_addr)) {
        return read_in_addr(str_sub(s, 0, s.len - in_addr.len), out);
    }
    if (str_ends_nocase(s, ip6)) {
        return read_ip6(str_sub(s, 0, s.len - ip6.len), out);
    }
    return ERR_SYNTAX;
}

static bool read_as_number(struct str s, uint64_t max, u128 *out)
{
    uint64_t number;

    if (!str_starts_nocase(s, STR("AS")) || !read_digits(str_sub(s, 2, s.len), 10, max, &number)) {
        return false;
    }
    *out = number;
    return true;
}

enum err ip_parse_as_range(struct str s, uint64_t max, struct ip_range *out)
{
    struct ip_range range = {.is_v6 = false};
    size_t dash;

    s = str_trim(s);
    dash = str_find(s, '-', 0);
    if (!read_as_number(str_trim_right(str_sub(s, 0, dash)), max, &range.begin)) {
        return ERR_SYNTAX;
    }
    range.end = range.begin;
    if (dash < s.len && (!read_as_number(str_trim(str_sub(s, dash + 1, s.len)), max, &range.end) ||
                         range.begin > range.end)) {
        return ERR_SYNTAX;
    }
    *out = range;
    return ERR_OK;
}

int ip_prefix_length(const struct ip_range *range)
{
    unsigned bits = range->is_v6 ? V6_BITS : V4_BITS;
    u128 host = range->begin ^ range->end;
    int length = (int)bits;

    if ((host & (host + 1)) != 0 || (range->begin & host) != 0) {
        return -1; /* The differing bits are not the lowest ones, or not all of them are covered. */
    }
    return length - __builtin_popcountll((uint64_t)(host >> 64)) -
           __builtin_popcountll((uint64_t)host);
}

/*
 * Writers put text at `to` and return the byte behind it. Hundreds of thousands of addresses are
 * written during a load, which is why they are not printf()'s.
 */

static char *put_text(char *to, struct str text)
{
    memcpy(to, text.at, text.len);
    return to + text.len;
}

static char *put_number(char *to, uint32_t number, uint32_t base)
{
    char digits[10];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    while (count > 0) {
        *to++ = digits[--count];
    }
    return to;
}

static char *put_v4(char *to, uint32_t address)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        unsigned octet = address >> shift & 255;

        if (octet >= 100) {
            *to++ = (char)('0' + octet / 100);
        }
        if (octet >= 10) {
            *to++ = (char)('0' + octet / 10 % 10);
        }
        *to++ = (char)('0' + octet % 10);
        *to++ = '.';
    }
    return to - 1; /* No dot at the end. */
}

static char *put_v6(char *to, u128 address)
{
    uint32_t groups[8];
    unsigned gap_at = 8, gap_len = 0, run = 0;

    for (unsigned i = 0; i < 8; i++) {
        groups[i] = (uint16_t)(address >> (112 - 16 * i));
        run = groups[i] == 0 ? run + 1 : 0;
        if (run > 0 && run >= gap_len) {
            gap_len = run;
            gap_at = i + 1 - run;
        }
    }
    for (unsigned i = 0; i < 8;) {
        if (i == gap_at) {
            to = put_text(to, i == 0 ? STR("::") : STR(":"));
            i += gap_len;
        } else {
            to = put_number(to, groups[i], 16);
            if (++i < 8) {
                *to++ = ':';
            }
        }
    }
    return to;
}

static char *put_address(char *to, bool is_v6, u128 address)
{
    return is_v6 ? put_v6(to, address) : put_v4(to, (uint32_t)address);
}

static char *put_ends(char *to, const struct ip_range *range)
{
    to = put_address(to, range->is_v6, range->begin);
    to = put_text(to, STR(" - "));
    return put_address(to, range->is_v6, range->end);
}

static size_t finish(char *out, char *end)
{
    *end = '\0';
    return (size_t)(end - out);
}

size_t ip_format_prefix(const struct ip_range *range, char out[static IP_TEXT_MAX])
{
    int length = ip_prefix_length(range);
    char *to;

    if (length < 0) {
        return finish(out, put_ends(out, range));
    }
    to = put_address(out, range->is_v6, range->begin);
    *to++ = '/';
    return finish(out, put_number(to, (uint32_t)length, 10));
}

size_t ip_format(const struct ip_range *range, char out[static IP_TEXT_MAX])
{
    return range->is_v6 ? ip_format_prefix(range, out) : finish(out, put_ends(out, range));
}

size_t ip_format_as_range(const struct ip_range *range, char out[static IP_TEXT_MAX])
{
    char *to = put_text(out, STR("AS"));

    to = put_number(to, (uint32_t)range->begin, 10);
    to = put_text(to, STR(" - AS"));
    return finish(out, put_number(to, (uint32_t)range->end, 10));
}
