/*
 * Patterns are spelled as functions that cut off what they know from the front of a value; a value
 * is right when nothing is left.
 */
#include "rpsl/syntax_values.h"

#include "rpsl/ip.h"

#define NAME_MAX_LEN     80
#define HANDLE_MAX_LEN   30
#define HOST_MAX_LEN     254
#define PHONE_MAX_LEN    30
#define WORD_MAX_LEN     64
#define V4_BITS          32
#define V6_BITS          128
#define MD5_SALT_MAX_LEN 8
#define MD5_HASH_LEN     22
#define PORT_MAX         65535

/* --- characters --- */

static bool is_hex(char c)
{
    return char_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/** What names are made of. */
static bool is_name_char(char c)
{
    return char_is_alnum(c) || c == '_' || c == '-';
}

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_phone_char(char c)
{
    return char_is_digit(c) || is_in(c, ". -");
}

static bool is_md5_char(char c)
{
    return char_is_alnum(c) || c == '.' || c == '/';
}

static bool is_org_name_char(char c)
{
    return char_is_alnum(c) || is_in(c, "][._\"*()@,&:!'`+/-");
}

static bool is_person_char(char c)
{
    return char_is_alnum(c) || is_in(c, "\\.`'_-");
}

static bool is_url_char(char c)
{
    return char_is_alnum(c) || is_in(c, "-_:@&?=+,.!/~*'%$;()");
}

typedef bool char_class(char c);

/** @return How many bytes at the start are in a class. */
static size_t span(struct str s, char_class *class)
{
    size_t len = 0;

    while (len < s.len && class(s.at[len])) {
        len++;
    }
    return len;
}

static bool is_all(struct str s, char_class *class)
{
    return s.len > 0 && span(s, class) == s.len;
}

/** Cut off min to max bytes of a class. */
static bool cut(struct str *s, char_class *class, size_t min, size_t max)
{
    size_t len = span(*s, class);

    *s = str_sub(*s, len, s->len);
    return len >= min && len <= max;
}

static bool cut_char(struct str *s, char c)
{
    bool is_there = s->len > 0 && s->at[0] == c;

    *s = str_sub(*s, is_there, s->len);
    return is_there;
}

static bool cut_prefix(struct str *s, const char *prefix)
{
    struct str start = str_from(prefix);
    bool is_there = str_starts_nocase(*s, start);

    *s = str_sub(*s, is_there ? start.len : 0, s->len);
    return is_there;
}

/** A number that starts with 1 to 9. */
static bool is_natural(struct str s, size_t max_len)
{
    return is_all(s, char_is_digit) && s.at[0] != '0' && s.len <= max_len;
}

static bool is_one_of(struct str value, const struct str *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_nocase(value, words[i])) {
            return true;
        }
    }
    return false;
}

#define IS_ONE_OF(value, words) is_one_of(value, words, sizeof(words) / sizeof((words)[0]))

/* --- names --- */

/** Characters of names, a letter or digit last. */
static bool ends_name(struct str value)
{
    return is_all(value, is_name_char) && char_is_alnum(value.at[value.len - 1]);
}

bool value_is_name(struct str value)
{
    static const struct str reserved[] = {
        STR_INIT("any"),      STR_INIT("as-any"),   STR_INIT("rs-any"),  STR_INIT("peeras"),
        STR_INIT("and"),      STR_INIT("or"),       STR_INIT("not"),     STR_INIT("atomic"),
        STR_INIT("from"),     STR_INIT("to"),       STR_INIT("at"),      STR_INIT("action"),
        STR_INIT("accept"),   STR_INIT("announce"), STR_INIT("except"),  STR_INIT("refine"),
        STR_INIT("networks"), STR_INIT("into"),     STR_INIT("inbound"), STR_INIT("outbound"),
    };

    return value.len >= 2 && value_is_netname(value) && !IS_ONE_OF(value, reserved);
}

bool value_is_netname(struct str value)
{
    return value.len <= NAME_MAX_LEN && ends_name(value) && char_is_letter(value.at[0]);
}

bool value_is_source(struct str value)
{
    return value.len >= 2 && value_is_netname(value);
}

