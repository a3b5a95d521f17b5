/*
 * Forward searches run the rows of lookups[] whose test the key passes, class by class in the order
 * of output, so that a long answer starts before its last class is looked at. Names, e-mail
 * addresses and netnames share one posting list over several classes; it is fetched once and dealt
 * out by class.
 */
#include "query/search.h"

#include "rpsl/fold.h"

#include <stdlib.h>

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

enum err search_want(struct search *search, unsigned attr, struct str folded, bool is_like)
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

/* Keep of search->worded what has this word, too. */
static enum err narrow_by_word(struct search *search, struct str word)
{
    struct arena_mark mark = arena_mark(search->arena);
    struct id_list found = {0};
    enum err rc =
        snapshot_by_value(search->view.snap, INDEX_NAME_WORD, word, search->arena, &found);

    if (rc == ERR_OK) {
        intersect(&search->worded, &found);
    }
    arena_rewind(search->arena, mark);
    return rc;
}

/* Objects whose name holds every word of the key. */
static enum err find_by_words(struct search *search)
{
    struct str rest = search->folded, word;
    enum err rc = ERR_OK;

    search->has_words = true;
    while (rc == ERR_OK && str_split(&rest, ' ', &word)) {
        bool is_first = search->wanted_count == 0;

        if (word.len == 0) {
            continue;
        }
        if ((rc = search_want(search, INDEX_NAME_WORD, word, false)) != ERR_OK) {
            return rc;
        }
        rc = is_first ? snapshot_by_value(search->view.snap, INDEX_NAME_WORD, word, search->arena,
                                          &search->worded)
                      : narrow_by_word(search, word);
        if (search->worded.count == 0) {
            break;
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

static enum err add_of_class(struct search *search, const struct id_list *from, struct id_list *out)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < from->count && rc == ERR_OK; i++) {
        struct object_info info;

        if (snapshot_object(search->view.snap, from->ids[i], &info) &&
            info.class == search->class) {
            rc = id_list_add(out, search->arena, from->ids[i]);
        }
    }
    return rc;
}

/* --- one class --- */

static enum err find_by_key(struct search *search, struct id_list *out)
{
    search->is_by_key = true;
    search->canonical = rpsl_canonical_key(search->class, search->key->value, search->arena);
    if (search->canonical.at == NULL) {
        return ERR_LIMIT;
    }
    return snapshot_by_key_hash(search->view.snap, search->class, search->canonical, search->arena,
                                out);
}

static enum err find_as_block(struct search *search, struct id_list *out)
{
    const struct ip_range *wanted = &search->key->as_range;
    enum err rc = ERR_OK;

    if (wanted->end <= UINT32_MAX) {
        rc = snapshot_by_range(search->view.snap, RANGE_AS_BLOCK, wanted, RANGE_ALL_LESS,
                               search->arena, out);
    }
    out->count = out->count > 1 ? 1 : out->count;
    return rc;
}

static enum err find_domains(struct search *search, struct id_list *out)
{
    const struct search_key *key = search->key;

    if (str_ends_nocase(key->value, STR("e164.arpa"))) {
        return find_by_key(search, out);
    }
    if (!key->has_reverse) {
        return ERR_OK;
    }
    return snapshot_by_range(search->view.snap,
                             rpsl_range_kind_of(CLASS_DOMAIN, key->reverse.is_v6), &key->reverse,
                             range_mode(search), search->arena, out);
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

static enum err run_lookup(struct search *search, enum search_how how, struct id_list *out)
{
    enum err rc = ERR_OK;

    switch (how) {
    case SEARCH_RANGE:
        if (search->key->has_origin && range_mode(search) == RANGE_EXACT) {
            return find_by_key(search, out); /* Prefix and origin are the key of a route. */
        }
        return snapshot_by_range(search->view.snap,
                                 rpsl_range_kind_of(search->class, search->key->ip.is_v6),
                                 &search->key->ip, range_mode(search), search->arena, out);
    case SEARCH_AS_BLOCK:
        return find_as_block(search, out);
    case SEARCH_DOMAIN:
        return find_domains(search, out);
    case SEARCH_NETNAME:
        rc = find_by_value(search, ATTR_NETNAME, &search->netnamed, &search->has_netnames);
        if (rc == ERR_OK) {
            rc = add_of_class(search, &search->netnamed, out);
        }
        return rc != ERR_OK ? rc : sort_by_address(search, out);
    case SEARCH_KEY:
        return find_by_key(search, out);
    case SEARCH_WORDS:
        if (!search->has_words) {
            rc = find_by_words(search);
        }
        return rc != ERR_OK ? rc : add_of_class(search, &search->worded, out);
    case SEARCH_EMAIL:
        rc = find_by_value(search, ATTR_E_MAIL, &search->mailed, &search->has_mails);
        return rc != ERR_OK ? rc : add_of_class(search, &search->mailed, out);
    }
    return ERR_OK;
}

/* Classes whose objects come in the order of their keys' text. */
static bool is_sorted_by_key(enum rpsl_class class)
{
    return rpsl_range_kind_of(class, false) == RANGE_NONE;
}

/* Whether some lookup goes by a value of the objects: netname, name or e-mail. */
static bool goes_by_value(const struct search *search)
{
    uint32_t tests = 0;

    for (uint32_t rest = search->classes; rest != 0; rest &= rest - 1) {
        const struct lookup *lookup = lookups[__builtin_ctz(rest)];

        for (; lookup->test != 0; lookup++) {
            if (search_is_by_value(lookup->how)) {
                tests |= lookup->test;
            }
        }
    }
    return (tests & search->key->tests) != 0;
}

enum err search_begin(struct search *search)
{
    if (query_has(search->query, QF(INVERSE)) || goes_by_value(search)) {
        search->folded = rpsl_fold(search->key->value, search->arena);
        return search->folded.at == NULL ? ERR_LIMIT : ERR_OK;
    }
    return ERR_OK;
}

enum err search_class(struct search *search, enum rpsl_class class, struct id_list *out)
{
    enum err rc = ERR_OK;

    search->ordered = 0;
    search->class = class;
    search->is_by_key = false;
    if (query_has(search->query, QF(PRIMARY_KEYS)) &&
        (class == CLASS_PERSON || class == CLASS_ROLE || class == CLASS_ORGANISATION)) {
        return ERR_OK; /* -K shows no contacts. */
    }
    for (const struct lookup *lookup = lookups[class]; lookup->test != 0 && rc == ERR_OK;
         lookup++) {
        if ((lookup->test & search->key->tests) != 0) {
            rc = run_lookup(search, lookup->how, out);
        }
    }
    if (rc == ERR_OK && out->count > 1 && is_sorted_by_key(class)) {
        rc = snapshot_sort(search->view.reader, search->view.snap, out, search->arena);
    }
    return rc;
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

    if (!search_is_route(search->class) || i < search->ordered || i + 1 == list->count) {
        return ERR_OK;
    }
    while (i + count < list->count) {
        struct item item;
        struct rpsl_key key;
        struct origin_place *grown;

        if ((rc = item_load(&search->view, list->ids[i + count], &item)) != ERR_OK ||
            !search_is_route(item.info.class) ||
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
