/*
 * Recursive descent. A function reads one thing of the grammar and says whether it was there in
 * full; what is behind it is the caller's. `is_` looks at the token that comes next, `take_` takes
 * it when it is the one, `read_` takes what has to be there.
 */
#include "rpsl/policy.h"

#include "rpsl/policy_tokens.h"

#define DEPTH_MAX   100
#define NUMBER_MAX  65535
#define HOST_MAX    255
#define V4          1
#define V6          2
#define FLAP_VALUES 6

struct policy_parser {
    struct tokens tokens;
    struct token next;
    unsigned addresses, prefixes, next_hops; /**< Families, V4 and V6. */
    unsigned depth;
};

/* --- tokens --- */

static void advance(struct policy_parser *parser)
{
    parser->next = token_next(&parser->tokens);
}

static bool is_word(const struct policy_parser *parser, enum policy_word word)
{
    return parser->next.kind == TOKEN_WORD && parser->next.word == word;
}

static bool is_sign(const struct policy_parser *parser, char sign)
{
    return parser->next.kind == TOKEN_SIGN && parser->next.text.at[0] == sign;
}

static bool take(struct policy_parser *parser, enum token_kind kind)
{
    bool is_there = parser->next.kind == kind;

    if (is_there) {
        advance(parser);
    }
    return is_there;
}

static bool take_word(struct policy_parser *parser, enum policy_word word)
{
    return is_word(parser, word) && take(parser, TOKEN_WORD);
}

static bool take_sign(struct policy_parser *parser, char sign)
{
    return is_sign(parser, sign) && take(parser, TOKEN_SIGN);
}

static bool read_number(struct policy_parser *parser, uint64_t max)
{
    uint64_t number;

    return parser->next.kind == TOKEN_INT &&
           str_to_u64(parser->next.text, max, &number) == ERR_OK && take(parser, TOKEN_INT);
}

typedef bool reader(struct policy_parser *parser);

/** Something in parentheses. */
static bool read_nested(struct policy_parser *parser, reader *inside)
{
    bool is_good = parser->depth < DEPTH_MAX;

    parser->depth++;
    is_good = is_good && take_sign(parser, '(') && inside(parser) && take_sign(parser, ')');
    parser->depth--;
    return is_good;
}

/** One or more with commas between them. */
static bool read_list(struct policy_parser *parser, reader *element)
{
    do {
        if (!element(parser)) {
            return false;
        }
    } while (take_sign(parser, ','));
    return true;
}

static bool read_enclosed_list(struct policy_parser *parser, char open, reader *element, char close)
{
    return take_sign(parser, open) && read_list(parser, element) && take_sign(parser, close);
}

static bool take_address(struct policy_parser *parser, unsigned families)
{
    return ((families & V4) != 0 && take(parser, TOKEN_V4)) ||
           ((families & V6) != 0 && take(parser, TOKEN_V6));
}

/* --- actions --- */

static bool read_as_number(struct policy_parser *parser)
{
    return take(parser, TOKEN_AS);
}

static bool read_community_element(struct policy_parser *parser)
{
    return take(parser, TOKEN_COMMUNITY) || take_word(parser, WORD_INTERNET) ||
           take_word(parser, WORD_NO_EXPORT) || take_word(parser, WORD_NO_ADVERTISE) ||
           read_number(parser, UINT32_MAX);
}

static bool read_community(struct policy_parser *parser)
{
    if (take_sign(parser, '.')) {
        return (take_word(parser, WORD_APPEND) || take_word(parser, WORD_DELETE) ||
                take_word(parser, WORD_CONTAINS)) &&
               read_enclosed_list(parser, '(', read_community_element, ')');
    }
    if (is_sign(parser, '(')) {
        return read_enclosed_list(parser, '(', read_community_element, ')');
    }
    return (take_sign(parser, '=') || take(parser, TOKEN_APPEND) || take(parser, TOKEN_COMPARE)) &&
           read_enclosed_list(parser, '{', read_community_element, '}');
}