bool value_is_irt(struct str value)
{
    return cut_prefix(&value, "irt-") && ends_name(value);
}

static bool is_work(struct str value, const char *prefix)
{
    return value.len <= NAME_MAX_LEN && cut_prefix(&value, prefix) && is_all(value, is_name_char) &&
           char_is_alnum(value.at[0]);
}

bool value_is_poem(struct str value)
{
    return is_work(value, "poem-");
}

bool value_is_poetic_form(struct str value)
{
    return is_work(value, "form-");
}

/** AUTO-1, AUTO-1AB: what is replaced when an object is made. */
static bool is_automatic(struct str value)
{
    size_t digits;

    if (!cut_prefix(&value, "auto-")) {
        return false;
    }
    digits = span(value, char_is_digit);
    if (!is_natural(str_sub(value, 0, digits), value.len)) {
        return false;
    }
    value = str_sub(value, digits, value.len);
    return value.len == 0 || (cut(&value, char_is_letter, 2, 4) && value.len == 0);
}

/** AA1: two to four letters and up to six digits. */
static bool cut_initials(struct str *value)
{
    size_t digits;

    if (!cut(value, char_is_letter, 2, 4)) {
        return false;
    }
    digits = span(*value, char_is_digit);
    if (digits > 0 && !is_natural(str_sub(*value, 0, digits), 6)) {
        return false;
    }
    *value = str_sub(*value, digits, value->len);
    return true;
}

bool value_is_nic_hdl(struct str value)
{
    if (value.len > HANDLE_MAX_LEN || is_automatic(value)) {
        return value.len <= HANDLE_MAX_LEN;
    }
    if (!cut_initials(&value)) {
        return false;
    }
    return value.len == 0 ||
           (cut_char(&value, '-') && cut(&value, char_is_letter, 2, 10) && value.len == 0);
}

bool value_is_organisation(struct str value)
{
    if (value.len > HANDLE_MAX_LEN || is_automatic(value)) {
        return value.len <= HANDLE_MAX_LEN;
    }
    return cut_prefix(&value, "org-") && cut_initials(&value) && cut_char(&value, '-') &&
           value_is_source(value);
}

bool value_is_key_cert(struct str value)
{
    if (cut_prefix(&value, "pgpkey-")) {
        return value.len == 8 && is_all(value, is_hex);
    }
    return (cut_prefix(&value, "x509-") || cut_prefix(&value, "auto-")) &&
           is_natural(value, value.len);
}

bool value_is_auth(struct str value)
{
    size_t at;

    if (cut_prefix(&value, "md5-pw ")) {
        return cut_prefix(&value, "$1$") && cut(&value, is_md5_char, 1, MD5_SALT_MAX_LEN) &&
               cut_char(&value, '$') && cut(&value, is_md5_char, MD5_HASH_LEN, MD5_HASH_LEN) &&
               value.len == 0;
    }
    if (cut_prefix(&value, "sso ")) {
        at = str_find(value, '@', 1);
        return value.len > 0 && at + 1 < value.len;
    }
    return value_is_key_cert(value) && value.len <= STR("x509-").len + 20;
}

/** Words of 1 to 64 characters with one blank between them. @return How many; 0 for none such. */
static size_t count_words(struct str value, char_class *class)
{
    struct str word;
    size_t count = 0;

    while (str_split(&value, ' ', &word)) {
        if (!is_all(word, class) || word.len > WORD_MAX_LEN) {
            return 0;
        }
        count++;
    }
    return count;
}

bool value_is_org_name(struct str value)
{
    size_t count = count_words(value, is_org_name_char);

    return count >= 1 && count <= 30;
}

bool value_is_person(struct str value)
{
    size_t count = count_words(value, is_person_char), with_letter = 0;
    struct str word;

    if (count < 2 || count > 10 || !char_is_letter(value.at[0])) {
        return false;
    }
    while (str_split(&value, ' ', &word)) {
        with_letter += char_is_letter(word.at[0]);
    }
    return with_letter >= 2;
}

