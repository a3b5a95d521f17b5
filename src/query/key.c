/*
 * A key is scanned once for the kinds of characters it holds. A test first asks which kinds it
 * allows and needs, and which letters must occur; that settles most of the tests for most of the
 * keys, and only the rest reaches PCRE2.
 */
#include "query/key.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* --- what makes a class a candidate --- */

// clang-format off
const struct lookup lookups[CLASS_UNKNOWN][LOOKUPS_MAX + 1] = {
    [CLASS_INETNUM] = {{KEY_IS(IP4), SEARCH_RANGE}, {KEY_IS(NETNAME), SEARCH_NETNAME}},
    [CLASS_INET6NUM] = {{KEY_IS(IP6), SEARCH_RANGE}, {KEY_IS(NETNAME), SEARCH_NETNAME}},
    [CLASS_AS_BLOCK] = {{KEY_IS(AS_RANGE), SEARCH_AS_BLOCK}},
    [CLASS_AUT_NUM] = {{KEY_IS(AUT_NUM), SEARCH_KEY}},
    [CLASS_AS_SET] = {{KEY_IS(AS_SET), SEARCH_KEY}},
    [CLASS_ROUTE] = {{KEY_IS(ROUTE4), SEARCH_RANGE}},
    [CLASS_ROUTE6] = {{KEY_IS(ROUTE6), SEARCH_RANGE}},
    [CLASS_ROUTE_SET] = {{KEY_IS(ROUTE_SET), SEARCH_KEY}},
    [CLASS_INET_RTR] = {{KEY_IS(HOST), SEARCH_KEY}},
    [CLASS_FILTER_SET] = {{KEY_IS(FILTER_SET), SEARCH_KEY}},
    [CLASS_PEERING_SET] = {{KEY_IS(PEERING_SET), SEARCH_KEY}},
    [CLASS_RTR_SET] = {{KEY_IS(RTR_SET), SEARCH_KEY}},
    [CLASS_DOMAIN] = {{KEY_IS(HOST) | KEY_IS(IP4) | KEY_IS(IP6), SEARCH_DOMAIN}},
    [CLASS_POETIC_FORM] = {{KEY_IS(FORM), SEARCH_KEY}},
    [CLASS_POEM] = {{KEY_IS(POEM), SEARCH_KEY}},
    [CLASS_MNTNER] = {{KEY_IS(LETTER), SEARCH_KEY}},
    [CLASS_IRT] = {{KEY_IS(IRT), SEARCH_KEY}, {KEY_IS(EMAIL), SEARCH_EMAIL}},
    [CLASS_KEY_CERT] = {{KEY_IS(KEY_CERT), SEARCH_KEY}},
    [CLASS_ORGANISATION] = {{KEY_IS(ORGANISATION), SEARCH_KEY},
                            {KEY_IS(LETTER), SEARCH_WORDS},
                            {KEY_IS(EMAIL), SEARCH_EMAIL}},
    [CLASS_ROLE] = {{KEY_IS(NIC_HDL), SEARCH_KEY},
                    {KEY_IS(LETTER), SEARCH_WORDS},
                    {KEY_IS(EMAIL), SEARCH_EMAIL}},
    [CLASS_PERSON] = {{KEY_IS(NIC_HDL), SEARCH_KEY},
                      {KEY_IS(LETTER), SEARCH_WORDS},
                      {KEY_IS(EMAIL), SEARCH_EMAIL}},
};
// clang-format on

#define RESOURCE_CLASSES                                                                           \
    (CLASS_BIT(CLASS_INETNUM) | CLASS_BIT(CLASS_INET6NUM) | CLASS_BIT(CLASS_AUT_NUM) |             \
     CLASS_BIT(CLASS_ROUTE) | CLASS_BIT(CLASS_ROUTE6) | CLASS_BIT(CLASS_DOMAIN))
#define REVERSE_CLASSES                                                                            \
    (CLASS_BIT(CLASS_INETNUM) | CLASS_BIT(CLASS_INET6NUM) | CLASS_BIT(CLASS_ROUTE) |               \
     CLASS_BIT(CLASS_ROUTE6) | CLASS_BIT(CLASS_DOMAIN))
#define ABUSE_CLASSES                                                                              \
    (CLASS_BIT(CLASS_INETNUM) | CLASS_BIT(CLASS_INET6NUM) | CLASS_BIT(CLASS_AUT_NUM))
