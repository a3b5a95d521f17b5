/*
 * The checks run in the reference's order and accumulate. Of several forbidden combinations only
 * the first is reported, as there.
 */
#include "query/check.h"

#include "rpsl/syntax_values.h"

static void complain(struct query *query, enum message message)
{
    query_complain(query, message, (struct str){0}, (struct str){0});
}

static void complain_of_repetition(struct query *query, enum query_flag flag, struct arena *arena)
{
    query_complain(query, MSG_FLAG_TWICE, query_repeated_spelling(query, flag, arena),
                   (struct str){0});
}

static bool is_everything(const struct search_key *key)
{
    u128 last = key->ip.is_v6 ? ~(u128)0 : (u128)UINT32_MAX;

    return key->has_ip && key->ip.begin == 0 && key->ip.end == last;
}

static void check_ip_flags(struct query *query, const struct search_key *key, struct verdict *out)
{
    out->has_useless_ip_flag = query_has(query, QF_IP_MODES | QF(REVERSE_DOMAIN)) && !key->has_ip;
    if (query_has(query, QF(ONE_MORE) | QF(ALL_MORE)) && is_everything(key)) {
        complain(query, MSG_RANGE_TOO_LARGE);
    }
}

static bool read_address(struct str text, struct ip_range *out)
{
    static const struct str mapped = STR_INIT("::ffff:");

    if (str_starts_nocase(text, mapped) &&
        ip_parse_v4(str_sub(text, mapped.len, text.len), out) == ERR_OK) {
        text = str_sub(text, mapped.len, text.len);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '/' || text.at[i] == '-' || text.at[i] == '[' || text.at[i] == '\t') {
            return false;
        }
    }
    return ip_parse(text, out) == ERR_OK;
}

/* The next part of a comma list; empty ones do not count. */
static bool next_part(struct str *rest, struct str *part)
{
    while (str_split(rest, ',', part)) {
        if (part->len > 0) {
            return true;
        }
    }
    return false;
}

bool query_proxied_address(const struct query *query, struct ip_range *out)
{
    struct str rest = query_value(query, FLAG_CLIENT).text, tag, address;

    return next_part(&rest, &tag) && next_part(&rest, &address) && read_address(address, out);
}

/* `-V tag` or `-V tag,IP`. @return false when nothing else is looked at any more. */
static bool check_client(struct query *query, struct arena *arena)
{
    struct str rest = query_value(query, FLAG_CLIENT).text, part;
    struct ip_range address;

    if (!query_has(query, QF(CLIENT))) {
        return true;
    }
    if (query_is_repeated(query, FLAG_CLIENT)) {
        query->complaint_count = 0;
        complain_of_repetition(query, FLAG_CLIENT, arena);
        return false;
    }
    if (next_part(&rest, &part) && next_part(&rest, &part) &&
        (next_part(&rest, &part) || !query_proxied_address(query, &address))) {
        complain(query, MSG_BAD_OPTION);
    }
    return true;
}

/* --- combinations --- */

/* What a version query may be given besides. */
#define WITH_VERSIONS (QF(SELECT_TYPES) | QF(SOURCES) | QF(PERSISTENT) | QF(CLIENT) | QF(CHARSET))

struct clash {
    uint64_t flag, others;
};

/* The first row that is met is reported, with the first of its others in the order of the flag
 * table; where another order is called for, a flag has several rows. */
static const struct clash clashes[] = {
    {QF(ABUSE_CONTACT), QF(BRIEF)                              },
    {QF(ABUSE_CONTACT), QF(NO_FILTERING) | QF(NO_REFERENCED)   },
    {QF(ABUSE_CONTACT), QF(PRIMARY_KEYS)                       },
    {QF(RESOURCE),      QF(SOURCES)                            },
    {QF(RESOURCE),      QF(ALL_SOURCES)                        },
    {QF(RESOURCE),      QF(INVERSE)                            },
    {QF(VALID_SYNTAX),  QF(NO_VALID_SYNTAX) | QF(LIST_VERSIONS)},
    {QF(VALID_SYNTAX),  QF(SHOW_VERSION)                       },
    {QF(VALID_SYNTAX),  QF(DIFF_VERSIONS)                      },
    {QF(LIST_VERSIONS), ~WITH_VERSIONS                         },
    {QF(DIFF_VERSIONS), ~WITH_VERSIONS                         },
    {QF(SHOW_VERSION),  ~WITH_VERSIONS                         },
};

