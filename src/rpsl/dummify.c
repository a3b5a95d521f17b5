/*
 * One pass over the attributes: each is dropped, copied or replaced. The first replaced one of a
 * kind stays, the others of that kind go.
 */
#include "rpsl/dummify.h"

#include "rpsl/schema.h"

#define MODIFIED "* THIS OBJECT IS MODIFIED"

/** Where the whole object is, by the value of `source:`. */
static const struct {
    struct str source;
    const char *registry, *url;
} registries[] = {
    {STR_INIT("ripe"),         "RIPE",    "http://www.ripe.net/whois"},
    {STR_INIT("ripe-nonauth"), "RIPE",    "http://www.ripe.net/whois"},
    {STR_INIT("ripe-grs"),     "RIPE",    "http://www.ripe.net/whois"},
    {STR_INIT("test"),         "RIPE",    "http://www.ripe.net/whois"},
    {STR_INIT("test-nonauth"), "RIPE",    "http://www.ripe.net/whois"},
    {STR_INIT("test-grs"),     "RIPE",    "http://www.ripe.net/whois"},
    {STR_INIT("afrinic-grs"),  "AFRINIC", "http://www.afrinic.net/"  },
    {STR_INIT("apnic-grs"),    "APNIC",   "http://www.apnic.net/"    },
    {STR_INIT("arin-grs"),     "ARIN",    "http://www.arin.net/"     },
    {STR_INIT("jpirr-grs"),    "JPIRR",   "http://www.nic.ad.jp/"    },
    {STR_INIT("lacnic-grs"),   "LACNIC",  "http://www.lacnic.net/"   },
    {STR_INIT("radb-grs"),     "RADB",    "http://www.radb.net/"     },
};

bool rpsl_is_withheld(const struct rpsl_object *object)
{
    return object->class == CLASS_PERSON ||
           (object->class == CLASS_ROLE && rpsl_find(object, ATTR_ABUSE_MAILBOX, 0) == NULL);
}

/** Whether a class keeps an attribute that is not mandatory in it. */
static bool is_kept(enum rpsl_class class, enum rpsl_attr_id attr)
{
    const struct rpsl_template_row *row = rpsl_template_row(class, attr);

    if (class != CLASS_MNTNER && class != CLASS_ORGANISATION) {
        return true;
    }
    if (attr == ATTR_CREATED || attr == ATTR_LAST_MODIFIED ||
        (row != NULL && row->requirement == RPSL_MANDATORY)) {
        return true;
    }
    return class == CLASS_ORGANISATION && (attr == ATTR_ABUSE_C || attr == ATTR_COUNTRY);
}

/** What stands for the values of an attribute, NULL for those that stay. */
static const char *replacement(enum rpsl_attr_id attr)
{
    switch (attr) {
    case ATTR_ADDRESS:
        return "Dummy address for ";
    case ATTR_AUTH:
        return "SSO unread@ripe.net   # Real value hidden for security";
    case ATTR_CHANGED:
        return "unread@ripe.net 20000101";
    case ATTR_E_MAIL:
    case ATTR_UPD_TO:
        return "unread@ripe.net";
    case ATTR_FAX_NO:
    case ATTR_PHONE:
        return "+31205354444";
    case ATTR_ADMIN_C:
    case ATTR_AUTHOR:
    case ATTR_PING_HDL:
    case ATTR_TECH_C:
    case ATTR_ZONE_C:
        return "DUMY-RIPE";
    default:
        return NULL;
    }
}

/** Whether remarks that stay say already what the seven would say. */
static bool is_marked(const struct rpsl_object *object)
{
    const struct rpsl_attr *attr;

    if (!is_kept(object->class, ATTR_REMARKS)) {
        return false;
    }
    for (size_t i = 0; (attr = rpsl_find(object, ATTR_REMARKS, i)) != NULL;
         i = (size_t)(attr - object->attrs) + 1) {
        if (str_eq(rpsl_trim(attr->value), STR(MODIFIED))) {
            return true;
        }
    }
    return false;
}

static void add_remarks(const struct rpsl_object *object, struct arena *arena, struct buf *out)
{
    const struct rpsl_attr *attr = rpsl_find(object, ATTR_SOURCE, 0);
    struct str source = attr != NULL ? rpsl_clean_value(attr->value, arena) : STR("");

    for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++) {
        if (str_eq_nocase(registries[i].source, source)) {
            buf_printf(out,
                       "remarks:        ****************************\n"
                       "remarks:        " MODIFIED "\n"
                       "remarks:        * Please note that all data that is generally regarded as "
                       "personal\n"
                       "remarks:        * data has been removed from this object.\n"
                       "remarks:        * To view the original object, please query the %s "
                       "Database at:\n"
                       "remarks:        * %s\n"
                       "remarks:        ****************************\n",
                       registries[i].registry, registries[i].url);
            return;
        }
    }
}

static void add_attributes(const struct rpsl_object *object, struct str key, struct str source,
                           struct buf *out)
{
    bool seen[ATTR_COUNT] = {false};

    for (size_t i = 0; i < object->attr_count; i++) {
        const struct rpsl_attr *attr = &object->attrs[i];
        const char *value = i > 0 ? replacement(attr->id) : NULL; /* The class says who it is. */
        bool is_first = !seen[attr->id];

        if (!is_kept(object->class, attr->id) || (value != NULL && !is_first)) {
            continue;
        }
        seen[attr->id] = true;
        buf_add_str(out, attr->name);
        buf_add_char(out, ':');
        if (value != NULL) {
            buf_printf(out, " %s", value);
            if (attr->id == ATTR_ADDRESS) {
                buf_add_str(out, key);
            }
        } else if (attr->id == ATTR_SOURCE && is_first) {
            buf_add_char(out, ' ');
            buf_add_str(out, source);
        } else {
            buf_add_str(out, attr->value);
        }
        buf_add_char(out, '\n');
    }
}

enum err rpsl_dummify(const struct rpsl_object *object, struct str source, struct arena *arena,
                      struct str *out)
{
    struct rpsl_key key = {.text = STR("")};
    struct buf text = {0};
    enum err rc;

    rc = rpsl_object_key(object, arena, &key);
    if (rc == ERR_LIMIT) {
        return rc;
    }
    add_attributes(object, key.text, source, &text);
    if (!is_marked(object)) {
        add_remarks(object, arena, &text);
    }
    *out = arena_strdup(arena, buf_str(&text));
    buf_free(&text);
    return out->at == NULL ? ERR_LIMIT : ERR_OK;
}
