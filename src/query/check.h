/*
 * Whether a parsed query makes sense (whois-queries 2.3): flags that contradict each other, keys
 * that fit nothing.
 */
#pragma once

#include "query/key.h"
#include "rpsl/charset.h"

struct verdict {
    bool has_useless_ip_flag; /**< Warn (902), then answer. */
    bool must_close;          /**< The mistake is one that ends the connection. */
    enum charset charset;     /**< Of the objects in the answer. */
    uint32_t candidates;      /**< search_candidates() of the query. */
};

/**
 * Look at everything and collect all complaints.
 * @param is_trusted  The client is in ipranges.trusted.
 * @return true when the query may run; false: query->complaints tells why not.
 */
bool query_check(struct query *query, const struct search_key *key, bool is_trusted,
                 struct arena *arena, struct verdict *out);

/** Of a valid query: for whom a proxy asks (-V tag,ADDRESS). @return false when it does not say. */
bool query_proxied_address(const struct query *query, struct ip_range *out);
