/*
 * The policy language of RPSL (RFC 2622, RFC 4012), judged by its grammar: peerings, actions,
 * filters and what is built of them.
 *
 * A value is read once, from left to right, with one token of lookahead. Chains (`AND`, `REFINE`,
 * lists) are loops, only parentheses recurse, and those at most 100 deep: deeper ones are invalid.
 */
#pragma once

#include "base/str.h"

enum policy {
    POLICY_AGGR_BNDRY,
    POLICY_AGGR_MTD,
    POLICY_COMPONENTS,
    POLICY_COMPONENTS_V6,
    POLICY_DEFAULT,
    POLICY_EXPORT,
    POLICY_EXPORT_VIA,
    POLICY_FILTER,
    POLICY_FILTER_V6, /**< Of a route6: IPv6 prefixes only. */
    POLICY_IFADDR,
    POLICY_IMPORT,
    POLICY_IMPORT_VIA,
    POLICY_INJECT,
    POLICY_INJECT_V6,
    POLICY_INTERFACE,
    POLICY_MP_DEFAULT,
    POLICY_MP_EXPORT,
    POLICY_MP_FILTER,
    POLICY_MP_IMPORT,
    POLICY_MP_PEER,
    POLICY_MP_PEERING,
    POLICY_PEER,
    POLICY_PEERING,
    POLICY_COUNT
};

/**
 * @param value  One line without comments (rpsl_clean_value()).
 * @return Whether all of the value is in the language of this policy.
 */
bool policy_is_valid(enum policy policy, struct str value);