static bool is_attribute(const struct policy_parser *parser)
{
    return parser->next.kind == TOKEN_WORD && parser->next.word >= WORD_PREF &&
           parser->next.word <= WORD_NEXT_HOP;
}

/** pref = 10, community.append(65000:1) and so on. */
static bool read_attribute(struct policy_parser *parser)
{
    enum policy_word word = parser->next.word;

    if (!is_attribute(parser)) {
        return false;
    }
    advance(parser);
    switch (word) {
    case WORD_COMMUNITY:
        return read_community(parser);
    case WORD_ASPATH:
        return take_sign(parser, '.') && take_word(parser, WORD_PREPEND) &&
               read_enclosed_list(parser, '(', read_as_number, ')');
    case WORD_NEXT_HOP:
        return take_sign(parser, '=') &&
               (take_word(parser, WORD_SELF) || take_address(parser, parser->next_hops));
    default:
        return take_sign(parser, '=') && ((word == WORD_MED && take_word(parser, WORD_IGP_COST)) ||
                                          read_number(parser, NUMBER_MAX));
    }
}

/** [action pref = 10; med = 0;] */
static bool read_optional_action(struct policy_parser *parser)
{
    if (!take_word(parser, WORD_ACTION)) {
        return true;
    }
    do {
        if (!read_attribute(parser) || !take_sign(parser, ';')) {
            return false;
        }
    } while (is_attribute(parser));
    return true;
}

/* --- peerings --- */

/** Operands with AND, OR and EXCEPT between them. All of these are read alike. */
static bool read_chain(struct policy_parser *parser, reader *operand)
{
    do {
        if (!operand(parser)) {
            return false;
        }
    } while (take_word(parser, WORD_OR) || take_word(parser, WORD_AND) ||
             take_word(parser, WORD_EXCEPT));
    return true;
}

static bool read_as_expression(struct policy_parser *parser);

static bool read_as_operand(struct policy_parser *parser)
{
    return is_sign(parser, '(') ? read_nested(parser, read_as_expression)
                                : take(parser, TOKEN_AS) || take(parser, TOKEN_AS_SET);
}

static bool read_as_expression(struct policy_parser *parser)
{
    return read_chain(parser, read_as_operand);
}

/** A host's name: labels with dots between them. */
static bool read_host(struct policy_parser *parser)
{
    size_t len = parser->next.text.len;

    if (!take(parser, TOKEN_LABEL)) {
        return false;
    }
    while (take_sign(parser, '.')) {
        len += 1 + parser->next.text.len;
        if (!take(parser, TOKEN_LABEL)) {
            return false;
        }
    }
    return len <= HOST_MAX;
}

static bool is_router(const struct policy_parser *parser)
{
    enum token_kind kind = parser->next.kind;

    return kind == TOKEN_V4 || kind == TOKEN_V6 || kind == TOKEN_LABEL || kind == TOKEN_RTR_SET ||
           is_sign(parser, '(');
}

static bool read_router_expression(struct policy_parser *parser);

static bool read_router_operand(struct policy_parser *parser)
{
    if (is_sign(parser, '(')) {
        return read_nested(parser, read_router_expression);
    }
    return take_address(parser, parser->addresses) || take(parser, TOKEN_RTR_SET) ||
           read_host(parser);
}

static bool read_router_expression(struct policy_parser *parser)
{
    return read_chain(parser, read_router_operand);
}

static bool read_optional_at(struct policy_parser *parser)
{
    return !take_word(parser, WORD_AT) || read_router_expression(parser);
}

/** AS1 192.0.2.1 at 192.0.2.2, or the name of a set. */
static bool read_peering(struct policy_parser *parser)
{
    if (take(parser, TOKEN_PEERING_SET)) {
        return true;
    }
    return read_as_expression(parser) && (!is_router(parser) || read_router_expression(parser)) &&
           read_optional_at(parser);
}

/* --- filters --- */

