/*
 * The second look at a found object: its text decides what a hash in an index could only suggest.
 */
#include "query/search.h"

/* SQL's LIKE: after a mismatch only the last % is tried further on. */
static bool is_like(struct str value, struct str pattern)
{
    size_t i = 0, j = 0, behind_wild = 0, retry = 0;

    while (i < pattern.len || j < value.len) {
        char wanted = i < pattern.len ? pattern.at[i] : '\0';
        bool is_escaped = wanted == '\\' && i + 1 < pattern.len;

        if (wanted == '%') {
            behind_wild = ++i;
            retry = j;
            continue;
        }
        if (is_escaped) {
            wanted = pattern.at[i + 1];
        }
        if (i < pattern.len && j < value.len &&
            (value.at[j] == wanted || (wanted == '_' && !is_escaped))) {
            i += 1 + is_escaped;
            j++;
        } else if (behind_wild > 0 && retry < value.len) {
            i = behind_wild;
            j = ++retry;
        } else {
            return false;
        }
    }
    return true;
}

struct verification {
    const struct search *search;
    uint64_t seen;       /* Which of the first 64 wanted values occurred. */
    enum rpsl_class set; /* That the object may be a member of. */
    bool has_email, has_netname, is_let_in;
};

/* The class of the sets that objects of a class may be members of. */
static enum rpsl_class set_of(enum rpsl_class class)
{
    switch (class) {
    case CLASS_AUT_NUM:
        return CLASS_AS_SET;
    case CLASS_INET_RTR:
        return CLASS_RTR_SET;
    default:
        return CLASS_ROUTE_SET;
    }
}

static bool is_consenting(const struct verification *v, struct str maintainer)
{
    for (size_t i = 0; i < v->search->consent_count; i++) {
        const struct consent *consent = &v->search->consents[i];

        if (consent->set == v->set &&
            (str_eq(consent->maintainer, maintainer) || search_is_any(consent->maintainer))) {
            return true;
        }
    }
    return false;
}

static bool verify_value(void *context, unsigned attr, struct str folded)
{
    struct verification *v = context;
    const struct search *search = v->search;

    for (size_t i = 0; i < search->wanted_count && i < 64; i++) {
        const struct wanted_value *wanted = &search->wanted[i];

        if (wanted->attr != attr) {
            continue;
        }
        if (wanted->is_like ? is_like(folded, wanted->folded) : str_eq(folded, wanted->folded)) {
            v->seen |= UINT64_C(1) << i;
        }
    }
    v->has_email |= attr == ATTR_E_MAIL && str_eq(folded, search->folded);
    v->has_netname |= attr == ATTR_NETNAME && str_eq(folded, search->folded);
    v->is_let_in |= attr == ATTR_MNT_BY && is_consenting(v, folded);
    return true;
}

static bool is_inverse_hit(const struct search *search, const struct verification *v)
{
    uint64_t seen = v->seen;

    for (size_t i = 0; i < search->wanted_count && i < 64; i++) {
        if (search->wanted[i].attr == ATTR_MEMBER_OF && !v->is_let_in) {
            seen &= ~(UINT64_C(1) << i);
        }
    }
    return seen != 0;
}

static bool has_all_words(const struct search *search, const struct verification *v)
{
    size_t count = search->wanted_count < 64 ? search->wanted_count : 64;
    uint64_t all = count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;

    return count > 0 && v->seen == all;
}

/* Whether one of the lookups by value can have found this object. */
static bool is_value_hit(const struct search *search, const struct verification *v)
{
    bool is_hit = false;

    for (const struct lookup *lookup = lookups[search->class]; lookup->test != 0; lookup++) {
        if ((lookup->test & search->key->tests) != 0) {
            is_hit |= (lookup->how == SEARCH_WORDS && has_all_words(search, v)) ||
                      (lookup->how == SEARCH_EMAIL && v->has_email) ||
                      (lookup->how == SEARCH_NETNAME && v->has_netname);
        }
    }
    return is_hit;
}

static enum err check_origin(struct search *search, struct item *item)
{
    struct str origin;
    enum err rc = item_origin(&search->view, item, &origin);

    return rc != ERR_OK ? rc : str_eq_nocase(origin, search->key->origin) ? ERR_OK : ERR_NOT_FOUND;
}

/* Look at everything that the indexes hold of the object. */
static enum err read_values(struct search *search, struct item *item, struct verification *v)
{
    enum err rc = item_parse(&search->view, item);

    return rc != ERR_OK ? rc
                        : rpsl_index_values(&item->object, search->view.scratch, verify_value, v);
}

static enum err accepts_forward(struct search *search, struct item *item)
{
    struct verification v = {.search = search};
    bool is_by_value = false;
    enum err rc;

    if (item->info.class != search->class) {
        return ERR_NOT_FOUND;
    }
    for (const struct lookup *lookup = lookups[search->class]; lookup->test != 0; lookup++) {
        is_by_value |= (lookup->test & search->key->tests) != 0 && search_is_by_value(lookup->how);
    }
    if (search->is_by_key &&
        ((rc = item_has_key(&search->view, item, search->canonical)) != ERR_NOT_FOUND ||
         !is_by_value)) {
        return rc;
    }
    if (!is_by_value) { /* But by range: the index knows it exactly. */
        return search->key->has_origin && search_is_route(search->class)
                   ? check_origin(search, item)
                   : ERR_OK;
    }
    rc = read_values(search, item, &v);
    return rc != ERR_OK ? rc : is_value_hit(search, &v) ? ERR_OK : ERR_NOT_FOUND;
}

static enum err accepts_inverse(struct search *search, struct item *item)
{
    struct verification v = {.search = search, .set = set_of(item->info.class)};
    enum err rc = read_values(search, item, &v);

    return rc != ERR_OK ? rc : is_inverse_hit(search, &v) ? ERR_OK : ERR_NOT_FOUND;
}

enum err search_accepts(struct search *search, struct item *item)
{
    return query_has(search->query, QF(INVERSE)) ? accepts_inverse(search, item)
                                                 : accepts_forward(search, item);
}
