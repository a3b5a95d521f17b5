/*
 * Each reader looks at the start of what is left and returns how many bytes its token takes, 0 for
 * none. What is looked at beyond a token is bounded by its kind, or is something that no policy
 * accepts behind it, so that reading all tokens is linear.
 */
#include "rpsl/policy_tokens.h"

#include "rpsl/ip.h"

#define OCTET_MAX     255
#define LABEL_MAX     63
#define COMMUNITY_MAX 65535

/* clang-format off */
static const struct {
    struct str text;
    unsigned scopes;
} words[WORD_COUNT] = {
#define X(id, text, scopes) [WORD_##id] = {STR_INIT(text), scopes},
    POLICY_WORD_LIST(X)
#undef X
};
/* clang-format on */

static const struct {
    struct str prefix;
    enum token_kind kind;
} sets[] = {
    {STR_INIT("AS-"),   TOKEN_AS_SET     },
    {STR_INIT("RS-"),   TOKEN_ROUTE_SET  },
    {STR_INIT("FLTR-"), TOKEN_FILTER_SET },
    {STR_INIT("PRNG-"), TOKEN_PEERING_SET},
    {STR_INIT("RTRS-"), TOKEN_RTR_SET    },
};

static struct str from(struct str s, size_t at)
{
    return str_sub(s, at, s.len);
}

static bool has_at(struct str s, size_t at, char c)
{
    return at < s.len && s.at[at] == c;
}

static size_t read_digits(struct str s)
{
    size_t len = 0;

    while (len < s.len && char_is_digit(s.at[len])) {
        len++;
    }
    return len;
}

/** Letters, digits, hyphens and what `also` is, a letter or digit last. */
static size_t read_name(struct str s, char also)
{
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (char_is_alnum(s.at[i])) {
            len = i + 1;
        } else if (s.at[i] != '-' && s.at[i] != also) {
            break;
        }
    }
    return len;
}

static bool is_number(struct str s, uint64_t max)
{
    uint64_t number;

    return str_to_u64(s, max, &number) == ERR_OK;
}

/** AS1: no leading zeros. */
static bool is_as_number(struct str s)
{
    return str_starts_nocase(s, STR("AS")) && (s.len == 3 || !has_at(s, 2, '0')) &&
           is_number(from(s, 2), UINT32_MAX);
}

/** One part of the name of a set. @param is_name  Set when the part is of this kind of set. */
static size_t read_set_part(struct str s, struct str prefix, bool *is_name)
{
    size_t len;

    if (str_starts_nocase(s, prefix)) {
        len = read_name(from(s, prefix.len), '_');
        *is_name |= len > 0;
        return len > 0 ? prefix.len + len : 0;
    }
    if (str_starts_nocase(s, STR("peeras"))) {
        return STR("peeras").len;
    }
    len = s.len > 2 ? 2 + read_digits(from(s, 2)) : 0;
    return is_as_number(str_sub(s, 0, len)) ? len : 0;
}

/** AS1:AS-FOO:PeerAS: parts with colons between them, at least one of which is a name. */
static size_t read_set(struct str s, struct str prefix)
{
    size_t len = 0, at = 0, part;
    bool is_name = false;

    while ((part = read_set_part(from(s, at), prefix, &is_name)) > 0) {
        at += part;
        len = is_name ? at : 0;
        if (!has_at(s, at, ':')) {
            break;
        }
        at++;
    }
    return len;
}

/** AS1 - AS5, with or without blanks. */
static size_t read_as_range(struct str s)
{
    size_t at = s.len > 2 ? 2 + read_digits(from(s, 2)) : 0, len;

    if (!is_as_number(str_sub(s, 0, at))) {
        return 0;
    }
    while (has_at(s, at, ' ')) {
        at++;
    }
    if (!has_at(s, at, '-')) {
        return 0;
    }
    do {
        at++;
    } while (has_at(s, at, ' '));
    len = read_name(from(s, at), '-');
    return is_as_number(str_sub(s, at, at + len)) ? at + len : 0;
}

/* --- numbers --- */

/** Four octets. @param is_good  Whether each is at most 255. */
static size_t read_v4(struct str s, bool *is_good)
{
    size_t at = 0, len;

    *is_good = true;
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && !has_at(s, at++, '.')) {
            return 0;
        }
        len = read_digits(from(s, at));
        if (len == 0) {
            return 0;
        }
        *is_good &= is_number(str_sub(s, at, at + len), OCTET_MAX);
        at += len;
    }
    return at;
}

static size_t read_v6(struct str s)
{
    struct ip_range range;
    size_t len = 0;

    while (len < s.len &&
           (char_is_digit(s.at[len]) || (s.at[len] | 0x20) >= 'a' || s.at[len] == ':') &&
           (s.at[len] | 0x20) <= 'f') {
        len++;
    }
    return len > 1 && str_find(str_sub(s, 0, len), ':', 0) < len &&
                   ip_parse_v6(str_sub(s, 0, len), &range) == ERR_OK
               ? len
               : 0;
}