#define PERSONAL_CLASSES (CLASS_BIT(CLASS_PERSON) | CLASS_BIT(CLASS_ROLE))

/* --- kinds of characters --- */

enum {
    KIND_LETTER = 1,
    KIND_DIGIT = 2,
    KIND_DASH = 4,
    KIND_UNDERSCORE = 8,
    KIND_COLON = 16,
    KIND_DOT = 32,
    KIND_SLASH = 64,
    KIND_AT = 128,
    KIND_BLANK = 256,
    KIND_OTHER = 512,
    KIND_TAB = 1024, /* White space that becomes a blank. */
    KIND_ANY = 2047,
};

/* Of each byte. */
static const uint16_t kinds_by_byte[256] = {
    [0 ... '\t' - 1] = KIND_OTHER,
    ['\t'] = KIND_TAB,
    ['\t' + 1 ... '\r' - 1] = KIND_OTHER,
    ['\r'] = KIND_TAB,
    ['\r' + 1 ... ' ' - 1] = KIND_OTHER,
    [' '] = KIND_BLANK,
    [' ' + 1 ... '-' - 1] = KIND_OTHER,
    ['-'] = KIND_DASH,
    ['.'] = KIND_DOT,
    ['/'] = KIND_SLASH,
    ['0' ... '9'] = KIND_DIGIT,
    [':'] = KIND_COLON,
    [':' + 1 ... '@' - 1] = KIND_OTHER,
    ['@'] = KIND_AT,
    ['A' ... 'Z'] = KIND_LETTER,
    ['Z' + 1 ... '_' - 1] = KIND_OTHER,
    ['_'] = KIND_UNDERSCORE,
    ['_' + 1 ... 'a' - 1] = KIND_OTHER,
    ['a' ... 'z'] = KIND_LETTER,
    ['z' + 1 ... 255] = KIND_OTHER,
};

static unsigned kinds_of(struct str text)
{
    unsigned found = 0;

    for (size_t i = 0; i < text.len; i++) {
        found |= kinds_by_byte[(unsigned char)text.at[i]];
    }
    return found;
}

/* --- tests by syntax --- */

struct syntax {
    enum key_test test;
    unsigned allowed, needed;      /* Kinds of characters. */
    struct str tag;                /* Lower-case letters that must occur; "": none. */
    bool tag_leads;                /* They must come first. */
    const char *pattern;           /* Full match, any case; NULL: the other columns say it all. */
    bool (*fits)(struct str text); /* In place of a pattern. */
};

/* `[A-Z0-9/-]*(\.[A-Z0-9-]+)*\.?`, by hand: of those that take more than their kinds of characters
 * the most frequent. */
static bool is_host(struct str text)
{
    size_t dot = str_find(text, '.', 0);

    return str_find(text, '/', dot) == text.len && !str_contains(text, STR(".."));
}

#define NO_TAG     STR_INIT("")
#define SET_SYNTAX "[A-Z0-9_-]*[A-Z0-9](:.*|$)"