static struct str spelling_of_first(uint64_t flags, struct arena *arena)
{
    return query_flag_spelling((enum query_flag)__builtin_ctzll(flags), arena);
}

static void check_combinations(struct query *query, struct arena *arena)
{
    for (size_t i = 0; i < sizeof(clashes) / sizeof(clashes[0]); i++) {
        uint64_t clashing = query->flags & clashes[i].others & ~clashes[i].flag;

        if (query_has(query, clashes[i].flag) && clashing != 0) {
            query_complain(query, MSG_FLAG_CLASH, spelling_of_first(clashes[i].flag, arena),
                           spelling_of_first(clashing, arena));
            return;
        }
    }
}

/* --- the key --- */

static void check_key(struct query *query, const struct search_key *key, uint32_t candidates)
{
    /* The key `help` needs nothing to fit, whatever stands beside it. */
    bool needs_key =
        !query_has(query, QF_INFO) && !search_key_is_help(key) && !query_is_only_persistent(query);

    if (!needs_key) {
        return;
    }
    if (key->value.len == 0) {
        complain(query, MSG_NO_KEY);
    }
    if (!query_has(query, QF(INVERSE)) && candidates == 0) {
        complain(query, MSG_BAD_KEY);
    }
}

static void check_versions(struct query *query, uint32_t candidates)
{
    uint32_t personal = CLASS_BIT(CLASS_PERSON) | CLASS_BIT(CLASS_ROLE);

    if (query_has(query, QF(LIST_VERSIONS) | QF(SHOW_VERSION)) &&
        (query->classes & personal & candidates) != 0) {
        complain(query, MSG_NO_PERSON_VERSIONS);
    }
}

static void check_inverse(struct query *query, const struct search_key *key, bool is_trusted)
{
    if (!query_has(query, QF(INVERSE))) {
        return;
    }
    if (str_starts_nocase(key->value, STR("MD5-PW ")) ||
        (!is_trusted && str_starts_nocase(key->value, STR("SSO ")))) {
        complain(query, MSG_AUTH_SEARCH);
    }
}

/* --- the character set --- */

static bool is_charset_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool is_word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

        if (!is_word && (i == 0 || (c != '-' && c != '+' && c != '.' && c != ':' && c != '_'))) {
            return false;
        }
    }
    return name.len > 0;
}

static void check_charset(struct query *query, struct arena *arena, struct verdict *out)
{
    struct str name = query_value(query, FLAG_CHARSET).text;

    out->charset = CHARSET_LATIN1;
    if (!query_has(query, QF(CHARSET))) {
        return;
    }
    if (query_is_repeated(query, FLAG_CHARSET)) {
        complain_of_repetition(query, FLAG_CHARSET, arena);
    } else if (!is_charset_name(name)) {
        complain(query, MSG_INTERNAL_ERROR);
        out->must_close = true;
    } else if (charset_for_output(name, &out->charset) != ERR_OK) {
        query_complain(query, MSG_BAD_CHARSET, name, (struct str){0});
    }
}

bool query_check(struct query *query, const struct search_key *key, bool is_trusted,
                 struct arena *arena, struct verdict *out)
{
    *out = (struct verdict){.candidates = search_candidates(query, key)};
    check_ip_flags(query, key, out);
    if (!check_client(query, arena)) {
        return false;
    }
    if (query_has(query, QF(ABUSE_CONTACT)) && !key->has_ip && !value_is_as_number(key->value)) {
        complain(query, MSG_BAD_OPTION);
    }
    check_combinations(query, arena);
    check_key(query, key, out->candidates);
    check_versions(query, out->candidates);
    check_inverse(query, key, is_trusted);
    if (query->complaint_count == 0) {
        check_charset(query, arena, out);
    }
    return query->complaint_count == 0;
}
