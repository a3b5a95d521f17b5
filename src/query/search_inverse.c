/*
 * Inverse searches: every attribute of -i is looked up in its postings, one after the other; then
 * -T takes its part. A reference counts only while the object that it refers to exists, and a
 * member only when its set lets it in.
 */
#include "query/search.h"

#define STEP_OBJECTS 64

#define CONTACTS (CLASS_BIT(CLASS_PERSON) | CLASS_BIT(CLASS_ROLE))
#define SETS     (CLASS_BIT(CLASS_AS_SET) | CLASS_BIT(CLASS_ROUTE_SET) | CLASS_BIT(CLASS_RTR_SET))

/* What each reference attribute refers to. A key in auth: is found by its value, whether there is
 * such a key-cert or not. */
static const struct {
    enum rpsl_attr_id attr;
    uint32_t classes;
} targets[] = {
    {ATTR_ABUSE_C,        CONTACTS                     },
    {ATTR_ADMIN_C,        CONTACTS                     },
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

/* ANY stands for no maintainer, and yet may be asked for; not where ranges follow the name. */
static bool is_keyword(const struct search *search, enum rpsl_attr_id attr, uint32_t classes)
{
    return classes == CLASS_BIT(CLASS_MNTNER) && attr != ATTR_MNT_ROUTES &&
           search_is_any(search->folded);
}

/* The object that an attribute refers to must exist. */
static enum err find_target(const struct search *search, enum rpsl_attr_id attr, bool *is_alive)
{
    uint32_t classes = search_targets(attr), id = 0;
    enum err rc = ERR_OK;

    *is_alive = true;
    if (classes == 0 || is_keyword(search, attr, classes)) {
        return ERR_OK;
    }
    for (; classes != 0 && id == 0 && rc == ERR_OK; classes &= classes - 1) {
        rc = view_find(&search->view, (enum rpsl_class)__builtin_ctz(classes), search->key->value,
                       &id);
    }
    *is_alive = id != 0;
    return rc;
}

/* Reads mbrs-by-ref of one set. */
struct consent_reader {
    struct search *search;
    enum rpsl_class set;
    enum err rc;
};

static bool add_consent(void *context, unsigned attr, struct str folded)
{
    struct consent_reader *reader = context;
    struct search *search = reader->search;
    struct consent *grown;

    if (attr != ATTR_MBRS_BY_REF) {
        return true;
    }
    grown = arena_grow(search->arena, search->consents, search->consent_count * sizeof(*grown),
                       (search->consent_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        reader->rc = ERR_LIMIT;
        return false;
    }
    search->consents = grown;
    grown += search->consent_count++;
    *grown = (struct consent){reader->set, arena_strdup(search->arena, folded)};
    if (grown->maintainer.at == NULL) {
        reader->rc = ERR_LIMIT;
    }
    return reader->rc == ERR_OK;
}

/* A maintainer counts, here too, only while it exists. */
static enum err drop_dangling_consents(struct search *search)
{
    size_t kept = 0;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < search->consent_count && rc == ERR_OK; i++) {
        struct str maintainer = search->consents[i].maintainer;
        uint32_t id = 0;

        rc = view_find(&search->view, CLASS_MNTNER, maintainer, &id);
        if (id != 0 || search_is_any(maintainer)) {
            search->consents[kept++] = search->consents[i];
        }
    }
    search->consent_count = kept;
    return rc;
}

/* Whom the sets of this name let in by mbrs-by-ref. */
static enum err read_consents(struct search *search)
{
    struct consent_reader reader = {.search = search};
    enum err rc = ERR_OK;

    for (uint32_t sets = SETS; sets != 0 && rc == ERR_OK; sets &= sets - 1) {
        struct item item;
        uint32_t id;

        reader.set = (enum rpsl_class)__builtin_ctz(sets);
        rc = view_find(&search->view, reader.set, search->key->value, &id);
        if (rc != ERR_OK || id == 0) {
            continue;
        }
        if ((rc = item_load(&search->view, id, &item)) == ERR_OK &&
            (rc = item_parse(&search->view, &item)) == ERR_OK) {
            rc = rpsl_index_values(&item.object, search->view.scratch, add_consent, &reader);
        }
        rc = rc == ERR_OK ? reader.rc : rc;
    }
    return rc != ERR_OK ? rc : drop_dangling_consents(search);
}

static enum err next_attribute(struct search *search);

static enum err find_by_nserver(struct search *search)
{
    struct str pattern = search->folded, fixed;
    size_t wild = 0;
    enum err rc;

    if (pattern.len > 1 && pattern.at[pattern.len - 1] == '.') {
        pattern.len--;
    }
    while (wild < pattern.len && str_find(STR("%_\\"), pattern.at[wild], 0) == 3) {
        wild++;
    }
    fixed = str_sub(pattern, 0, wild);
    pattern = arena_printf(search->arena, "%.*s%%", STR_ARG(pattern));
    if (pattern.at == NULL) {
        return ERR_LIMIT;
    }
    if ((rc = search_want(search, ATTR_NSERVER, pattern, true)) != ERR_OK) {
        return rc;
    }
    return search_walk_value(search, ATTR_NSERVER, fixed, search->out, next_attribute);
}

static enum err find_by_attribute(struct search *search, enum rpsl_attr_id attr)
{
    struct str value = search->folded;
    bool is_alive;
    enum err rc;

    if (attr == ATTR_NSERVER) {
        return find_by_nserver(search);
    }
    if (attr == ATTR_IFADDR && /* The first word: of `a - a` the address. */
        (rc = rpsl_interface_address(value, search->arena, &value)) != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    if (attr == ATTR_ORIGIN && (search->key->tests & KEY_IS(AUT_NUM)) == 0) {
        return ERR_OK;
    }
    if ((rc = find_target(search, attr, &is_alive)) != ERR_OK || !is_alive) {
        return rc;
    }
    if (attr == ATTR_MEMBER_OF && (rc = read_consents(search)) != ERR_OK) {
        return rc;
    }
    if ((rc = search_want(search, attr, value, false)) != ERR_OK) {
        return rc;
    }
    return search_walk_value(search, attr, value, search->out, next_attribute);
}

/* The next attribute that the postings are asked for: `person` stands for all contacts. */
static bool take_attribute(struct search *search, enum rpsl_attr_id *attr)
{
    const struct query *query = search->query;

    while (search->attribute < query->inverse_count) {
        *attr = query->inverse[search->attribute];
        if (*attr != ATTR_PERSON) {
            search->attribute++;
            return true;
        }
        while (search->contact < ATTR_COUNT) {
            *attr = (enum rpsl_attr_id)search->contact++;
            if ((rpsl_attr_info(*attr)->flags & ATTR_CONTACT_REF) != 0) {
                return true;
            }
        }
        search->attribute++;
    }
    return false;
}

/* Drop what -T does not name. */
static enum err step_keep_classes(struct search *search)
{
    struct id_list *list = search->out;

    for (unsigned i = 0; i < STEP_OBJECTS && search->at < list->count; i++, search->at++) {
        struct object_info info;

        if (snapshot_object(search->view.snap, list->ids[search->at], &info) &&
            (CLASS_BIT(info.class) & search->classes) != 0) {
            list->ids[search->kept++] = list->ids[search->at];
        }
    }
    if (search->at == list->count) {
        list->count = search->kept;
        search->step = NULL;
    }
    return ERR_OK;
}

static enum err next_attribute(struct search *search)
{
    enum rpsl_attr_id attr;

    search->step = next_attribute;
    if (take_attribute(search, &attr)) {
        return find_by_attribute(search, attr);
    }
    search->at = search->kept = 0;
    search->step = search->classes == ALL_CLASSES ? NULL : step_keep_classes;
    return ERR_OK;
}

void search_inverse(struct search *search, struct id_list *out)
{
    search->out = out;
    search->attribute = search->contact = 0;
    search->step = next_attribute;
}
