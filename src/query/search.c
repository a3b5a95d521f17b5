/*
 * Forward searches run the rows of lookups[] whose test the key passes, class by class in the order
 * of output, so that a long answer starts before its last class is looked at. Names, e-mail
 * addresses and netnames share one posting list over several classes; it is fetched once and dealt
 * out by class.
 */
#include "query/search.h"

#include "rpsl/fold.h"

#include <stdlib.h>

#define CONTACTS (CLASS_BIT(CLASS_PERSON) | CLASS_BIT(CLASS_ROLE))
#define SETS     (CLASS_BIT(CLASS_AS_SET) | CLASS_BIT(CLASS_ROUTE_SET) | CLASS_BIT(CLASS_RTR_SET))

/* What each reference attribute refers to. */
static const struct {
    enum rpsl_attr_id attr;
    uint32_t classes;
} targets[] = {
    {ATTR_ABUSE_C,        CLASS_BIT(CLASS_ROLE)        },
    {ATTR_ADMIN_C,        CONTACTS                     },
    {ATTR_AUTH,           CLASS_BIT(CLASS_KEY_CERT)    },
    {ATTR_AUTHOR,         CONTACTS                     },
    {ATTR_FORM,           CLASS_BIT(CLASS_POETIC_FORM) },
    {ATTR_MBRS_BY_REF,    CLASS_BIT(CLASS_MNTNER)      },
    {ATTR_MEMBER_OF,      SETS                         },
    {ATTR_MNT_BY,         CLASS_BIT(CLASS_MNTNER)      },
    {ATTR_MNT_DOMAINS,    CLASS_BIT(CLASS_MNTNER)      },
    {ATTR_MNT_IRT,        CLASS_BIT(CLASS_IRT)         },
    {ATTR_MNT_LOWER,      CLASS_BIT(CLASS_MNTNER)      },
    {ATTR_MNT_REF,        CLASS_BIT(CLASS_MNTNER)      },
    {ATTR_MNT_ROUTES,     CLASS_BIT(CLASS_MNTNER)      },
    {ATTR_ORG,            CLASS_BIT(CLASS_ORGANISATION)},
    {ATTR_PING_HDL,       CONTACTS                     },
    {ATTR_SPONSORING_ORG, CLASS_BIT(CLASS_ORGANISATION)},
    {ATTR_TECH_C,         CONTACTS                     },
    {ATTR_ZONE_C,         CONTACTS                     },
};

uint32_t search_targets(enum rpsl_attr_id attr)
{
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (targets[i].attr == attr) {
            return targets[i].classes;
        }
    }
    return 0;
}

enum rpsl_range_kind search_range_kind(enum rpsl_class class, bool is_v6)
{
    switch (class) {
    case CLASS_INETNUM:
        return RANGE_INETNUM;
    case CLASS_INET6NUM:
        return RANGE_INET6NUM;
    case CLASS_ROUTE:
        return RANGE_ROUTE;
    case CLASS_ROUTE6:
        return RANGE_ROUTE6;
    case CLASS_DOMAIN:
        return is_v6 ? RANGE_DOMAIN6 : RANGE_DOMAIN4;
    case CLASS_AS_BLOCK:
        return RANGE_AS_BLOCK;
    default:
        return RANGE_NONE;
    }
}

static enum range_mode range_mode(const struct search *search)
{
    static const struct {
        uint64_t flag;
        enum range_mode mode;
    } modes[] = {
        {QF(EXACT),    RANGE_EXACT   },
        {QF(ONE_LESS), RANGE_ONE_LESS},
        {QF(ALL_LESS), RANGE_ALL_LESS},
        {QF(ONE_MORE), RANGE_ONE_MORE},
        {QF(ALL_MORE), RANGE_ALL_MORE},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (query_has(search->query, modes[i].flag)) {
            return modes[i].mode;
        }
    }
    return search->key->has_origin ? RANGE_EXACT : RANGE_EXACT_OR_LESS;
}

/* --- lists over several classes --- */