bool value_is_org_type(struct str value)
{
    static const struct str types[] = {
        STR_INIT("IANA"),  STR_INIT("RIR"),        STR_INIT("NIR"),
        STR_INIT("LIR"),   STR_INIT("WHITEPAGES"), STR_INIT("DIRECT_ASSIGNMENT"),
        STR_INIT("OTHER"),
    };

    return IS_ONE_OF(value, types);
}

bool value_is_status(enum rpsl_class class, struct str value)
{
    static const struct str v4[] = {
        STR_INIT("ALLOCATED PA"),       STR_INIT("ALLOCATED UNSPECIFIED"),
        STR_INIT("LIR-PARTITIONED PA"), STR_INIT("SUB-ALLOCATED PA"),
        STR_INIT("AGGREGATED-BY-LIR"),  STR_INIT("ALLOCATED-ASSIGNED PA"),
        STR_INIT("ASSIGNED PA"),        STR_INIT("ASSIGNED PI"),
        STR_INIT("ASSIGNED ANYCAST"),   STR_INIT("LEGACY"),
    };
    static const struct str v6[] = {
        STR_INIT("ALLOCATED-BY-RIR"), STR_INIT("ALLOCATED-BY-LIR"), STR_INIT("AGGREGATED-BY-LIR"),
        STR_INIT("ASSIGNED"),         STR_INIT("ASSIGNED ANYCAST"), STR_INIT("ASSIGNED PI"),
    };
    static const struct str as[] = {STR_INIT("ASSIGNED"), STR_INIT("LEGACY"), STR_INIT("OTHER")};

    return class == CLASS_INETNUM    ? IS_ONE_OF(value, v4)
           : class == CLASS_INET6NUM ? IS_ONE_OF(value, v6)
                                     : IS_ONE_OF(value, as);
}

bool value_is_two_letters(struct str value)
{
    return value.len == 2 && is_all(value, char_is_letter);
}

/* --- numbers --- */

bool value_is_number(struct str value)
{
    return is_all(value, char_is_digit);
}

bool value_is_phone(struct str value)
{
    if (value.len > PHONE_MAX_LEN || !cut_char(&value, '+') ||
        !cut(&value, is_phone_char, 1, PHONE_MAX_LEN)) {
        return false;
    }
    if (cut_char(&value, '(') &&
        (!cut(&value, is_phone_char, 1, PHONE_MAX_LEN) || !cut_char(&value, ')') ||
         !cut(&value, is_phone_char, 1, PHONE_MAX_LEN))) {
        return false;
    }
    if (cut_prefix(&value, "ext.") && !cut(&value, is_phone_char, 1, PHONE_MAX_LEN)) {
        return false;
    }
    return value.len == 0;
}

/** Degrees, at most so many whole ones: -12.5, .5, 12 */
static bool is_degrees(struct str value, unsigned max)
{
    size_t whole, fraction = 0;
    uint64_t degrees = 0;
    bool is_round = true;

    (void)(cut_char(&value, '-') || cut_char(&value, '+'));
    whole = span(value, char_is_digit);
    if (whole > 0 && str_to_u64(str_sub(value, 0, whole), max, &degrees) != ERR_OK) {
        return false;
    }
    value = str_sub(value, whole, value.len);
    if (cut_char(&value, '.')) {
        fraction = span(value, char_is_digit);
        for (size_t i = 0; i < fraction; i++) {
            is_round &= value.at[i] == '0';
        }
        value = str_sub(value, fraction, value.len);
        whole = 0; /* Digits have to follow the point. */
    }
    return value.len == 0 && whole + fraction > 0 && (degrees < max || is_round);
}

bool value_is_geoloc(struct str value)
{
    size_t blank = str_find(value, ' ', 0);

    return is_degrees(str_sub(value, 0, blank), 90) &&
           is_degrees(str_sub(value, blank + 1, value.len), 180);
}

static bool is_number_to(struct str s, uint64_t max)
{
    uint64_t number;

    return str_to_u64(s, max, &number) == ERR_OK;
}