static bool read_prefix(struct policy_parser *parser)
{
    return ((parser->prefixes & V4) != 0 && take(parser, TOKEN_V4_PREFIX)) ||
           ((parser->prefixes & V6) != 0 && take(parser, TOKEN_V6_PREFIX));
}

/** {192.0.2.0/24^+, ...}, which may be empty. */
static bool read_prefix_set(struct policy_parser *parser)
{
    return take_sign(parser, '{') && (is_sign(parser, '}') || read_list(parser, read_prefix)) &&
           take_sign(parser, '}');
}

/** [^AS1 - AS5 AS-FOO . PeerAS]; the first bracket is taken. */
static bool read_as_class(struct policy_parser *parser)
{
    (void)take_sign(parser, '^');
    while (take(parser, TOKEN_AS) || take(parser, TOKEN_AS_RANGE) || take(parser, TOKEN_AS_SET) ||
           take_word(parser, WORD_PEERAS) || take_sign(parser, '.')) {
    }
    return take_sign(parser, ']');
}

/** {2} {2,} {2,3}: how often; the brace is taken. */
static bool read_times(struct policy_parser *parser)
{
    if (!read_number(parser, NUMBER_MAX)) {
        return false;
    }
    if (take_sign(parser, ',') && !is_sign(parser, '}') && !read_number(parser, NUMBER_MAX)) {
        return false;
    }
    return take_sign(parser, '}');
}

static bool read_path(struct policy_parser *parser);

/** One part of a path and how often it comes. */
static bool read_path_part(struct policy_parser *parser)
{
    bool is_good;

    if (take_sign(parser, '[')) {
        is_good = read_as_class(parser);
    } else if (is_sign(parser, '(')) {
        is_good = read_nested(parser, read_path);
    } else {
        is_good = take_sign(parser, '^') || take_sign(parser, '$') || take_sign(parser, '.') ||
                  take(parser, TOKEN_AS) || take(parser, TOKEN_AS_SET) ||
                  take_word(parser, WORD_PEERAS);
    }
    while (is_good) {
        bool is_same = take_sign(parser, '~');

        if (take_sign(parser, '{')) {
            is_good = read_times(parser);
        } else if (!take_sign(parser, '*') && !take_sign(parser, '+') &&
                   (is_same || !take_sign(parser, '?'))) {
            return !is_same;
        }
    }
    return is_good;
}

/** Parts of paths up to what ends them. */
static bool read_path(struct policy_parser *parser)
{
    do {
        if (!read_path_part(parser)) {
            return false;
        }
    } while (take_sign(parser, '|') || (!is_sign(parser, '>') && !is_sign(parser, ')')));
    return true;
}

static bool is_filter(const struct policy_parser *parser)
{
    enum token_kind kind = parser->next.kind;

    return kind == TOKEN_AS || kind == TOKEN_AS_SET || kind == TOKEN_ROUTE_SET ||
           kind == TOKEN_FILTER_SET || is_word(parser, WORD_ANY) || is_word(parser, WORD_PEERAS) ||
           is_word(parser, WORD_NOT) || is_attribute(parser) || is_sign(parser, '(') ||
           is_sign(parser, '<') || is_sign(parser, '{');
}

static bool read_filter(struct policy_parser *parser);

static bool read_filter_operand(struct policy_parser *parser)
{
    while (take_word(parser, WORD_NOT)) {
    }
    if (is_sign(parser, '(')) {
        return read_nested(parser, read_filter);
    }
    if (take_sign(parser, '<')) {
        return read_path(parser) && take_sign(parser, '>');
    }
    if (is_attribute(parser)) {
        return read_attribute(parser);
    }
    if (take_word(parser, WORD_ANY) || take(parser, TOKEN_FILTER_SET)) {
        return true;
    }
    if (!take(parser, TOKEN_AS) && !take(parser, TOKEN_AS_SET) && !take(parser, TOKEN_ROUTE_SET) &&
        !take_word(parser, WORD_PEERAS) && !read_prefix_set(parser)) {
        return false;
    }
    (void)take(parser, TOKEN_MORE_SPECIFIC);
    return true;
}

