/*
 * One pass judges the attributes and counts them, a second over the template's rows compares. The
 * table of checks has a row for each attribute whose value is not free; of a list, one element at a
 * time is judged.
 */
#include "rpsl/syntax.h"

#include "rpsl/policy.h"
#include "rpsl/syntax_values.h"

/* --- what depends on the class --- */

static bool check_holes(enum rpsl_class class, struct str value)
{
    return class == CLASS_ROUTE6 ? value_is_inet6num(value) : value_is_inetnum(value);
}

static bool check_member_of(enum rpsl_class class, struct str value)
{
    switch (class) {
    case CLASS_AUT_NUM:
        return value_is_set_name(CLASS_AS_SET, value);
    case CLASS_INET_RTR:
        return value_is_set_name(CLASS_RTR_SET, value);
    default:
        return value_is_set_name(CLASS_ROUTE_SET, value);
    }
}

static bool is_member(enum rpsl_class class, struct str value, bool allows_v6)
{
    switch (class) {
    case CLASS_AS_SET:
        return value_is_as_number(value) || value_is_set_name(CLASS_AS_SET, value);
    case CLASS_RTR_SET:
        return value_is_router(value) || value_is_set_name(CLASS_RTR_SET, value) ||
               (allows_v6 && value_is_inet6num(value));
    default:
        return value_is_as_number(value) || value_is_set_name(CLASS_AS_SET, value) ||
               value_is_route_set_range(value) || value_is_prefix_range(value, allows_v6);
    }
}

static bool check_members(enum rpsl_class class, struct str value)
{
    return is_member(class, value, false);
}

static bool check_mp_members(enum rpsl_class class, struct str value)
{
    return is_member(class, value, true);
}

/** How an attribute is judged: by one of these; by none of them when its value is free. */
struct check {
    bool (*value)(struct str value);
    bool (*of_class)(enum rpsl_class class, struct str value);
    bool is_policy;
    enum policy policy, policy_v6; /**< The latter in a route6. */
};

#define VALUE(function)                                                                            \
    {                                                                                              \
        .value = function                                                                          \
    }
#define OF_CLASS(function)                                                                         \
    {                                                                                              \
        .of_class = function                                                                       \
    }
#define POLICY(name)                                                                               \
    {                                                                                              \
        .is_policy = true, .policy = POLICY_##name, .policy_v6 = POLICY_##name                     \
    }
#define POLICY_2(name)                                                                             \
    {                                                                                              \
        .is_policy = true, .policy = POLICY_##name, .policy_v6 = POLICY_##name##_V6                \
    }

