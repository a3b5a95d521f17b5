/*
 * What a search key can mean (whois-queries 3.1 to 3.5): an address, a route, a reverse name, an AS
 * number or range, and the syntaxes of the look-up attributes that it fits. One table says which
 * classes each meaning makes candidates, and how each is searched; the plan is the rows of that
 * table whose test the key passes.
 */
#pragma once

#include "query/parse.h"
#include "rpsl/ip.h"

/* X(ID): what a key may pass as. */
#define KEY_TEST_LIST(X)                                                                           \
    X(IP4)    /* An IPv4 address, prefix or range, without an origin. */                           \
    X(IP6)    /* The same for IPv6. */                                                             \
    X(ROUTE4) /* An IPv4 key with or without an origin. */                                         \
    X(ROUTE6)                                                                                      \
    X(AS_RANGE) /* AS1 - AS5 or AS1. */                                                            \
    X(LETTER)   /* Holds a letter: names and maintainers. */                                       \
    X(NETNAME)                                                                                     \
    X(AUT_NUM)                                                                                     \
    X(AS_SET)                                                                                      \
    X(ROUTE_SET)                                                                                   \
    X(RTR_SET)                                                                                     \
    X(FILTER_SET)                                                                                  \
    X(PEERING_SET)                                                                                 \
    X(HOST) /* inet-rtr and domain names. */                                                       \
    X(POEM)                                                                                        \
    X(FORM)                                                                                        \
    X(IRT)                                                                                         \
    X(KEY_CERT)                                                                                    \
    X(ORGANISATION)                                                                                \
    X(NIC_HDL)                                                                                     \
    X(EMAIL)

enum key_test {
#define X(id) KEY_TEST_##id,
    KEY_TEST_LIST(X)
#undef X
        KEY_TEST_COUNT
};
#define KEY_IS(id) (UINT32_C(1) << KEY_TEST_##id)

struct search_key {
    struct str value; /**< The search value: canonical for addresses, else the cleaned text. */
    uint32_t tests;   /**< KEY_IS(...) bits. */
    bool has_ip, has_origin, has_reverse, has_as_range;
    struct ip_range ip;       /**< With has_ip; also of a route key. */
    struct ip_range reverse;  /**< With has_reverse: a reverse name's addresses. */
    struct ip_range as_range; /**< With has_as_range; may lie above all AS numbers. */
    struct str origin;        /**< With has_origin: "AS3333", upper case. */
};

/** How the objects of a class are found. */
enum search_how {
    SEARCH_RANGE,    /**< In the address tree of the class. */
    SEARCH_AS_BLOCK, /**< The first block that holds the AS range. */
    SEARCH_DOMAIN,   /**< By reverse range; e164.arpa by name. */
    SEARCH_NETNAME,
    SEARCH_KEY,   /**< By primary key. */
    SEARCH_WORDS, /**< By all words of a name. */
    SEARCH_EMAIL,
};

/** One way to find objects of a class. */
struct lookup {
    uint32_t test; /**< KEY_IS(...) bits, any of which the key must pass; 0 ends a class's rows. */
    enum search_how how;
};
#define LOOKUPS_MAX 3
extern const struct lookup lookups[CLASS_UNKNOWN][LOOKUPS_MAX + 1];

/** The compiled patterns; one per thread, since matching writes to it. */
struct key_matcher;
struct key_matcher *key_matcher_new(void); /* Aborts without memory. */
void key_matcher_free(struct key_matcher *matcher);

/**
 * Read a key.
 * @param with_reverse  -d: an address key counts as a reverse key and the other way round.
 * @return ERR_OK, ERR_LIMIT when the arena is full.
 */
enum err search_key_read(struct key_matcher *matcher, struct str text, bool with_reverse,
                         struct arena *arena, struct search_key *out) MUST_CHECK;

/** Whether the key is the word `help`, in any case. */
bool search_key_is_help(const struct search_key *key);

/** The classes that a search may return, by flags and (unless it is inverse) by key. */
uint32_t search_candidates(const struct query *query, const struct search_key *key);