/** Operands with AND, OR or nothing between them; nothing means OR. */
static bool read_filter(struct policy_parser *parser)
{
    do {
        if (!read_filter_operand(parser)) {
            return false;
        }
    } while (take_word(parser, WORD_AND) || take_word(parser, WORD_OR) || is_filter(parser));
    return true;
}

/* --- import, export, default --- */

static bool take_protocol(struct policy_parser *parser)
{
    return parser->next.kind == TOKEN_WORD && parser->next.word >= WORD_STATIC &&
           take(parser, TOKEN_WORD);
}

static bool read_family(struct policy_parser *parser)
{
    if (!take_word(parser, WORD_IPV4) && !take_word(parser, WORD_IPV6) &&
        !take_word(parser, WORD_ANY)) {
        return false;
    }
    return !take_sign(parser, '.') || take_word(parser, WORD_UNICAST) ||
           take_word(parser, WORD_MULTICAST);
}

/** [afi ipv4.unicast, ipv6] where there are families to choose from. */
static bool read_optional_families(struct policy_parser *parser)
{
    return !parser->tokens.has_v6 || !take_word(parser, WORD_AFI) || read_list(parser, read_family);
}

/** What import and export differ in. */
struct direction {
    enum policy_word peer, filter;
    bool is_via; /**< A peering before each `from` or `to`, too. */
};

/** from AS1 action pref = 1; from AS2 accept ANY */
static bool read_factor(struct policy_parser *parser, const struct direction *direction)
{
    do {
        if ((direction->is_via && !read_peering(parser)) || !take_word(parser, direction->peer) ||
            !read_peering(parser) || !read_optional_action(parser)) {
            return false;
        }
    } while (!is_word(parser, direction->filter) && parser->next.kind != TOKEN_END);
    return take_word(parser, direction->filter) && read_filter(parser);
}

/** {factor; factor;} */
static bool read_factor_list(struct policy_parser *parser, const struct direction *direction)
{
    if (!take_sign(parser, '{')) {
        return false;
    }
    do {
        if (!read_factor(parser, direction) || !take_sign(parser, ';')) {
            return false;
        }
    } while (!is_sign(parser, '}'));
    return take_sign(parser, '}');
}

/** A factor may stand alone; refined or excepted it ends in a semicolon, or is in braces. */
static bool read_policy(struct policy_parser *parser, const struct direction *direction)
{
    bool is_first = true;

    if ((take_word(parser, WORD_PROTOCOL) && !take_protocol(parser)) ||
        (take_word(parser, WORD_INTO) && !take_protocol(parser))) {
        return false;
    }
    do {
        if (!read_optional_families(parser)) {
            return false;
        }
        if (is_sign(parser, '{')) {
            if (!read_factor_list(parser, direction)) {
                return false;
            }
        } else if (!read_factor(parser, direction)) {
            return false;
        } else if (!take_sign(parser, ';')) {
            return is_first;
        }
        is_first = false;
    } while (take_word(parser, WORD_REFINE) || take_word(parser, WORD_EXCEPT));
    return true;
}

static bool read_import(struct policy_parser *parser)
{
    return read_policy(parser, &(struct direction){WORD_FROM, WORD_ACCEPT, false});
}

static bool read_import_via(struct policy_parser *parser)
{
    return read_policy(parser, &(struct direction){WORD_FROM, WORD_ACCEPT, true});
}

static bool read_export(struct policy_parser *parser)
{
    return read_policy(parser, &(struct direction){WORD_TO, WORD_ANNOUNCE, false});
}

static bool read_export_via(struct policy_parser *parser)
{
    return read_policy(parser, &(struct direction){WORD_TO, WORD_ANNOUNCE, true});
}