// clang-format off
static const struct syntax syntaxes[] = {
    {KEY_TEST_LETTER,       KIND_ANY, KIND_LETTER, NO_TAG, false, NULL, NULL},
    {KEY_TEST_NETNAME,      KIND_LETTER | KIND_DIGIT | KIND_UNDERSCORE | KIND_DASH, 0, NO_TAG, false, NULL, NULL},
    {KEY_TEST_NIC_HDL,      KIND_LETTER | KIND_DIGIT | KIND_DASH, 0, NO_TAG, false, NULL, NULL},
    {KEY_TEST_AUT_NUM,      KIND_LETTER | KIND_DIGIT, KIND_LETTER | KIND_DIGIT, STR_INIT("as"), true, "AS[0-9]+", NULL},
    {KEY_TEST_AS_SET,       KIND_ANY, KIND_LETTER | KIND_DASH, STR_INIT("as-"), false, "(^|.*:)AS-[A-Z0-9_-]*(:.*|$)", NULL},
    {KEY_TEST_ROUTE_SET,    KIND_ANY, KIND_LETTER | KIND_DASH, STR_INIT("rs-"), false, "(^|.*:)RS-" SET_SYNTAX, NULL},
    {KEY_TEST_RTR_SET,      KIND_ANY, KIND_LETTER | KIND_DASH, STR_INIT("rtrs-"), false, "(^|.*:)RTRS-" SET_SYNTAX, NULL},
    {KEY_TEST_FILTER_SET,   KIND_ANY, KIND_LETTER | KIND_DASH, STR_INIT("fltr-"), false, "(^|.*:)FLTR-" SET_SYNTAX, NULL},
    {KEY_TEST_PEERING_SET,  KIND_ANY, KIND_LETTER | KIND_DASH, STR_INIT("prng-"), false, "(^|.*:)PRNG-" SET_SYNTAX, NULL},
    {KEY_TEST_HOST,         KIND_LETTER | KIND_DIGIT | KIND_SLASH | KIND_DASH | KIND_DOT, 0, NO_TAG, false, NULL, is_host},
    {KEY_TEST_POEM,         KIND_LETTER | KIND_DIGIT | KIND_UNDERSCORE | KIND_DASH, KIND_DASH, STR_INIT("poem-"), true,
                            "POEM-[A-Z0-9][A-Z0-9_-]*", NULL},
    {KEY_TEST_FORM,         KIND_LETTER | KIND_DIGIT | KIND_UNDERSCORE | KIND_DASH, KIND_DASH, STR_INIT("form-"), true,
                            "FORM-[A-Z0-9][A-Z0-9_-]*", NULL},
    {KEY_TEST_IRT,          KIND_LETTER | KIND_DIGIT | KIND_UNDERSCORE | KIND_DASH, KIND_DASH, STR_INIT("irt-"), true,
                            "IRT-[A-Z0-9_-]+[A-Z0-9]", NULL},
    {KEY_TEST_KEY_CERT,     KIND_ANY, KIND_LETTER, STR_INIT("pgpkey-"), true, "PGPKEY-.+", NULL},
    {KEY_TEST_KEY_CERT,     KIND_ANY, KIND_LETTER, STR_INIT("x509"), true, "X509.+", NULL},
    {KEY_TEST_ORGANISATION, KIND_LETTER | KIND_DIGIT | KIND_UNDERSCORE | KIND_DASH, KIND_DASH, STR_INIT("org-"), true,
                            "ORG-([A-Z]{2,4}([1-9][0-9]{0,5})?(-[A-Z]([A-Z0-9_-]{0,7}[A-Z0-9])))", NULL},
    {KEY_TEST_EMAIL,        KIND_ANY, KIND_AT, NO_TAG, false, ".+@.+", NULL},
};
// clang-format on
#define SYNTAX_COUNT (sizeof(syntaxes) / sizeof(syntaxes[0]))

struct key_matcher {
    pcre2_code *codes[SYNTAX_COUNT]; /* NULL where there is no pattern. */
    pcre2_match_data *match;
};

struct key_matcher *key_matcher_new(void)
{
    struct key_matcher *matcher = calloc(1, sizeof(*matcher));

    if (matcher == NULL) {
        abort();
    }
    for (size_t i = 0; i < SYNTAX_COUNT; i++) {
        int error;
        PCRE2_SIZE offset;

        if (syntaxes[i].pattern == NULL) {
            continue;
        }
        matcher->codes[i] = pcre2_compile((PCRE2_SPTR)syntaxes[i].pattern, PCRE2_ZERO_TERMINATED,
                                          PCRE2_CASELESS | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                                              PCRE2_DOLLAR_ENDONLY,
                                          &error, &offset, NULL);
        if (matcher->codes[i] == NULL) {
            abort(); /* A constant pattern: no memory, or a mistake in the table. */
        }
        /* Without JIT support in the library the interpreter does the same, slower. */
        pcre2_jit_compile(matcher->codes[i], PCRE2_JIT_COMPLETE);
    }
    matcher->match = pcre2_match_data_create(1, NULL);
    if (matcher->match == NULL) {
        abort();
    }
    return matcher;
}

void key_matcher_free(struct key_matcher *matcher)
{
    if (matcher == NULL) {
        return;
    }
    for (size_t i = 0; i < SYNTAX_COUNT; i++) {
        pcre2_code_free(matcher->codes[i]);
    }
    pcre2_match_data_free(matcher->match);
    free(matcher);
}

