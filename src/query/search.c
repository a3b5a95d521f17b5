/*
 * Forward searches run the rows of lookups[] whose test the key passes, class by class in the order
 * of output, so that a long answer starts before its last class is looked at. Names, e-mail
 * addresses and netnames share one posting list over several classes; it is fetched once and dealt
 * out by class.
 *
 * What may take long goes in steps. A search is the function that does its next step, and each
 * says what comes behind it:
 *
 *   next_lookup -> walk -> next_lookup ... -> complete
 *   next_lookup -> walk of a name's word -> [intersect] -> ... -> deal -> next_lookup
 *   next_lookup -> walk of a netname -> deal -> place* -> merge* -> next_lookup
 */
#include "query/search.h"

#include "rpsl/fold.h"

#include <string.h>

#define STEP_RECORDS 256
#define STEP_OBJECTS 64
#define STEP_TEXTS   4

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

/* --- steps --- */

static enum err next_lookup(struct search *search);

enum err search_step(struct search *search, bool *is_done)
{
    enum err rc;

    search->is_ahead = false;
    rc = search->step != NULL ? search->step(search) : ERR_OK;
    *is_done = search->step == NULL;
    return rc;
}

static enum err step_walk(struct search *search)
{
    enum walk_progress progress;
    enum err rc = id_walk_step(search->walk, &progress);

    search->is_ahead = progress == WALK_AHEAD;
    return rc == ERR_OK && progress == WALK_DONE ? search->behind_walk(search) : rc;
}

static void go_walking(struct search *search, enum err (*behind)(struct search *search))
{
    search->step = step_walk;
    search->behind_walk = behind;
    search->is_ahead = true;
}

enum err search_walk_value(struct search *search, unsigned attr, struct str folded,
                           struct id_list *list, enum err (*behind)(struct search *search))
{
    go_walking(search, behind);
    return snapshot_value_walk(search->view.snap, attr, folded, search->arena, list, &search->walk);
}

static enum err walk_range(struct search *search, enum rpsl_range_kind kind,
                           const struct ip_range *range)
{
    go_walking(search, next_lookup);
    return snapshot_range_walk(search->view.snap, kind, range, range_mode(search), search->arena,
                               search->out, &search->walk);
}

/* --- places: what a list is sorted by, when it is not by key --- */

/* Ids in order of address: begin ascending, larger ranges first; those of a prefix by its key,
 * which ends in the origin. */
struct placed {
    struct ip_range range;
    struct str canonical; /* Of routes. */
    uint32_t id;
};