bool value_is_ds_rdata(struct str value)
{
    static const size_t digest_lens[] = {0, 40, 64, 64, 96}; /* By type; others may have any. */
    struct str tag, algorithm, type;
    uint64_t digest_type;
    size_t digits = 0;

    if (!str_split(&value, ' ', &tag) || !str_split(&value, ' ', &algorithm) ||
        !str_split(&value, ' ', &type) || value.len == 0) {
        return false;
    }
    if (!is_number_to(tag, UINT16_MAX) || !is_number_to(algorithm, UINT8_MAX) ||
        str_to_u64(type, UINT8_MAX, &digest_type) != ERR_OK) {
        return false;
    }
    (void)cut_char(&value, '(');
    if (value.len > 0 && value.at[value.len - 1] == ')') {
        value.len--;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!is_hex(value.at[i]) && value.at[i] != ' ') {
            return false;
        }
        digits += value.at[i] != ' ';
    }
    return value.len > 0 &&
           (digest_type == 0 || digest_type >= sizeof(digest_lens) / sizeof(digest_lens[0]) ||
            digits == digest_lens[digest_type]);
}

/* --- AS numbers and sets --- */

bool value_is_as_number(struct str value)
{
    return cut_prefix(&value, "as") && (value.len == 1 || is_natural(value, 10)) &&
           is_number_to(value, UINT32_MAX);
}

bool value_is_as_block(struct str value)
{
    struct ip_range range;

    return str_find(value, '-', 0) < value.len &&
           ip_parse_as_range(value, UINT32_MAX, &range) == ERR_OK;
}

bool value_is_set_name(enum rpsl_class class, struct str value)
{
    const char *prefix = class == CLASS_AS_SET       ? "as-"
                         : class == CLASS_ROUTE_SET  ? "rs-"
                         : class == CLASS_RTR_SET    ? "rtrs-"
                         : class == CLASS_FILTER_SET ? "fltr-"
                                                     : "prng-";
    bool has_name = false;
    struct str part;

    if (value.len > NAME_MAX_LEN) {
        return false;
    }
    while (str_split(&value, ':', &part)) {
        if (cut_prefix(&part, prefix)) {
            if (!ends_name(part)) {
                return false;
            }
            has_name = true;
        } else if (!value_is_as_number(part)) {
            return false;
        }
    }
    return has_name;
}

/* --- addresses --- */

bool value_is_inetnum(struct str value)
{
    struct ip_range range;

    return ip_parse_v4(value, &range) == ERR_OK;
}

bool value_is_inet6num(struct str value)
{
    struct ip_range range;

    return ip_parse_v6(value, &range) == ERR_OK;
}

static bool is_prefix(struct str value)
{
    return str_find(value, '/', 0) < value.len && str_find(value, '-', 0) == value.len;
}

bool value_is_route(struct str value)
{
    return is_prefix(value) && value_is_inetnum(value);
}

bool value_is_route6(struct str value)
{
    return is_prefix(value) && value_is_inet6num(value);
}

bool value_is_address(struct str value)
{
    struct ip_range range;

    return ip_parse(value, &range) == ERR_OK && range.begin == range.end;
}

/** Nothing, ^-, ^+, ^24, ^24-28. @param least, most  What the numbers may be. */
static bool is_range_operator(struct str value, uint64_t least, uint64_t most)
{
    uint64_t low, high;
    size_t dash;

    if (value.len == 0 || str_eq(value, STR("^+")) || str_eq(value, STR("^-"))) {
        return true;
    }
    if (!cut_char(&value, '^')) {
        return false;
    }
    dash = str_find(value, '-', 0);
    if (str_to_u64(str_sub(value, 0, dash), most, &low) != ERR_OK || low < least) {
        return false;
    }
    return dash == value.len ||
           (str_to_u64(str_sub(value, dash + 1, value.len), most, &high) == ERR_OK && low <= high);
}