/* clang-format off */
static const struct check checks[ATTR_COUNT] = {
    [ATTR_ABUSE_C]         = VALUE(value_is_nic_hdl),
    [ATTR_ABUSE_MAILBOX]   = VALUE(value_is_email),
    [ATTR_ADMIN_C]         = VALUE(value_is_nic_hdl),
    [ATTR_AGGR_BNDRY]      = POLICY(AGGR_BNDRY),
    [ATTR_AGGR_MTD]        = POLICY(AGGR_MTD),
    [ATTR_ALIAS]           = VALUE(value_is_alias),
    [ATTR_AS_BLOCK]        = VALUE(value_is_as_block),
    [ATTR_AS_NAME]         = VALUE(value_is_name),
    [ATTR_AS_SET]          = OF_CLASS(value_is_set_name),
    [ATTR_ASSIGNMENT_SIZE] = VALUE(value_is_number),
    [ATTR_AUT_NUM]         = VALUE(value_is_as_number),
    [ATTR_AUTH]            = VALUE(value_is_auth),
    [ATTR_AUTHOR]          = VALUE(value_is_nic_hdl),
    [ATTR_COMPONENTS]      = POLICY_2(COMPONENTS),
    [ATTR_COUNTRY]         = VALUE(value_is_two_letters),
    [ATTR_DEFAULT]         = POLICY(DEFAULT),
    [ATTR_DOMAIN]          = VALUE(value_is_domain),
    [ATTR_DS_RDATA]        = VALUE(value_is_ds_rdata),
    [ATTR_E_MAIL]          = VALUE(value_is_email),
    [ATTR_ENCRYPTION]      = VALUE(value_is_key_cert),
    [ATTR_EXPORT]          = POLICY(EXPORT),
    [ATTR_EXPORT_COMPS]    = POLICY_2(FILTER),
    [ATTR_EXPORT_VIA]      = POLICY(EXPORT_VIA),
    [ATTR_FAX_NO]          = VALUE(value_is_phone),
    [ATTR_FILTER]          = POLICY(FILTER),
    [ATTR_FILTER_SET]      = OF_CLASS(value_is_set_name),
    [ATTR_FORM]            = VALUE(value_is_poetic_form),
    [ATTR_GEOFEED]         = VALUE(value_is_url),
    [ATTR_GEOLOC]          = VALUE(value_is_geoloc),
    [ATTR_HOLES]           = OF_CLASS(check_holes),
    [ATTR_IFADDR]          = POLICY(IFADDR),
    [ATTR_IMPORT]          = POLICY(IMPORT),
    [ATTR_IMPORT_VIA]      = POLICY(IMPORT_VIA),
    [ATTR_INET_RTR]        = VALUE(value_is_router),
    [ATTR_INET6NUM]        = VALUE(value_is_inet6num),
    [ATTR_INETNUM]         = VALUE(value_is_inetnum),
    [ATTR_INJECT]          = POLICY_2(INJECT),
    [ATTR_INTERFACE]       = POLICY(INTERFACE),
    [ATTR_IRT]             = VALUE(value_is_irt),
    [ATTR_IRT_NFY]         = VALUE(value_is_email),
    [ATTR_KEY_CERT]        = VALUE(value_is_key_cert),
    [ATTR_LANGUAGE]        = VALUE(value_is_two_letters),
    [ATTR_LOCAL_AS]        = VALUE(value_is_as_number),
    [ATTR_MEMBER_OF]       = OF_CLASS(check_member_of),
    [ATTR_MEMBERS]         = OF_CLASS(check_members),
    [ATTR_MNT_BY]          = VALUE(value_is_name),
    [ATTR_MNT_DOMAINS]     = VALUE(value_is_name),
    [ATTR_MNT_IRT]         = VALUE(value_is_irt),
    [ATTR_MNT_LOWER]       = VALUE(value_is_name),
    [ATTR_MNT_NFY]         = VALUE(value_is_email),
    [ATTR_MNT_REF]         = VALUE(value_is_name),
    [ATTR_MNT_ROUTES]      = VALUE(value_is_mnt_routes),
    [ATTR_MNTNER]          = VALUE(value_is_name),
    [ATTR_MP_DEFAULT]      = POLICY(MP_DEFAULT),
    [ATTR_MP_EXPORT]       = POLICY(MP_EXPORT),
    [ATTR_MP_FILTER]       = POLICY(MP_FILTER),
    [ATTR_MP_IMPORT]       = POLICY(MP_IMPORT),
    [ATTR_MP_MEMBERS]      = OF_CLASS(check_mp_members),
    [ATTR_MP_PEER]         = POLICY(MP_PEER),
    [ATTR_MP_PEERING]      = POLICY(MP_PEERING),
    [ATTR_NETNAME]         = VALUE(value_is_netname),
    [ATTR_NIC_HDL]         = VALUE(value_is_nic_hdl),
    [ATTR_NOTIFY]          = VALUE(value_is_email),
    [ATTR_NSERVER]         = VALUE(value_is_nserver),
    [ATTR_ORG]             = VALUE(value_is_organisation),
    [ATTR_ORG_NAME]        = VALUE(value_is_org_name),
    [ATTR_ORG_TYPE]        = VALUE(value_is_org_type),
    [ATTR_ORGANISATION]    = VALUE(value_is_organisation),
    [ATTR_ORIGIN]          = VALUE(value_is_as_number),
    [ATTR_PEER]            = POLICY(PEER),
    [ATTR_PEERING]         = POLICY(PEERING),
    [ATTR_PEERING_SET]     = OF_CLASS(value_is_set_name),
    [ATTR_PERSON]          = VALUE(value_is_person),
    [ATTR_PHONE]           = VALUE(value_is_phone),
    [ATTR_PING_HDL]        = VALUE(value_is_nic_hdl),
    [ATTR_PINGABLE]        = VALUE(value_is_address),
    [ATTR_POEM]            = VALUE(value_is_poem),
    [ATTR_POETIC_FORM]     = VALUE(value_is_poetic_form),
    [ATTR_PREFIXLEN]       = VALUE(value_is_url),
    [ATTR_REF_NFY]         = VALUE(value_is_email),
    [ATTR_ROLE]            = VALUE(value_is_org_name),
    [ATTR_ROUTE]           = VALUE(value_is_route),
    [ATTR_ROUTE_SET]       = OF_CLASS(value_is_set_name),
    [ATTR_ROUTE6]          = VALUE(value_is_route6),
    [ATTR_RTR_SET]         = OF_CLASS(value_is_set_name),
    [ATTR_SIGNATURE]       = VALUE(value_is_key_cert),
    [ATTR_SOURCE]          = VALUE(value_is_source),
    [ATTR_SPONSORING_ORG]  = VALUE(value_is_organisation),
    [ATTR_STATUS]          = OF_CLASS(value_is_status),
    [ATTR_TECH_C]          = VALUE(value_is_nic_hdl),
    [ATTR_UPD_TO]          = VALUE(value_is_email),
    [ATTR_ZONE_C]          = VALUE(value_is_nic_hdl),
};
/* clang-format on */