static bool read_default(struct policy_parser *parser)
{
    return read_optional_families(parser) && take_word(parser, WORD_TO) && read_peering(parser) &&
           read_optional_action(parser) &&
           (!take_word(parser, WORD_NETWORKS) || read_filter(parser));
}

/* --- aggregation --- */

static bool read_aggregation_method(struct policy_parser *parser)
{
    if (take_word(parser, WORD_INBOUND)) {
        return true;
    }
    return take_word(parser, WORD_OUTBOUND) &&
           (parser->next.kind == TOKEN_END || read_as_expression(parser));
}

/** [atomic] [filter] [protocol OSPF filter ...] */
static bool read_components(struct policy_parser *parser)
{
    (void)take_word(parser, WORD_ATOMIC);
    if (is_filter(parser) && !read_filter(parser)) {
        return false;
    }
    while (take_word(parser, WORD_PROTOCOL)) {
        if (!take_protocol(parser) || !read_filter(parser)) {
            return false;
        }
    }
    return true;
}

static bool read_condition(struct policy_parser *parser);

static bool read_condition_operand(struct policy_parser *parser)
{
    if (is_sign(parser, '(')) {
        return read_nested(parser, read_condition);
    }
    return take_word(parser, WORD_STATIC) ||
           ((take_word(parser, WORD_HAVE_COMPONENTS) || take_word(parser, WORD_EXCLUDE)) &&
            read_prefix_set(parser));
}

static bool read_condition(struct policy_parser *parser)
{
    do {
        if (!read_condition_operand(parser)) {
            return false;
        }
    } while (take_word(parser, WORD_OR) || take_word(parser, WORD_AND));
    return true;
}

static bool read_inject(struct policy_parser *parser)
{
    return read_optional_at(parser) && read_optional_action(parser) &&
           (!take_word(parser, WORD_UPON) || read_condition(parser));
}

/* --- routers --- */

static bool read_mask_and_action(struct policy_parser *parser, uint64_t max)
{
    return take_word(parser, WORD_MASKLEN) && read_number(parser, max) &&
           read_optional_action(parser);
}

static bool read_v4_interface(struct policy_parser *parser)
{
    parser->next_hops = V4;
    return take(parser, TOKEN_V4) && read_mask_and_action(parser, 32);
}

static bool read_interface(struct policy_parser *parser)
{
    if (parser->next.kind == TOKEN_V4) {
        return read_v4_interface(parser);
    }
    parser->next_hops = V6;
    if (!take(parser, TOKEN_V6) || !read_mask_and_action(parser, 128)) {
        return false;
    }
    return !take_word(parser, WORD_TUNNEL) ||
           (take(parser, TOKEN_V6) && take_sign(parser, ',') &&
            (take_word(parser, WORD_GRE) || take_word(parser, WORD_IPV6INIPV4) ||
             take_word(parser, WORD_IPINIP) || take_word(parser, WORD_DVMRP)));
}

/** asno(AS1) */
static bool read_peer_as(struct policy_parser *parser)
{
    return take_word(parser, WORD_ASNO) && take_sign(parser, '(') &&
           (take(parser, TOKEN_AS) || take_word(parser, WORD_PEERAS)) && take_sign(parser, ')');
}

/** flap_damp() or flap_damp(1, 2, 3, 4, 5, 6) */
static bool read_flap_damp(struct policy_parser *parser)
{
    if (!take_word(parser, WORD_FLAP_DAMP) || !take_sign(parser, '(')) {
        return false;
    }
    for (unsigned i = 0; i < FLAP_VALUES && (i > 0 || !is_sign(parser, ')')); i++) {
        if ((i > 0 && !take_sign(parser, ',')) || !read_number(parser, NUMBER_MAX)) {
            return false;
        }
    }
    return take_sign(parser, ')');
}

