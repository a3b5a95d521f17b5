/*
 * The tokens of the policy language. The longest one at a place is taken, keywords before names.
 */
#pragma once

#include "base/str.h"

/** Where a word is a keyword and not a label of a host's name. */
enum policy_scope {
    IN_IMPORT = 1,
    IN_EXPORT = 2,
    IN_DEFAULT = 4,
    IN_FILTER = 8, /**< Filters and components. */
    IN_INJECT = 16,
    IN_PEERING = 32, /**< Peerings and aggregation. */
    IN_PEER = 64,
    IN_INTERFACE = 128,
};

#define IN_POLICIES (IN_IMPORT | IN_EXPORT | IN_DEFAULT)
#define IN_ACTIONS  (IN_POLICIES | IN_FILTER | IN_INJECT | IN_INTERFACE)
#define IN_ROUTERS  (IN_POLICIES | IN_INJECT | IN_PEERING)
#define IN_PROTOCOL (IN_IMPORT | IN_EXPORT | IN_FILTER | IN_PEER)

/* In ranges: the attributes of actions are PREF to NEXT_HOP, the protocols STATIC to the end. */
/* clang-format off */
#define POLICY_WORD_LIST(X) \
  X(AND,             "and",             IN_ROUTERS | IN_FILTER) \
  X(OR,              "or",              IN_ROUTERS | IN_FILTER) \
  X(NOT,             "not",             IN_POLICIES | IN_FILTER) \
  X(EXCEPT,          "except",          IN_ROUTERS) \
  X(AT,              "at",              IN_ROUTERS) \
  X(ANY,             "any",             IN_POLICIES | IN_FILTER) \
  X(PEERAS,          "peeras",          IN_POLICIES | IN_FILTER | IN_PEER) \
  X(FROM,            "from",            IN_IMPORT) \
  X(ACCEPT,          "accept",          IN_IMPORT) \
  X(TO,              "to",              IN_EXPORT | IN_DEFAULT) \
  X(ANNOUNCE,        "announce",        IN_EXPORT) \
  X(NETWORKS,        "networks",        IN_DEFAULT) \
  X(PROTOCOL,        "protocol",        IN_IMPORT | IN_EXPORT | IN_FILTER) \
  X(INTO,            "into",            IN_IMPORT | IN_EXPORT) \
  X(REFINE,          "refine",          IN_IMPORT | IN_EXPORT) \
  X(AFI,             "afi",             IN_POLICIES) \
  X(IPV4,            "ipv4",            IN_POLICIES) \
  X(IPV6,            "ipv6",            IN_POLICIES) \
  X(UNICAST,         "unicast",         IN_POLICIES) \
  X(MULTICAST,       "multicast",       IN_POLICIES) \
  X(ACTION,          "action",          IN_POLICIES | IN_INJECT | IN_INTERFACE) \
  X(PREF,            "pref",            IN_ACTIONS) \
  X(MED,             "med",             IN_ACTIONS) \
  X(DPA,             "dpa",             IN_ACTIONS) \
  X(COST,            "cost",            IN_ACTIONS) \
  X(ASPATH,          "aspath",          IN_ACTIONS) \
  X(COMMUNITY,       "community",       IN_ACTIONS) \
  X(NEXT_HOP,        "next_hop",        IN_ACTIONS) \
  X(IGP_COST,        "igp_cost",        IN_ACTIONS) \
  X(SELF,            "self",            IN_ACTIONS) \
  X(PREPEND,         "prepend",         IN_ACTIONS) \
  X(APPEND,          "append",          IN_ACTIONS) \
  X(DELETE,          "delete",          IN_ACTIONS) \
  X(CONTAINS,        "contains",        IN_ACTIONS) \
  X(INTERNET,        "internet",        IN_ACTIONS) \
  X(NO_EXPORT,       "no_export",       IN_ACTIONS) \
  X(NO_ADVERTISE,    "no_advertise",    IN_ACTIONS) \
  X(ATOMIC,          "atomic",          IN_FILTER) \
  X(INBOUND,         "inbound",         IN_PEERING) \
  X(OUTBOUND,        "outbound",        IN_PEERING) \
  X(UPON,            "upon",            IN_INJECT) \
  X(HAVE_COMPONENTS, "have-components", IN_INJECT) \
  X(EXCLUDE,         "exclude",         IN_INJECT) \
  X(MASKLEN,         "masklen",         IN_INTERFACE) \
  X(TUNNEL,          "tunnel",          IN_INTERFACE) \
  X(GRE,             "gre",             IN_INTERFACE) \
  X(IPV6INIPV4,      "ipv6inipv4",      IN_INTERFACE) \
  X(IPINIP,          "ipinip",          IN_INTERFACE) \
  X(ASNO,            "asno",            IN_PEER) \
  X(FLAP_DAMP,       "flap_damp",       IN_PEER) \
  X(STATIC,          "static",          IN_INJECT | IN_PROTOCOL) \
  X(BGP4,            "bgp4",            IN_PROTOCOL) \
  X(MPBGP,           "mpbgp",           IN_PROTOCOL) \
  X(OSPF,            "ospf",            IN_PROTOCOL) \
  X(RIP,             "rip",             IN_PROTOCOL) \
  X(IGRP,            "igrp",            IN_PROTOCOL) \
  X(IS_IS,           "is-is",           IN_PROTOCOL) \
  X(RIPNG,           "ripng",           IN_PROTOCOL) \
  X(DVMRP,           "dvmrp",           IN_PROTOCOL | IN_INTERFACE) \
  X(PIM_DM,          "pim-dm",          IN_PROTOCOL) \
  X(PIM_SM,          "pim-sm",          IN_PROTOCOL) \
  X(CBT,             "cbt",             IN_PROTOCOL) \
  X(MOSPF,           "mospf",           IN_PROTOCOL)