static bool has_tag(struct str text, struct str tag, bool leads)
{
    size_t last;

    if (text.len < tag.len) {
        return false;
    }
    last = leads ? 0 : text.len - tag.len;
    for (size_t i = 0; i <= last; i++) {
        if ((text.at[i] | 0x20) == tag.at[0] &&
            str_starts_nocase(str_sub(text, i, text.len), tag)) {
            return true;
        }
    }
    return false;
}

static bool matches(struct key_matcher *matcher, size_t i, struct str text, unsigned kinds)
{
    const struct syntax *syntax = &syntaxes[i];

    if ((kinds & ~syntax->allowed) != 0 || (kinds & syntax->needed) != syntax->needed) {
        return false;
    }
    if (syntax->tag.len > 0 && !has_tag(text, syntax->tag, syntax->tag_leads)) {
        return false;
    }
    if (syntax->fits != NULL) {
        return syntax->fits(text);
    }
    if (matcher->codes[i] == NULL) {
        return text.len > 0;
    }
    return pcre2_match(matcher->codes[i], (PCRE2_SPTR)text.at, text.len, 0, 0, matcher->match,
                       NULL) >= 0;
}

/* --- forms --- */

/* Runs of white space become one blank. Key words are joined by single blanks, so only tabs and CRs
 * make runs. */
static enum err clean(struct str text, struct arena *arena, struct str *out)
{
    char *copy = arena_alloc(arena, text.len);
    size_t len = 0;

    if (copy == NULL) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i] == '\t' || text.at[i] == '\r' ? ' ' : text.at[i];

        if (c != ' ' || (len > 0 && copy[len - 1] != ' ')) {
            copy[len++] = c;
        }
    }
    *out = str_trim_right((struct str){copy, len});
    return ERR_OK;
}

static enum err read_ip(struct search_key *key, struct arena *arena)
{
    char text[IP_TEXT_MAX];
    size_t len;

    if (ip_parse(key->value, &key->ip) != ERR_OK) {
        return ERR_OK;
    }
    key->has_ip = true;
    len = ip_format(&key->ip, text);
    key->value = arena_strdup(arena, (struct str){text, len});
    return key->value.at == NULL ? ERR_LIMIT : ERR_OK;
}

/* `193.0.0.0/21AS3333`: an address and, glued or behind a blank, an origin. */
static enum err read_route(struct search_key *key, unsigned kinds, struct arena *arena)
{
    struct str value = key->value, address;
    size_t at = value.len;
    char *upper;

    while (at > 0 && value.at[at - 1] >= '0' && value.at[at - 1] <= '9') {
        at--;
    }
    if (at == value.len || at < 3 || (value.at[at - 1] | 0x20) != 's' ||
        (value.at[at - 2] | 0x20) != 'a') {
        return ERR_OK;
    }
    at -= 2;
    address = str_trim(str_sub(value, 0, at));
    /* A single IPv4 address is read strictly: no blank may follow it. */
    if (address.len < at && (kinds & (KIND_COLON | KIND_SLASH | KIND_DASH)) == 0) {
        return ERR_OK;
    }
    if (((kinds & KIND_COLON) != 0 ? ip_parse_v6(address, &key->ip)
                                   : ip_parse_v4(address, &key->ip)) != ERR_OK) {
        return ERR_OK;
    }
    upper = arena_alloc(arena, value.len - at);
    if (upper == NULL) {
        return ERR_LIMIT;
    }
    memcpy(upper, value.at + at, value.len - at);
    upper[0] = 'A';
    upper[1] = 'S';
    key->origin = (struct str){upper, value.len - at};
    key->has_ip = key->has_origin = true;
    return ERR_OK;
}

static void read_reverse(struct search_key *key)
{
    struct str name = key->value;

    if (name.len > 0 && name.at[name.len - 1] == '.') {
        name.len--;
    }
    /* A second dot does no harm, and stays in the value. */
    if ((str_ends_nocase(name, STR(".arpa")) || str_ends_nocase(name, STR(".arpa."))) &&
        ip_parse_reverse(name, &key->reverse) == ERR_OK) {
        key->has_reverse = true;
        key->value = name;
    }
}

static enum err read_forms(struct search_key *key, unsigned kinds, struct arena *arena)
{
    enum err rc = ERR_OK;