bool value_is_prefix_range(struct str value, bool allows_v6)
{
    size_t slash = str_find(value, '/', 0), end;
    struct ip_range address, prefix;
    uint64_t length, most;

    end = slash < value.len ? slash + 1 + span(str_sub(value, slash + 1, value.len), char_is_digit)
                            : 0;
    if (end == 0 || ip_parse(str_sub(value, 0, slash), &address) != ERR_OK ||
        ip_parse(str_sub(value, 0, end), &prefix) != ERR_OK || (prefix.is_v6 && !allows_v6)) {
        return false;
    }
    most = prefix.is_v6 ? V6_BITS : V4_BITS;
    return str_to_u64(str_sub(value, slash + 1, end), most, &length) == ERR_OK &&
           is_range_operator(str_sub(value, end, value.len), length, most);
}

bool value_is_route_set_range(struct str value)
{
    size_t caret = str_find(value, '^', 0);

    return value_is_set_name(CLASS_ROUTE_SET, str_sub(value, 0, caret)) &&
           is_range_operator(str_sub(value, caret, value.len), 0, V6_BITS);
}

bool value_is_mnt_routes(struct str value)
{
    size_t len = span(value, is_name_char);
    struct str range;

    if (len < 2 || len > NAME_MAX_LEN + 1 || !char_is_letter(value.at[0])) {
        return false;
    }
    value = str_sub(value, len, value.len);
    if (value.len == 0) {
        return true;
    }
    if (!cut_char(&value, ' ')) {
        return false;
    }
    if (!cut_char(&value, '{')) {
        return str_eq_nocase(value, STR("any"));
    }
    if (value.len == 0 || value.at[value.len - 1] != '}') {
        return false;
    }
    value.len--;
    for (size_t at = 0; at < value.len; at += range.len + 1) {
        range = str_sub(value, at, value.len);
        range.len = 0;
        while (at + range.len < value.len && !is_in(range.at[range.len], ", ")) {
            range.len++;
        }
        if (range.len > 0 && !value_is_prefix_range(range, true)) {
            return false;
        }
    }
    return true;
}

/* --- hosts --- */

/** Labels that begin and end with a letter or digit, and dots between them. */
static bool is_host(struct str value, bool allows_underscore)
{
    struct str label;

    if (value.len > 0 && value.at[value.len - 1] == '.') {
        value.len--;
    }
    if (value.len == 0) {
        return false;
    }
    while (str_split(&value, '.', &label)) {
        if (!ends_name(label) || !char_is_alnum(label.at[0]) ||
            (!allows_underscore && str_find(label, '_', 0) < label.len)) {
            return false;
        }
    }
    return true;
}

bool value_is_alias(struct str value)
{
    return value.len <= HOST_MAX_LEN && is_host(value, false);
}

bool value_is_router(struct str value)
{
    return value.len <= HOST_MAX_LEN && is_host(value, true);
}

bool value_is_nserver(struct str value)
{
    size_t blank = str_find(value, ' ', 0);

    return is_host(str_sub(value, 0, blank), false) &&
           (blank == value.len || value_is_address(str_sub(value, blank + 1, value.len)));
}

/** 1.2.3.e164.arpa */
static bool is_e164(struct str value)
{
    struct str suffix = STR("e164.arpa");

    if (value.len <= suffix.len || !str_ends_nocase(value, suffix)) {
        return false;
    }
    value.len -= suffix.len;
    while (value.len > 0) {
        if (!char_is_digit(value.at[0]) || value.len < 2 || value.at[1] != '.') {
            return false;
        }
        value = str_sub(value, 2, value.len);
    }
    return true;
}

bool value_is_domain(struct str value)
{
    struct ip_range range;

    if (value.len > 0 && value.at[value.len - 1] == '.') {
        value.len--;
    }
    if (value.len == 0 || value.at[value.len - 1] == '.' || value.len > HOST_MAX_LEN) {
        return false;
    }
    if (is_e164(value)) {
        return true;
    }
    if (ip_parse_reverse(value, &range) != ERR_OK) {
        return false;
    }
    /* A range of all 256 is spelled without it. */
    return range.is_v6 || range.end - range.begin != UINT8_MAX ||
           str_find(value, '-', 0) > str_find(value, '.', 0);
}

/** What may be in the local part of an address besides letters, digits and dots between others. */
static bool is_local_char(char c)
{
    return c > ' ' && c < 0x7f && !is_in(c, "()<>,;:\\\"[]@.");
}