/* clang-format on */

enum policy_word {
    WORD_NONE,
#define X(id, text, scopes) WORD_##id,
    POLICY_WORD_LIST(X)
#undef X
        WORD_COUNT
};

enum token_kind {
    TOKEN_END,
    TOKEN_SIGN,          /**< Any other byte. */
    TOKEN_WORD,          /**< A keyword. */
    TOKEN_LABEL,         /**< One label of a host's name. */
    TOKEN_AS,            /**< AS1 */
    TOKEN_AS_RANGE,      /**< AS1 - AS5 */
    TOKEN_AS_SET,        /**< AS1:AS-FOO:PeerAS */
    TOKEN_ROUTE_SET,     /**< RS-FOO */
    TOKEN_FILTER_SET,    /**< FLTR-FOO */
    TOKEN_PEERING_SET,   /**< PRNG-FOO */
    TOKEN_RTR_SET,       /**< RTRS-FOO */
    TOKEN_V4,            /**< An address. */
    TOKEN_V6,            /**< An address. */
    TOKEN_V4_PREFIX,     /**< With or without a range operator; host bits do not matter. */
    TOKEN_V6_PREFIX,     /**< As above. */
    TOKEN_COMMUNITY,     /**< 65000:1 */
    TOKEN_INT,           /**< Digits. */
    TOKEN_MORE_SPECIFIC, /**< ^+ ^- ^24 ^24-28 */
    TOKEN_APPEND,        /**< .= */
    TOKEN_COMPARE,       /**< == */
    TOKEN_BAD,           /**< A number out of its bounds. */
};

struct token {
    enum token_kind kind;
    enum policy_word word;
    struct str text;
};

struct tokens {
    struct str rest;
    unsigned scope; /**< One of enum policy_scope. */
    bool has_v6;    /**< Whether there are IPv6 addresses in this language. */
};

/** Cut off the next token; TOKEN_END for ever at the end. */
struct token token_next(struct tokens *tokens);