/* Keep of list what is also in other; both ascend. */
static void intersect(struct id_list *list, const struct id_list *other)
{
    size_t kept = 0, j = 0;

    for (size_t i = 0; i < list->count; i++) {
        while (j < other->count && other->ids[j] < list->ids[i]) {
            j++;
        }
        if (j < other->count && other->ids[j] == list->ids[i]) {
            list->ids[kept++] = list->ids[i];
        }
    }
    list->count = kept;
}

static enum err want(struct search *search, unsigned attr, struct str folded, bool is_like)
{
    struct wanted_value *grown =
        arena_grow(search->arena, search->wanted, search->wanted_count * sizeof(*grown),
                   (search->wanted_count + 1) * sizeof(*grown));

    if (grown == NULL) {
        return ERR_LIMIT;
    }
    search->wanted = grown;
    search->wanted[search->wanted_count++] = (struct wanted_value){attr, folded, is_like};
    return ERR_OK;
}

/* Objects whose name holds every word of the key. */
static enum err find_by_words(struct search *search)
{
    struct str rest = search->folded, word;
    bool is_first = true;
    enum err rc = ERR_OK;

    search->has_words = true;
    while (rc == ERR_OK && str_split(&rest, ' ', &word)) {
        struct id_list found = {0};

        if (word.len == 0) {
            continue;
        }
        if ((rc = want(search, INDEX_NAME_WORD, word, false)) != ERR_OK ||
            (rc = snapshot_by_value(search->view.snap, INDEX_NAME_WORD, word, search->arena,
                                    &found)) != ERR_OK) {
            return rc;
        }
        if (is_first) {
            search->worded = found;
        } else {
            intersect(&search->worded, &found);
        }
        is_first = false;
        if (search->worded.count == 0) {
            return ERR_OK;
        }
    }
    return rc;
}

static enum err find_by_value(struct search *search, enum rpsl_attr_id attr, struct id_list *list,
                              bool *is_done)
{
    if (*is_done) {
        return ERR_OK;
    }
    *is_done = true;
    return snapshot_by_value(search->view.snap, attr, search->folded, search->arena, list);
}

static enum err add_of_class(struct search *search, const struct id_list *from,
                             enum rpsl_class class, struct id_list *out)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < from->count && rc == ERR_OK; i++) {
        struct object_info info;

        if (snapshot_object(search->view.snap, from->ids[i], &info) && info.class == class) {
            rc = id_list_add(out, search->arena, from->ids[i]);
        }
    }
    return rc;
}

/* --- one class --- */

static enum err find_by_key(struct search *search, enum rpsl_class class, struct id_list *out)
{
    uint32_t id;

    search->canonical = rpsl_canonical_key(class, search->key->value, search->arena);
    if (search->canonical.at == NULL) {
        return ERR_LIMIT;
    }
    search->canonical_class = class + 1u;
    id = snapshot_by_key(search->view.reader, search->view.snap, class, search->canonical,
                         search->view.scratch);
    return id == 0 ? ERR_OK : id_list_add(out, search->arena, id);
}

static enum err find_as_block(struct search *search, struct id_list *out)
{
    enum err rc = snapshot_by_range(search->view.snap, RANGE_AS_BLOCK, &search->key->as_range,
                                    RANGE_ALL_LESS, search->arena, out);

    out->count = out->count > 1 ? 1 : out->count;
    return rc;
}

static enum err find_domains(struct search *search, struct id_list *out)
{
    const struct search_key *key = search->key;

    if (str_ends_nocase(key->value, STR("e164.arpa"))) {
        return find_by_key(search, CLASS_DOMAIN, out);
    }
    if (!key->has_reverse) {
        return ERR_OK;
    }
    return snapshot_by_range(search->view.snap, search_range_kind(CLASS_DOMAIN, key->reverse.is_v6),
                             &key->reverse, range_mode(search), search->arena, out);
}

/* Ids in order of address: begin ascending, larger ranges first. */
struct placed {
    struct ip_range range;
    uint32_t id;
};