    if ((kinds & KIND_COLON) != 0 || (kinds & KIND_LETTER) == 0) {
        rc = read_ip(key, arena);
    }
    if (rc == ERR_OK && !key->has_ip && (kinds & KIND_LETTER) != 0 && (kinds & KIND_DIGIT) != 0) {
        rc = read_route(key, kinds, arena);
    }
    if (rc == ERR_OK && !key->has_ip && (kinds & KIND_DOT) != 0) {
        read_reverse(key);
    }
    return rc;
}

static uint32_t test_forms(const struct search_key *key, bool with_reverse)
{
    uint32_t tests = 0;

    if (key->has_ip) {
        tests |= key->ip.is_v6 ? KEY_IS(ROUTE6) : KEY_IS(ROUTE4);
        if (!key->has_origin) {
            tests |= key->ip.is_v6 ? KEY_IS(IP6) : KEY_IS(IP4);
        }
    } else if (with_reverse && key->has_reverse) {
        tests |= key->reverse.is_v6 ? KEY_IS(ROUTE6) | KEY_IS(IP6) : KEY_IS(ROUTE4) | KEY_IS(IP4);
    }
    if (key->has_as_range) {
        tests |= KEY_IS(AS_RANGE);
    }
    return tests;
}

/* @param kinds  Of the text that the key was read from. */
static uint32_t test_syntaxes(struct key_matcher *matcher, const struct search_key *key,
                              unsigned kinds)
{
    uint32_t tests = 0;

    if (key->has_ip && !key->ip.is_v6 && !key->has_origin) {
        return 0; /* `193.0.0.0 - 193.0.0.255` fits none. */
    }
    if (key->has_ip || key->has_reverse) {
        kinds = kinds_of(key->value); /* Of the canonical text. */
    }
    for (size_t i = 0; i < SYNTAX_COUNT; i++) {
        if (matches(matcher, i, key->value, kinds)) {
            tests |= UINT32_C(1) << syntaxes[i].test;
        }
    }
    return tests;
}

enum err search_key_read(struct key_matcher *matcher, struct str text, bool with_reverse,
                         struct arena *arena, struct search_key *out)
{
    unsigned kinds;
    enum err rc;

    *out = (struct search_key){.value = text};
    kinds = kinds_of(text);
    if ((kinds & KIND_TAB) != 0) {
        if ((rc = clean(text, arena, &out->value)) != ERR_OK) {
            return rc;
        }
        kinds = kinds_of(out->value);
    }
    if ((rc = read_forms(out, kinds, arena)) != ERR_OK) {
        return rc;
    }
    if ((kinds & KIND_LETTER) != 0 && str_starts_nocase(out->value, STR("as"))) {
        out->has_as_range = ip_parse_as_range(out->value, INT64_MAX, &out->as_range) == ERR_OK;
    }
    out->tests = test_forms(out, with_reverse) | test_syntaxes(matcher, out, kinds);
    if (with_reverse && out->has_ip && !out->has_reverse) {
        out->has_reverse = true;
        out->reverse = out->ip;
    } else if (with_reverse && out->has_reverse && !out->has_ip) {
        out->has_ip = true;
        out->ip = out->reverse;
    }
    return ERR_OK;
}

bool search_key_is_help(const struct search_key *key)
{
    return str_eq_nocase(key->value, STR("help"));
}

uint32_t search_candidates(const struct query *query, const struct search_key *key)
{
    uint32_t allowed = ALL_CLASSES, found = 0;

    if (query->classes != 0) {
        allowed = query->classes;
    } else if (query_has(query, QF(REVERSE_DOMAIN))) {
        allowed = REVERSE_CLASSES;
    }
    if (query_has(query, QF(NO_PERSONAL))) {
        allowed &= ~PERSONAL_CLASSES;
    }
    if (query_has(query, QF(RESOURCE))) {
        allowed &= RESOURCE_CLASSES;
    }
    if (query_has(query, QF(ABUSE_CONTACT))) {
        allowed &= ABUSE_CLASSES;
    }
    if (query_has(query, QF(INVERSE))) {
        return allowed;
    }
    for (uint32_t rest = allowed; rest != 0; rest &= rest - 1) {
        unsigned class = (unsigned)__builtin_ctz(rest);

        for (const struct lookup *lookup = lookups[class]; lookup->test != 0; lookup++) {
            if ((key->tests & lookup->test) != 0) {
                found |= CLASS_BIT(class);
            }
        }
    }
    return found;
}