static bool is_free(enum rpsl_attr_id attr)
{
    const struct check *check = &checks[attr];

    return check->value == NULL && check->of_class == NULL && !check->is_policy;
}

static bool check_element(enum rpsl_class class, enum rpsl_attr_id attr, struct str value)
{
    const struct check *check = &checks[attr];

    if (check->is_policy) {
        return policy_is_valid(class == CLASS_ROUTE6 ? check->policy_v6 : check->policy, value);
    }
    return check->value != NULL ? check->value(value) : check->of_class(class, value);
}

bool rpsl_value_is_valid(enum rpsl_class class, enum rpsl_attr_id attr, struct str value)
{
    struct str element;

    if (is_free(attr)) {
        return true;
    }
    if ((rpsl_attr_info(attr)->flags & ATTR_LIST_VALUED) == 0) {
        return check_element(class, attr, value);
    }
    if (value.len == 0) {
        return false;
    }
    while (str_split(&value, ',', &element)) {
        if (!check_element(class, attr, str_trim(element))) {
            return false;
        }
    }
    return true;
}

/* --- objects --- */

/** Attributes without a row that are right all the same. */
static bool is_tolerated(enum rpsl_class class, enum rpsl_attr_id attr)
{
    return attr == ATTR_CHANGED ||
           (class == CLASS_AUT_NUM && (attr == ATTR_MNT_LOWER || attr == ATTR_MNT_ROUTES));
}

static enum err check_attribute(const struct rpsl_object *object, const struct rpsl_attr *attr,
                                struct arena *arena, bool *is_valid)
{
    struct arena_mark mark = arena_mark(arena);
    struct str value;

    *is_valid = is_free(attr->id);
    if (*is_valid) {
        return ERR_OK;
    }
    value = rpsl_clean_value(attr->value, arena);
    if (value.at == NULL && attr->value.len > 0) {
        return ERR_LIMIT;
    }
    *is_valid = rpsl_value_is_valid(object->class, attr->id, value);
    arena_rewind(arena, mark);
    return ERR_OK;
}

static bool is_complete(enum rpsl_class class, const unsigned char counts[static ATTR_COUNT])
{
    const struct rpsl_class_info *info = rpsl_class_info(class);

    for (size_t i = 0; i < info->row_count; i++) {
        const struct rpsl_template_row *row = &info->rows[i];

        if ((row->requirement == RPSL_MANDATORY && counts[row->attr] == 0) ||
            (row->single && counts[row->attr] > 1)) {
            return false;
        }
    }
    return info->row_count > 0;
}

enum err rpsl_check_syntax(const struct rpsl_object *object, struct arena *arena, bool *is_valid)
{
    unsigned char counts[ATTR_COUNT] = {0};
    enum err rc;

    *is_valid = false;
    for (size_t i = 0; i < object->attr_count; i++) {
        const struct rpsl_attr *attr = &object->attrs[i];
        bool is_good = is_tolerated(object->class, attr->id);

        if (rpsl_template_row(object->class, attr->id) != NULL) {
            rc = check_attribute(object, attr, arena, &is_good);
            if (rc != ERR_OK) {
                return rc;
            }
            counts[attr->id] += counts[attr->id] < UINT8_MAX;
        }
        if (!is_good) {
            return ERR_OK;
        }
    }
    *is_valid = is_complete(object->class, counts);
    return ERR_OK;
}