static int compare_places(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    int order = 0;

    if (a->range.begin != b->range.begin) {
        return a->range.begin < b->range.begin ? -1 : 1;
    }
    if (a->range.end != b->range.end) {
        return a->range.end > b->range.end ? -1 : 1;
    }
    if (a->canonical.len > 0 && b->canonical.len > 0) {
        order = str_cmp(a->canonical, b->canonical);
    }
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static void begin_places(struct search *search)
{
    search->mark = arena_mark(search->arena);
    search->places = NULL;
    search->place_count = search->place_cap = 0;
    search->is_merging = false;
}

static enum err add_place(struct search *search, const struct placed *place)
{
    size_t cap = search->place_cap;
    struct placed *grown = search->places;

    if (search->place_count == cap) {
        search->place_cap = cap == 0 ? STEP_TEXTS : 2 * cap;
        grown = arena_grow(search->arena, grown, cap * sizeof(*grown),
                           search->place_cap * sizeof(*grown));
        if (grown == NULL) {
            return ERR_LIMIT;
        }
        search->places = grown;
    }
    search->places[search->place_count++] = *place;
    return ERR_OK;
}

/* Sort the places a bit more. Sorted, they give their ids to `ids` and are gone. */
static enum err sort_places(struct search *search, uint32_t *ids, bool *is_done)
{
    const struct placed *sorted;

    *is_done = false;
    if (!search->is_merging) {
        void *room = arena_alloc(search->arena, (search->place_count + 1) * sizeof(*sorted));

        if (room == NULL) {
            return ERR_LIMIT;
        }
        merge_sort_begin(&search->merge, search->places, room, search->place_count, sizeof(*sorted),
                         compare_places);
        search->is_merging = true;
    }
    if (!merge_sort_step(&search->merge)) {
        return ERR_OK;
    }
    sorted = (const struct placed *)search->merge.items;
    for (size_t i = 0; i < search->place_count; i++) {
        ids[i] = sorted[i].id;
    }
    arena_rewind(search->arena, search->mark);
    search->places = NULL;
    *is_done = true;
    return ERR_OK;
}

static enum err step_sort_places(struct search *search)
{
    bool is_done;
    enum err rc = sort_places(search, search->out->ids, &is_done);

    if (is_done) {
        search->step = next_lookup;
    }
    return rc;
}

static enum err step_place(struct search *search)
{
    const struct id_list *list = search->out;
    enum err rc = ERR_OK;

    for (unsigned i = 0; i < STEP_TEXTS && search->place_count < list->count && rc == ERR_OK; i++) {
        struct arena_mark mark = arena_mark(search->view.scratch);
        struct placed place = {.id = list->ids[search->place_count]};
        struct item item;
        struct rpsl_key key;

        rc = item_load(&search->view, place.id, &item);
        if (rc == ERR_OK && (rc = item_key(&search->view, &item, &key)) == ERR_OK) {
            rpsl_object_range(&key, &place.range);
            rc = add_place(search, &place);
        }
        arena_rewind(search->view.scratch, mark);
    }
    if (search->place_count == list->count) {
        search->step = step_sort_places;
    }
    return rc;
}

/* --- lists over several classes --- */

static enum err step_deal(struct search *search)
{
    const struct id_list *from = search->dealt;
    enum err rc = ERR_OK;

    for (unsigned i = 0; i < STEP_OBJECTS && search->at < from->count && rc == ERR_OK; i++) {
        uint32_t id = from->ids[search->at++];
        struct object_info info;

        if (snapshot_object(search->view.snap, id, &info) && info.class == search->class) {
            rc = id_list_add(search->out, search->arena, id);
        }
    }
    if (rc != ERR_OK || search->at < from->count) {
        return rc;
    }
    if (from == &search->netnamed && search->out->count > 1) {
        begin_places(search);
        search->step = step_place;
        return ERR_OK;
    }
    return next_lookup(search);
}

static enum err deal(struct search *search, const struct id_list *list)
{
    search->dealt = list;
    search->at = 0;
    search->step = step_deal;
    return ERR_OK;
}

static enum err deal_netnames(struct search *search)
{
    return deal(search, &search->netnamed);
}

static enum err deal_mails(struct search *search)
{
    return deal(search, &search->mailed);
}

static enum err find_by_value(struct search *search, enum rpsl_attr_id attr, struct id_list *list,
                              bool *is_found, enum err (*behind)(struct search *search))
{
    if (*is_found) {
        return behind(search);
    }
    *is_found = true;
    return search_walk_value(search, attr, search->folded, list, behind);
}

/* --- names --- */

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

static enum err next_word(struct search *search);

/* Keep of search->worded what was found by one more word, too; both ascend. */
static enum err step_intersect(struct search *search)
{
    struct id_list *list = &search->worded;
    const struct id_list *other = &search->found;

    for (unsigned i = 0; i < STEP_RECORDS; i++) {
        if (search->at == list->count || search->other == other->count) {
            list->count = search->kept;
            search->step = next_word;
            return ERR_OK;
        }
        if (other->ids[search->other] < list->ids[search->at]) {
            search->other++;
        } else {
            if (other->ids[search->other] == list->ids[search->at]) {
                list->ids[search->kept++] = list->ids[search->at];
            }
            search->at++;
        }
    }
    return ERR_OK;
}

static enum err intersect(struct search *search)
{
    search->at = search->other = search->kept = 0;
    search->step = step_intersect;
    return ERR_OK;
}

/* Objects whose name holds every word of the key. */
static enum err next_word(struct search *search)
{
    bool is_first = search->wanted_count == 0;
    struct str word = STR("");
    enum err rc;

    while (word.len == 0 && str_split(&search->words, ' ', &word)) {
    }
    if (word.len == 0 || (!is_first && search->worded.count == 0)) {
        return deal(search, &search->worded);
    }
    if ((rc = search_want(search, INDEX_NAME_WORD, word, false)) != ERR_OK) {
        return rc;
    }
    search->found.count = 0;
    return search_walk_value(search, INDEX_NAME_WORD, word,
                             is_first ? &search->worded : &search->found,
                             is_first ? next_word : intersect);
}

static enum err find_by_words(struct search *search)
{
    if (search->has_words) {
        return deal(search, &search->worded);
    }
    search->has_words = true;
    search->words = search->folded;
    search->step = next_word;
    return ERR_OK;
}

/* --- one class --- */

static enum err find_by_key(struct search *search)
{
    search->is_by_key = true;
    search->canonical = rpsl_canonical_key(search->class, search->key->value, search->arena);
    if (search->canonical.at == NULL) {
        return ERR_LIMIT;
    }
    go_walking(search, next_lookup);
    return snapshot_key_walk(search->view.snap, search->class, search->canonical, search->arena,
                             search->out, &search->walk);
}

static enum err find_as_block(struct search *search)
{
    const struct ip_range *wanted = &search->key->as_range;
    struct id_list *out = search->out;
    enum err rc = ERR_OK;

    if (wanted->end <= UINT32_MAX) {
        rc = snapshot_by_range(search->view.snap, RANGE_AS_BLOCK, wanted, RANGE_ALL_LESS,
                               search->arena, out);
    }
    out->count = out->count > 1 ? 1 : out->count;
    return rc;
}

static enum err find_domains(struct search *search)
{
    const struct search_key *key = search->key;

    if (str_ends_nocase(key->value, STR("e164.arpa"))) {
        return find_by_key(search);
    }
    if (!key->has_reverse) {
        return ERR_OK;
    }
    return walk_range(search, rpsl_range_kind_of(CLASS_DOMAIN, key->reverse.is_v6), &key->reverse);
}

static enum err find_by_range(struct search *search)
{
    if (search->key->has_origin && range_mode(search) == RANGE_EXACT) {
        return find_by_key(search); /* Prefix and origin are the key of a route. */
    }
    return walk_range(search, rpsl_range_kind_of(search->class, search->key->ip.is_v6),
                      &search->key->ip);
}

static enum err run_lookup(struct search *search, enum search_how how)
{
    switch (how) {
    case SEARCH_RANGE:
        return find_by_range(search);
    case SEARCH_AS_BLOCK:
        return find_as_block(search);
    case SEARCH_DOMAIN:
        return find_domains(search);
    case SEARCH_NETNAME:
        return find_by_value(search, ATTR_NETNAME, &search->netnamed, &search->has_netnames,
                             deal_netnames);
    case SEARCH_KEY:
        return find_by_key(search);
    case SEARCH_WORDS:
        return find_by_words(search);
    case SEARCH_EMAIL:
        return find_by_value(search, ATTR_E_MAIL, &search->mailed, &search->has_mails, deal_mails);
    }
    return ERR_OK;
}

/* The rows of a class, up to one that goes in steps. */
static enum err next_lookup(struct search *search)
{
    enum err rc = ERR_OK;

    search->step = next_lookup;
    while (search->step == next_lookup && rc == ERR_OK) {
        const struct lookup *lookup = search->lookup;

        if (lookup->test == 0) {
            search->step = NULL;
        } else {
            search->lookup++;
            rc =
                (lookup->test & search->key->tests) != 0 ? run_lookup(search, lookup->how) : ERR_OK;
        }
    }
    return rc;
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

void search_class(struct search *search, enum rpsl_class class, struct id_list *out)
{
    search->ordered = 0;
    search->class = class;
    search->is_by_key = false;
    search->out = out;
    search->lookup = lookups[class];
    search->step = next_lookup;
    if (query_has(search->query, QF(PRIMARY_KEYS)) &&
        (class == CLASS_PERSON || class == CLASS_ROLE || class == CLASS_ORGANISATION)) {
        search->step = NULL; /* -K shows no contacts. */
    }
}

/* Classes whose objects come in the order of addresses are found so. */
bool search_is_unsorted(const struct search *search)
{
    return search->out->count > 1 && (query_has(search->query, QF(INVERSE)) ||
                                      rpsl_range_kind_of(search->class, false) == RANGE_NONE);
}

/* --- routes of one prefix --- */

/* Add the route behind those that are placed, when it is of their prefix. */
static enum err place_route(struct search *search, uint32_t id, bool *is_other)
{
    struct placed place = {.id = id};
    struct item item;
    struct rpsl_key key;
    enum err rc = item_load(&search->view, id, &item);

    *is_other = true;
    if (rc != ERR_OK || !search_is_route(item.info.class) ||
        (rc = item_key(&search->view, &item, &key)) != ERR_OK) {
        return rc;
    }
    if (rpsl_object_range(&key, &place.range) == RANGE_NONE ||
        (search->place_count > 0 && (place.range.begin != search->places[0].range.begin ||
                                     place.range.end != search->places[0].range.end))) {
        return ERR_OK;
    }
    *is_other = false;
    place.canonical = arena_strdup(search->arena, key.canonical);
    return place.canonical.at == NULL ? ERR_LIMIT : add_place(search, &place);
}

enum err search_order(struct search *search, struct id_list *list, size_t i, bool *is_done)
{
    enum err rc = ERR_OK;
    bool is_other = false;

    *is_done = !search_is_route(search->class) || i < search->ordered || i + 1 == list->count;
    if (*is_done) {
        return ERR_OK;
    }
    if (search->places == NULL) {
        begin_places(search);
    }
    for (unsigned n = 0; n < STEP_TEXTS && !search->is_merging && !is_other && rc == ERR_OK; n++) {
        struct arena_mark mark = arena_mark(search->view.scratch);

        is_other = i + search->place_count == list->count;
        if (!is_other) {
            rc = place_route(search, list->ids[i + search->place_count], &is_other);
        }
        arena_rewind(search->view.scratch, mark);
    }
    if (rc != ERR_OK || (!is_other && !search->is_merging)) {
        return rc;
    }
    if (search->place_count == 0) { /* None of them is a route. */
        search->ordered = list->count;
    } else {
        rc = sort_places(search, list->ids + i, is_done);
        search->ordered = *is_done ? i + search->place_count : search->ordered;
        return rc;
    }
    *is_done = true;
    return ERR_OK;
}