/** ^+ ^- ^24 ^24-28. @param max  The most that a number may be. */
static size_t read_more_specific(struct str s, uint64_t max, bool *is_good)
{
    uint64_t low = 0, high = 0;
    size_t len, digits;

    *is_good = true;
    if (!has_at(s, 0, '^')) {
        return 0;
    }
    if (has_at(s, 1, '+') || has_at(s, 1, '-')) {
        return 2;
    }
    len = 1 + read_digits(from(s, 1));
    if (len == 1) {
        return 0;
    }
    *is_good = str_to_u64(str_sub(s, 1, len), max, &low) == ERR_OK;
    digits = has_at(s, len, '-') ? read_digits(from(s, len + 1)) : 0;
    if (digits > 0) {
        *is_good &= str_to_u64(str_sub(s, len + 1, len + 1 + digits), max, &high) == ERR_OK;
        *is_good &= low <= high;
        len += 1 + digits;
    }
    return len;
}

static struct token make(enum token_kind kind, struct str s, size_t len)
{
    return (struct token){kind, WORD_NONE, str_sub(s, 0, len)};
}

/** What may stand behind an address: `/24`, `/24^+`. */
static struct token read_prefix(struct str s, size_t address, bool is_v6, bool is_good)
{
    uint64_t max = is_v6 ? 128 : 32;
    size_t len = address + 1 + read_digits(from(s, address + 1));
    bool is_operator_good;

    if (!has_at(s, address, '/') || len == address + 1) {
        return make(!is_good ? TOKEN_BAD : is_v6 ? TOKEN_V6 : TOKEN_V4, s, address);
    }
    is_good &= is_number(str_sub(s, address + 1, len), max);
    len += read_more_specific(from(s, len), max, &is_operator_good);
    is_good &= is_operator_good;
    return make(!is_good ? TOKEN_BAD : is_v6 ? TOKEN_V6_PREFIX : TOKEN_V4_PREFIX, s, len);
}

static struct token read_number(const struct tokens *tokens)
{
    struct str s = tokens->rest;
    size_t digits = read_digits(s), len, more;
    bool is_good;

    if ((len = read_v4(s, &is_good)) > 0) {
        return read_prefix(s, len, false, is_good);
    }
    if (tokens->has_v6 && (len = read_v6(s)) > digits) {
        return read_prefix(s, len, true, true);
    }
    more = has_at(s, digits, ':') ? read_digits(from(s, digits + 1)) : 0;
    if (more > 0) {
        len = digits + 1 + more;
        is_good = is_number(str_sub(s, 0, digits), COMMUNITY_MAX) &&
                  is_number(str_sub(s, digits + 1, len), COMMUNITY_MAX);
        return make(is_good ? TOKEN_COMMUNITY : TOKEN_BAD, s, len);
    }
    return make(TOKEN_INT, s, digits);
}

/* --- words --- */

static enum policy_word find_word(struct str text, unsigned scope)
{
    for (unsigned word = WORD_NONE + 1; word < WORD_COUNT; word++) {
        if ((words[word].scopes & scope) != 0 && str_eq_nocase(words[word].text, text)) {
            return (enum policy_word)word;
        }
    }
    return WORD_NONE;
}

static struct token read_word(const struct tokens *tokens)
{
    struct str s = tokens->rest, name = str_sub(s, 0, read_name(s, '_'));
    size_t label = read_name(s, '-'), len;
    struct ip_range range;
    enum policy_word word;

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        len = read_set(s, sets[i].prefix);
        if (len >= label) {
            return make(sets[i].kind, s, len);
        }
    }
    if (tokens->has_v6 && (len = read_v6(s)) > label) {
        return read_prefix(s, len, true, true);
    }
    if ((len = read_as_range(s)) >= label) {
        bool is_good = ip_parse_as_range(str_sub(s, 0, len), UINT32_MAX, &range) == ERR_OK;

        return make(is_good ? TOKEN_AS_RANGE : TOKEN_BAD, s, len);
    }
    if (is_as_number(str_sub(s, 0, label))) {
        return make(TOKEN_AS, s, label);
    }
    word = find_word(name, tokens->scope);
    if (word != WORD_NONE) {
        return (struct token){TOKEN_WORD, word, name};
    }
    return make(label <= LABEL_MAX ? TOKEN_LABEL : TOKEN_BAD, s, label);
}

static struct token read_sign(const struct tokens *tokens)
{
    struct str s = tokens->rest;
    bool is_good;
    size_t len = read_more_specific(s, tokens->has_v6 ? 128 : 32, &is_good);

    if (len > 0) {
        return make(is_good ? TOKEN_MORE_SPECIFIC : TOKEN_BAD, s, len);
    }
    if (str_starts(s, STR(".="))) {
        return make(TOKEN_APPEND, s, 2);
    }
    if (str_starts(s, STR("=="))) {
        return make(TOKEN_COMPARE, s, 2);
    }
    if (tokens->has_v6 && (len = read_v6(s)) > 0) {
        return read_prefix(s, len, true, true);
    }
    return make(TOKEN_SIGN, s, 1);
}

struct token token_next(struct tokens *tokens)
{
    struct token token;

    tokens->rest = str_trim(tokens->rest);
    if (tokens->rest.len == 0) {
        token = make(TOKEN_END, tokens->rest, 0);
    } else if (char_is_digit(tokens->rest.at[0])) {
        token = read_number(tokens);
    } else if (char_is_letter(tokens->rest.at[0])) {
        token = read_word(tokens);
    } else {
        token = read_sign(tokens);
    }
    tokens->rest = from(tokens->rest, token.text.len);
    return token;
}