static int compare_places(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;

    if (a->range.begin != b->range.begin) {
        return a->range.begin < b->range.begin ? -1 : 1;
    }
    if (a->range.end != b->range.end) {
        return a->range.end > b->range.end ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

static enum err sort_by_address(struct search *search, struct id_list *list)
{
    struct placed *places;

    if (list->count < 2) {
        return ERR_OK;
    }
    places = arena_calloc(search->arena, list->count, sizeof(*places));
    if (places == NULL) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < list->count; i++) {
        struct arena_mark mark = arena_mark(search->view.scratch);
        struct item item;
        struct rpsl_key key;
        enum err rc = item_load(&search->view, list->ids[i], &item);

        if (rc == ERR_OK && (rc = item_key(&search->view, &item, &key)) == ERR_OK) {
            rpsl_object_range(&key, &places[i].range);
        }
        places[i].id = list->ids[i];
        arena_rewind(search->view.scratch, mark);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    qsort(places, list->count, sizeof(*places), compare_places);
    for (size_t i = 0; i < list->count; i++) {
        list->ids[i] = places[i].id;
    }
    return ERR_OK;
}

static enum err run_lookup(struct search *search, const struct lookup *lookup, struct id_list *out)
{
    enum err rc = ERR_OK;

    switch (lookup->how) {
    case SEARCH_RANGE:
        return snapshot_by_range(search->view.snap,
                                 search_range_kind(lookup->class, search->key->ip.is_v6),
                                 &search->key->ip, range_mode(search), search->arena, out);
    case SEARCH_AS_BLOCK:
        return find_as_block(search, out);
    case SEARCH_DOMAIN:
        return find_domains(search, out);
    case SEARCH_NETNAME:
        rc = find_by_value(search, ATTR_NETNAME, &search->netnamed, &search->has_netnames);
        if (rc == ERR_OK) {
            rc = add_of_class(search, &search->netnamed, lookup->class, out);
        }
        return rc != ERR_OK ? rc : sort_by_address(search, out);
    case SEARCH_KEY:
        return find_by_key(search, lookup->class, out);
    case SEARCH_WORDS:
        if (!search->has_words) {
            rc = find_by_words(search);
        }
        return rc != ERR_OK ? rc : add_of_class(search, &search->worded, lookup->class, out);
    case SEARCH_EMAIL:
        rc = find_by_value(search, ATTR_E_MAIL, &search->mailed, &search->has_mails);
        return rc != ERR_OK ? rc : add_of_class(search, &search->mailed, lookup->class, out);
    }
    return ERR_OK;
}

/* Classes whose objects come in the order of their keys' text. */
static bool is_sorted_by_key(enum rpsl_class class)
{
    return search_range_kind(class, false) == RANGE_NONE;
}

enum err search_begin(struct search *search)
{
    search->folded = rpsl_fold(search->key->value, search->arena);
    return search->folded.at == NULL ? ERR_LIMIT : ERR_OK;
}

enum err search_class(struct search *search, enum rpsl_class class, struct id_list *out)
{
    enum err rc = ERR_OK;

    search->ordered = 0;
    search->canonical_class = 0;
    if (query_has(search->query, QF(PRIMARY_KEYS)) &&
        (class == CLASS_PERSON || class == CLASS_ROLE || class == CLASS_ORGANISATION)) {
        return ERR_OK; /* -K shows no contacts. */
    }
    for (size_t i = 0; i < lookup_count && rc == ERR_OK; i++) {
        if (lookups[i].class == class && (lookups[i].test & search->key->tests) != 0) {
            rc = run_lookup(search, &lookups[i], out);
        }
    }
    if (rc == ERR_OK && out->count > 1 && is_sorted_by_key(class)) {
        rc = snapshot_sort(search->view.reader, search->view.snap, out, search->arena);
    }
    return rc;
}

/* --- inverse --- */

bool search_is_inverse(enum rpsl_attr_id attr, bool is_trusted)
{
    if (attr == ATTR_PERSON || (attr == ATTR_E_MAIL && is_trusted)) {
        return true;
    }
    for (int class = 0; class < CLASS_UNKNOWN; class ++) {
        const struct rpsl_template_row *row = rpsl_template_row((enum rpsl_class) class, attr);

        if (row != NULL && row->inverse) {
            return true;
        }
    }
    return false;
}

/* The keyword of mbrs-by-ref. */
static bool is_any(struct str folded)
{
    return str_eq_nocase(folded, STR("any"));
}

/* The object that an attribute refers to must exist. */
static bool is_target_alive(const struct search *search, enum rpsl_attr_id attr)
{
    uint32_t classes = search_targets(attr);

    if (classes == 0 || (attr == ATTR_MBRS_BY_REF && is_any(search->folded))) {
        return true;
    }
    for (int class = 0; class < CLASS_UNKNOWN; class ++) {
        if ((classes & CLASS_BIT(class)) != 0 &&
            view_find(&search->view, (enum rpsl_class) class, search->key->value) != 0) {
            return true;
        }
    }
    return false;
}

struct consent {
    struct search *search;
    enum err rc;
};

static bool add_consenting(void *context, unsigned attr, struct str folded)
{
    struct consent *consent = context;
    struct search *search = consent->search;
    struct str *grown;

    if (attr != ATTR_MBRS_BY_REF) {
        return true;
    }
    grown = arena_grow(search->arena, search->consenting, search->consenting_count * sizeof(*grown),
                       (search->consenting_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        consent->rc = ERR_LIMIT;
        return false;
    }
    search->consenting = grown;
    grown[search->consenting_count] = arena_strdup(search->arena, folded);
    if (grown[search->consenting_count++].at == NULL) {
        consent->rc = ERR_LIMIT;
    }
    return consent->rc == ERR_OK;
}

/* Whom the sets of this name let in by mbrs-by-ref. */
static enum err read_consent(struct search *search)
{
    struct consent consent = {search, ERR_OK};
    enum err rc = ERR_OK;

    for (int class = 0; class < CLASS_UNKNOWN && rc == ERR_OK; class ++) {
        struct item item;
        uint32_t id = (SETS & CLASS_BIT(class)) == 0
                          ? 0
                          : view_find(&search->view, (enum rpsl_class) class, search->key->value);

        if (id == 0) {
            continue;
        }
        if ((rc = item_load(&search->view, id, &item)) == ERR_OK &&
            (rc = item_parse(&search->view, &item)) == ERR_OK) {
            rc = rpsl_index_values(&item.object, search->view.scratch, add_consenting, &consent);
        }
        rc = rc == ERR_OK ? consent.rc : rc;
    }
    return rc;
}

static enum err find_by_nserver(struct search *search, struct id_list *out)
{
    struct str pattern = search->folded, fixed;
    size_t wild = 0;
    enum err rc;

    if (pattern.len > 0 && pattern.at[pattern.len - 1] == '.') {
        pattern.len--;
    }
    while (wild < pattern.len && pattern.at[wild] != '%' && pattern.at[wild] != '_') {
        wild++;
    }
    fixed = str_sub(pattern, 0, wild);
    if ((rc = want(search, ATTR_NSERVER, pattern, true)) != ERR_OK) {
        return rc;
    }
    return snapshot_by_prefix(search->view.snap, ATTR_NSERVER, fixed, search->arena, out);
}

static enum err find_inverse(struct search *search, enum rpsl_attr_id attr, struct id_list *out)
{
    struct str value = search->folded;
    enum err rc;

    if (attr == ATTR_NSERVER) {
        return find_by_nserver(search, out);
    }
    if (attr == ATTR_IFADDR) { /* The first word: of `a - a` the address. */
        value = str_sub(value, 0, str_find(value, ' ', 0));
    }
    if (attr == ATTR_ORIGIN && (search->key->tests & KEY_IS(AUT_NUM)) == 0) {
        return ERR_OK;
    }
    if (!is_target_alive(search, attr)) {
        return ERR_OK;
    }
    if (attr == ATTR_MEMBER_OF && (rc = read_consent(search)) != ERR_OK) {
        return rc;
    }
    if ((rc = want(search, attr, value, false)) != ERR_OK) {
        return rc;
    }
    return snapshot_by_value(search->view.snap, attr, value, search->arena, out);
}

static enum err find_contacts(struct search *search, struct id_list *out)
{
    enum err rc = ERR_OK;

    for (int attr = 0; attr < ATTR_COUNT && rc == ERR_OK; attr++) {
        if ((rpsl_attr_info((enum rpsl_attr_id)attr)->flags & ATTR_CONTACT_REF) != 0) {
            rc = find_inverse(search, (enum rpsl_attr_id)attr, out);
        }
    }
    return rc;
}

static void keep_classes(const struct search *search, uint32_t classes, struct id_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count && classes != ALL_CLASSES; i++) {
        struct object_info info;

        if (snapshot_object(search->view.snap, list->ids[i], &info) &&
            (CLASS_BIT(info.class) & classes) != 0) {
            list->ids[kept++] = list->ids[i];
        }
    }
    list->count = classes != ALL_CLASSES ? kept : list->count;
}

enum err search_inverse(struct search *search, uint32_t classes, struct id_list *out)
{
    const struct query *query = search->query;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < query->inverse_count && rc == ERR_OK; i++) {
        rc = query->inverse[i] == ATTR_PERSON ? find_contacts(search, out)
                                              : find_inverse(search, query->inverse[i], out);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    keep_classes(search, classes, out);
    if (out->count > 1) {
        rc = snapshot_sort(search->view.reader, search->view.snap, out, search->arena);
    }
    return rc;
}

/* --- a second look at the object itself --- */

/* SQL's LIKE with a % behind the pattern: after a mismatch only the last % is tried further on. */
static bool is_like(struct str value, struct str pattern)
{
    size_t i = 0, j = 0, behind_wild = 0, retry = 0;

    while (i < pattern.len) {
        if (pattern.at[i] == '%') {
            behind_wild = ++i;
            retry = j;
        } else if (j < value.len && (pattern.at[i] == '_' || pattern.at[i] == value.at[j])) {
            i++;
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
    uint64_t seen; /* Which of the first 64 wanted values occurred. */
    bool has_email, has_netname;
    bool is_member, is_let_in;
};

static bool is_consenting(const struct search *search, struct str maintainer)
{
    for (size_t i = 0; i < search->consenting_count; i++) {
        if (str_eq(search->consenting[i], maintainer) || is_any(search->consenting[i])) {
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
            v->is_member |= attr == ATTR_MEMBER_OF;
        }
    }
    v->has_email |= attr == ATTR_E_MAIL && str_eq(folded, search->folded);
    v->has_netname |= attr == ATTR_NETNAME && str_eq(folded, search->folded);
    v->is_let_in |= attr == ATTR_MNT_BY && is_consenting(search, folded);
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

/* The lookups by which this object can have been found, and whether its text bears one of them out.
 */
static enum err is_forward_hit(struct search *search, struct item *item,
                               const struct verification *v, bool *is_hit)
{
    struct rpsl_key key;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < lookup_count && !*is_hit && rc == ERR_OK; i++) {
        if (lookups[i].class != item->info.class || (lookups[i].test & search->key->tests) == 0) {
            continue;
        }
        switch (lookups[i].how) {
        case SEARCH_WORDS:
            *is_hit = has_all_words(search, v);
            break;
        case SEARCH_EMAIL:
            *is_hit = v->has_email;
            break;
        case SEARCH_NETNAME:
            *is_hit = v->has_netname;
            break;
        case SEARCH_KEY:
            rc = item_key(&search->view, item, &key);
            *is_hit = rc == ERR_OK && search->canonical_class == item->info.class + 1u &&
                      str_eq(key.canonical, search->canonical);
            break;
        default:
            *is_hit = true;
            break;
        }
    }
    return rc;
}

/* Whether the class's objects were found by value, and not only by key or range, which the index
 * verified. */
static bool needs_verifying(const struct search *search, enum rpsl_class class)
{
    for (size_t i = 0; i < lookup_count; i++) {
        if (lookups[i].class == class && (lookups[i].test & search->key->tests) != 0 &&
            (lookups[i].how == SEARCH_NETNAME || lookups[i].how == SEARCH_WORDS ||
             lookups[i].how == SEARCH_EMAIL)) {
            return true;
        }
    }
    return false;
}

static enum err check_origin(struct search *search, struct item *item)
{
    enum err rc = item_parse(&search->view, item);
    struct str origin;

    if (rc != ERR_OK) {
        return rc;
    }
    origin = item_value(&search->view, item, ATTR_ORIGIN);
    if (origin.at == NULL) {
        return ERR_LIMIT;
    }
    return str_eq_nocase(origin, search->key->origin) ? ERR_OK : ERR_NOT_FOUND;
}

enum err search_accepts(struct search *search, struct item *item)
{
    bool is_inverse = query_has(search->query, QF(INVERSE));
    struct verification v = {.search = search};
    bool is_hit = false;
    enum err rc;

    if (!is_inverse && search->key->has_origin &&
        (item->info.class == CLASS_ROUTE || item->info.class == CLASS_ROUTE6)) {
        return check_origin(search, item);
    }
    if (!is_inverse && !needs_verifying(search, item->info.class)) {
        return ERR_OK;
    }
    if ((rc = item_parse(&search->view, item)) != ERR_OK ||
        (rc = rpsl_index_values(&item->object, search->view.scratch, verify_value, &v)) != ERR_OK) {
        return rc;
    }
    if (is_inverse) {
        return is_inverse_hit(search, &v) ? ERR_OK : ERR_NOT_FOUND;
    }
    rc = is_forward_hit(search, item, &v, &is_hit);
    return rc != ERR_OK ? rc : is_hit ? ERR_OK : ERR_NOT_FOUND;
}

/* --- routes of one prefix --- */

struct origin_place {
    struct str canonical; /* The prefixes are equal, so this sorts by origin. */
    uint32_t id;
};

static int compare_origins(const void *left, const void *right)
{
    const struct origin_place *a = left, *b = right;

    return str_cmp(a->canonical, b->canonical);
}

enum err search_order(struct search *search, struct id_list *list, size_t i)
{
    struct arena_mark mark = arena_mark(search->view.scratch);
    struct origin_place *places = NULL;
    struct ip_range first = {0}, range;
    size_t count = 0;
    enum err rc = ERR_OK;

    if (i < search->ordered || i + 1 == list->count) {
        return ERR_OK;
    }
    while (i + count < list->count) {
        struct item item;
        struct rpsl_key key;
        struct origin_place *grown;

        if ((rc = item_load(&search->view, list->ids[i + count], &item)) != ERR_OK ||
            (item.info.class != CLASS_ROUTE && item.info.class != CLASS_ROUTE6) ||
            (rc = item_key(&search->view, &item, &key)) != ERR_OK) {
            break;
        }
        if (rpsl_object_range(&key, &range) == RANGE_NONE ||
            (count > 0 && (range.begin != first.begin || range.end != first.end))) {
            break;
        }
        first = range;
        grown = arena_grow(search->view.scratch, places, count * sizeof(*places),
                           (count + 1) * sizeof(*places));
        if (grown == NULL) {
            rc = ERR_LIMIT;
            break;
        }
        places = grown;
        places[count] = (struct origin_place){key.canonical, list->ids[i + count]};
        count++;
    }
    if (rc == ERR_OK && count > 1) {
        qsort(places, count, sizeof(*places), compare_origins);
        for (size_t j = 0; j < count; j++) {
            list->ids[i + j] = places[j].id;
        }
    }
    search->ordered = i + (count > 0 ? count : list->count);
    arena_rewind(search->view.scratch, mark);
    return rc;
}