static bool read_peer(struct policy_parser *parser)
{
    bool is_bgp = is_word(parser, WORD_BGP4) || is_word(parser, WORD_MPBGP);

    if (!take_protocol(parser) ||
        (!take_address(parser, parser->addresses) && !take(parser, TOKEN_RTR_SET) &&
         !take(parser, TOKEN_PEERING_SET) && !read_host(parser))) {
        return false;
    }
    if (!is_bgp) {
        return true;
    }
    if (is_word(parser, WORD_FLAP_DAMP)) {
        return read_flap_damp(parser) && take_sign(parser, ',') && read_peer_as(parser);
    }
    return read_peer_as(parser) && (!take_sign(parser, ',') || read_flap_damp(parser));
}

/* clang-format off */
static const struct {
    reader *read;
    unsigned scope, addresses, prefixes, next_hops;
} policies[POLICY_COUNT] = {
    [POLICY_AGGR_BNDRY]    = {read_as_expression,      IN_PEERING,   0,       0,       0      },
    [POLICY_AGGR_MTD]      = {read_aggregation_method, IN_PEERING,   0,       0,       0      },
    [POLICY_COMPONENTS]    = {read_components,         IN_FILTER,    0,       V4,      V4     },
    [POLICY_COMPONENTS_V6] = {read_components,         IN_FILTER,    0,       V6,      V6     },
    [POLICY_DEFAULT]       = {read_default,            IN_DEFAULT,   V4,      V4,      V4     },
    [POLICY_EXPORT]        = {read_export,             IN_EXPORT,    V4,      V4,      V4     },
    [POLICY_EXPORT_VIA]    = {read_export_via,         IN_EXPORT,    V4 | V6, V4 | V6, V4 | V6},
    [POLICY_FILTER]        = {read_filter,             IN_FILTER,    0,       V4,      V4     },
    [POLICY_FILTER_V6]     = {read_filter,             IN_FILTER,    0,       V6,      V6     },
    [POLICY_IFADDR]        = {read_v4_interface,       IN_INTERFACE, V4,      0,       V4     },
    [POLICY_IMPORT]        = {read_import,             IN_IMPORT,    V4,      V4,      V4     },
    [POLICY_IMPORT_VIA]    = {read_import_via,         IN_IMPORT,    V4 | V6, V4 | V6, V4 | V6},
    [POLICY_INJECT]        = {read_inject,             IN_INJECT,    V4,      V4,      V4     },
    [POLICY_INJECT_V6]     = {read_inject,             IN_INJECT,    V4 | V6, V6,      V4 | V6},
    [POLICY_INTERFACE]     = {read_interface,          IN_INTERFACE, V4 | V6, 0,       V4 | V6},
    [POLICY_MP_DEFAULT]    = {read_default,            IN_DEFAULT,   V4 | V6, V4 | V6, V4 | V6},
    [POLICY_MP_EXPORT]     = {read_export,             IN_EXPORT,    V4 | V6, V4 | V6, V4 | V6},
    [POLICY_MP_FILTER]     = {read_filter,             IN_FILTER,    0,       V4 | V6, V4 | V6},
    [POLICY_MP_IMPORT]     = {read_import,             IN_IMPORT,    V4 | V6, V4 | V6, V4 | V6},
    [POLICY_MP_PEER]       = {read_peer,               IN_PEER,      V4 | V6, 0,       0      },
    [POLICY_MP_PEERING]    = {read_peering,            IN_PEERING,   V4 | V6, 0,       0      },
    [POLICY_PEER]          = {read_peer,               IN_PEER,      V4,      0,       0      },
    [POLICY_PEERING]       = {read_peering,            IN_PEERING,   V4,      0,       0      },
};
/* clang-format on */

bool policy_is_valid(enum policy policy, struct str value)
{
    unsigned families = policies[policy].addresses | policies[policy].prefixes;
    struct policy_parser parser = {
        .tokens = {value, policies[policy].scope, (families & V6) != 0},
        .addresses = policies[policy].addresses,
        .prefixes = policies[policy].prefixes,
        .next_hops = policies[policy].next_hops,
    };

    advance(&parser);
    return policies[policy].read(&parser) && parser.next.kind == TOKEN_END;
}