static bool is_domain_char(char c)
{
    return char_is_alnum(c) || c == '-' || (unsigned char)c >= 0x80;
}

/** Pieces of a class with dots between them. */
static bool is_dotted(struct str value, char_class *class)
{
    struct str piece;

    if (value.len == 0) {
        return false;
    }
    while (str_split(&value, '.', &piece)) {
        if (!is_all(piece, class)) {
            return false;
        }
    }
    return true;
}

/** "what ever" in quotes, without escapes at the end. */
static bool is_quoted(struct str value)
{
    if (value.len < 2 || value.at[0] != '"' || value.at[value.len - 1] != '"') {
        return false;
    }
    for (size_t i = 1; i + 1 < value.len; i++) {
        if (value.at[i] == '"' || (unsigned char)value.at[i] >= 0x80 ||
            (value.at[i] == '\\' && ++i + 1 == value.len)) {
            return false;
        }
    }
    return true;
}

/** [192.0.2.1] */
static bool is_literal(struct str value)
{
    return value.len > 2 && value.at[0] == '[' && value.at[value.len - 1] == ']' &&
           str_find(value, '[', 1) == value.len && str_find(value, ']', 0) == value.len - 1;
}

static size_t count_characters(struct str value)
{
    size_t count = 0;

    for (size_t i = 0; i < value.len; i++) {
        count += ((unsigned char)value.at[i] & 0xc0) != 0x80;
    }
    return count;
}

static bool is_mailbox(struct str value)
{
    size_t at = value.len;
    struct str local, domain;

    while (at > 0 && value.at[at - 1] != '@') {
        at--;
    }
    if (at == 0 || count_characters(value) > NAME_MAX_LEN) {
        return false;
    }
    local = str_sub(value, 0, at - 1);
    domain = str_sub(value, at, value.len);
    return (is_dotted(local, is_local_char) || is_quoted(local)) &&
           (is_dotted(domain, is_domain_char) || is_literal(domain));
}

/** A display name: words, or quoted. */
static bool is_display_name(struct str value)
{
    if (value.len == 0 || is_quoted(value)) {
        return true;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (is_in(value.at[i], "<>,;:\\\"[]@")) {
            return false;
        }
    }
    return true;
}

bool value_is_email(struct str value)
{
    size_t open = value.len;

    if (value.len > 0 && value.at[value.len - 1] == ')' && (open = str_find(value, '(', 0)) > 0) {
        value = str_trim(str_sub(value, 0, open)); /* a@b (Name) */
    }
    if (value.len == 0 || value.at[value.len - 1] != '>') {
        return is_mailbox(value);
    }
    open = value.len - 1;
    while (open > 0 && value.at[open] != '<') {
        open--;
    }
    return value.at[open] == '<' && is_display_name(str_trim(str_sub(value, 0, open))) &&
           is_mailbox(str_trim(str_sub(value, open + 1, value.len - 1)));
}

/** A name with a top-level domain of letters, or an address. */
static bool is_url_host(struct str value)
{
    size_t dot = value.len;
    struct str top;

    if (value_is_address(value)) {
        return true;
    }
    while (dot > 0 && value.at[dot - 1] != '.') {
        dot--;
    }
    top = str_sub(value, dot, value.len);
    return dot > 1 && is_host(value, false) && top.len >= 2 &&
           (is_all(top, char_is_letter) || str_starts_nocase(top, STR("xn--")));
}

bool value_is_url(struct str value)
{
    struct str path;
    size_t host = 0, port;

    if (!cut_prefix(&value, "https://")) {
        return false;
    }
    while (host < value.len && !is_in(value.at[host], "/?")) {
        host++;
    }
    path = str_sub(value, host, value.len);
    value = str_sub(value, 0, host);
    port = value.len > 0 && value.at[0] == '[' ? str_find(value, ']', 0) : 0;
    port = str_find(value, ':', port);
    if (port < value.len && !is_number_to(str_sub(value, port + 1, value.len), PORT_MAX)) {
        return false;
    }
    return is_url_host(str_sub(value, 0, port)) && span(path, is_url_char) == path.len &&
           !str_contains(path, STR("//"));
}
