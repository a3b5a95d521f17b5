/*
 * What `-v` says of classes and attributes (whois-queries 6.11), one row each. Data of
 * query/info.c, included by nobody else.
 */
#pragma once

#include "rpsl/schema.h"

static const char *const class_descriptions[CLASS_UNKNOWN] = {
    [CLASS_INETNUM] = "A range of IPv4 addresses, who holds it and who is to be asked about it.",
    [CLASS_INET6NUM] = "A block of IPv6 addresses, who holds it and who is to be asked about it.",
    [CLASS_AS_BLOCK] = "A range of AS numbers that was given to a registry or a region.",
    [CLASS_AUT_NUM] = "An autonomous system, who holds it, and its routing policy.",
    [CLASS_AS_SET] = "A named set of autonomous systems and of other such sets.",
    [CLASS_ROUTE] = "An IPv4 prefix and the autonomous system that announces it.",
    [CLASS_ROUTE6] = "An IPv6 prefix and the autonomous system that announces it.",
    [CLASS_ROUTE_SET] = "A named set of prefixes, which need not be route objects.",
    [CLASS_INET_RTR] = "A router with its addresses and its peers.",
    [CLASS_FILTER_SET] = "A named filter of routes.",
    [CLASS_PEERING_SET] = "A named set of peerings.",
    [CLASS_RTR_SET] = "A named set of routers.",
    [CLASS_DOMAIN] = "A reverse delegation, or a number in e164.arpa, and its name servers.",
    [CLASS_POETIC_FORM] = "A kind of poem.",
    [CLASS_POEM] = "A poem.",
    [CLASS_MNTNER] = "A maintainer: who may change objects that name it, and how they prove to be.",
    [CLASS_IRT] = "A team that answers incidents in the networks that refer to it.",
    [CLASS_KEY_CERT] = "A public key or certificate by which updates are signed.",
    [CLASS_ORGANISATION] = "An organisation that holds resources.",
    [CLASS_ROLE] = "A group of persons, or a desk, that has a duty.",
    [CLASS_PERSON] = "A person who is to be asked about other objects.",
};

/* Syntaxes that several attributes have. */
#define S_AS    "AS and a number from 0 to 4294967295 without leading zeros."
#define S_EMAIL "An e-mail address, at most 80 characters; a name may stand before it in <>."
#define S_FREE  "Any text."
#define S_HANDLE                                                                                   \
    "2 to 4 letters, up to 6 digits if any, and a hyphen and a source if any: AA1-RIPE."
#define S_HOST "A host's name; a dot at its end is allowed."
#define S_MADE "Written by the registry."
#define S_MNTNER                                                                                   \
    "2 to 80 letters, digits, hyphens and underscores; a letter first, a letter or digit last. "   \
    "Words of the policy language are no names."
#define S_ORG "ORG-, 2 to 4 letters, up to 6 digits if any, a hyphen and a source: ORG-AA1-RIPE."
#define S_KEY "PGPKEY- and 8 hexadecimal digits, or X509- and a number."
#define S_PHONE                                                                                    \
    "+ and digits, blanks, dots and hyphens; a part may stand in parentheses; ext. and a number "  \
    "may follow. At most 30 characters."
#define S_URL "A URL of the scheme https."
#define S_SET(letters)                                                                             \
    letters "- and letters, digits, hyphens and underscores; AS numbers and other such names may " \
            "stand before it, with colons between. At most 80 characters."
#define S_LETTERS "Two letters."

/* clang-format off */
static const struct {
    const char *text, *syntax;
} attribute_descriptions[ATTR_COUNT] = {
    [ATTR_ABUSE_C] = {"The role that takes complaints.", S_HANDLE},
    [ATTR_ABUSE_MAILBOX] = {"Where complaints are to be sent.", S_EMAIL},
    [ATTR_ADDRESS] = {"The postal address.", S_FREE},
    [ATTR_ADMIN_C] = {"The administrative contact: a person or role.", S_HANDLE},
    [ATTR_AGGR_BNDRY] = {
        "The autonomous systems within which the components are known.",
        "An expression of AS numbers and as-sets with AND, OR and EXCEPT."},
    [ATTR_AGGR_MTD] = {"How the aggregate is made.", "inbound, or outbound [<as-expression>]"},
    [ATTR_ALIAS] = {"Another name of the router.", S_HOST},
    [ATTR_AS_BLOCK] = {"The AS numbers.", "<as-number> - <as-number>"},
    [ATTR_AS_NAME] = {"A name of the autonomous system.", S_MNTNER},
    [ATTR_AS_SET] = {"The name of the set.", S_SET("AS")},
    [ATTR_ASSIGNMENT_SIZE] = {
        "The prefix length of what end users get of this block.",
        "A number."},
    [ATTR_AUT_NUM] = {"The AS number.", S_AS},
    [ATTR_AUTH] = {
        "How an update proves to come from the maintainer.",
        "MD5-PW and a hash, SSO and an account, PGPKEY- or X509- and the name of a key-cert."},
    [ATTR_AUTHOR] = {"Who wrote the poem: a person or role.", S_HANDLE},
    [ATTR_CERTIF] = {"The public key, in one attribute or one for each line.", S_FREE},
    [ATTR_CHANGED] = {"Who changed the object and when; no longer used.", S_FREE},
    [ATTR_COMPONENTS] = {
        "The routes that the aggregate is made of.",
        "[atomic] [<filter>] [protocol <protocol> <filter> ...]"},
    [ATTR_CONTACT] = {"Another way to reach them.", S_FREE},
    [ATTR_COUNTRY] = {"The country.", S_LETTERS},
    [ATTR_CREATED] = {"When the object was created.", S_MADE},
    [ATTR_DEFAULT] = {
        "Where packets go for which there is no route.",
        "to <peering> [action <action>] [networks <filter>]"},
    [ATTR_DESCR] = {"What this is.", S_FREE},
    [ATTR_DOMAIN] = {
        "The name of the zone.",
        "A name that ends in in-addr.arpa, ip6.arpa or e164.arpa; in the first, the first of "
        "four labels may be a range: 0-15.2.0.192.in-addr.arpa."},
    [ATTR_DS_RDATA] = {
        "The DS record of the zone.",
        "<key tag> <algorithm> <digest type> <digest>"},
    [ATTR_E_MAIL] = {"An e-mail address.", S_EMAIL},
    [ATTR_ENCRYPTION] = {"The key by which mail to the team is encrypted.", S_KEY},
    [ATTR_EXPORT] = {
        "What is announced to whom, IPv4.",
        "[protocol <protocol>] [into <protocol>] to <peering> [action <action>] ... announce "
        "<filter>"},
    [ATTR_EXPORT_COMPS] = {"The components that are announced beside the aggregate.", "<filter>"},
    [ATTR_EXPORT_VIA] = {
        "What is announced through a network in between.",
        "[protocol <protocol>] [into <protocol>] [afi <afi-list>] <peering> to <peering> "
        "[action <action>] ... announce <filter>"},
    [ATTR_FAX_NO] = {"A fax number.", S_PHONE},
    [ATTR_FILTER] = {"Which routes the filter is for, IPv4.", "<filter>"},
    [ATTR_FILTER_SET] = {"The name of the filter.", S_SET("FLTR")},
    [ATTR_FINGERPR] = {"The fingerprint of the key.", S_MADE},
    [ATTR_FORM] = {"The kind of poem.", "FORM- and letters, digits, hyphens and underscores."},
    [ATTR_GEOFEED] = {"Where a list of places of the addresses is.", S_URL},
    [ATTR_GEOLOC] = {
        "Where this is.",
        "Latitude from -90 to 90 and longitude from -180 to 180, in degrees."},
    [ATTR_HOLES] = {
        "Parts of the prefix that are not reachable by this route.",
        "Prefixes of the route's family."},
    [ATTR_IFADDR] = {
        "An IPv4 address of the router.",
        "<ipv4-address> masklen <number> [action <action>]"},
    [ATTR_IMPORT] = {
        "What is accepted from whom, IPv4.",
        "[protocol <protocol>] [into <protocol>] from <peering> [action <action>] ... accept "
        "<filter>"},
    [ATTR_IMPORT_VIA] = {
        "What is accepted through a network in between.",
        "[protocol <protocol>] [into <protocol>] [afi <afi-list>] <peering> from <peering> "
        "[action <action>] ... accept <filter>"},
    [ATTR_INET_RTR] = {"The name of the router.", S_HOST},
    [ATTR_INET6NUM] = {"The addresses.", "<ipv6-address>/<prefix-length>"},
    [ATTR_INETNUM] = {"The addresses.", "<ipv4-address> - <ipv4-address>"},
    [ATTR_INJECT] = {
        "Which routers make the aggregate, and when.",
        "[at <router-expression>] [action <action>] [upon <condition>]"},
    [ATTR_INTERFACE] = {
        "An address of the router, of either family.",
        "<address> masklen <number> [action <action>] [tunnel <address>,<encapsulation>]"},
    [ATTR_IRT] = {
        "The name of the team.",
        "IRT- and letters, digits, hyphens and underscores; a letter or digit last."},
    [ATTR_IRT_NFY] = {"Who is told when a reference to the irt is made or removed.", S_EMAIL},
    [ATTR_KEY_CERT] = {"The name of the key.", S_KEY},
    [ATTR_LANGUAGE] = {"A language that is understood.", S_LETTERS},
    [ATTR_LAST_MODIFIED] = {"When the object was changed last.", S_MADE},
    [ATTR_LOCAL_AS] = {"The autonomous system of the router.", S_AS},
    [ATTR_MBRS_BY_REF] = {
        "Whose objects may declare themselves members by member-of.",
        "Names of mntners, or ANY."},
    [ATTR_MEMBER_OF] = {
        "The sets that this wants to be a member of; they have to agree by mbrs-by-ref.",
        "Names of as-sets in an aut-num, of route-sets in a route or route6, of rtr-sets in an "
        "inet-rtr."},
    [ATTR_MEMBERS] = {
        "The members of the set, IPv4.",
        "In an as-set AS numbers and as-sets; in a route-set also prefixes and route-sets, "
        "with a range operator if need be (^+, ^24-28); in an rtr-set routers, their addresses "
        "and rtr-sets."},
    [ATTR_METHOD] = {"The kind of key.", S_MADE},
    [ATTR_MNT_BY] = {"Who may change this object.", S_MNTNER},
    [ATTR_MNT_DOMAINS] = {"Who may make reverse delegations of these addresses.", S_MNTNER},
    [ATTR_MNT_IRT] = {
        "The team that answers incidents here.",
        "IRT- and letters, digits, hyphens and underscores; a letter or digit last."},
    [ATTR_MNT_LOWER] = {"Who may make objects below this one.", S_MNTNER},
    [ATTR_MNT_NFY] = {"Who is told of changes that were made.", S_EMAIL},
    [ATTR_MNT_REF] = {"Who may refer to this object.", S_MNTNER},
    [ATTR_MNT_ROUTES] = {
        "Who may make routes of these addresses.",
        "<mntner> [{<prefix-range>, ...} | ANY]"},
    [ATTR_MNTNER] = {"The name of the maintainer.", S_MNTNER},
    [ATTR_MP_DEFAULT] = {
        "Where packets go for which there is no route.",
        "[afi <afi-list>] to <peering> [action <action>] [networks <filter>]"},
    [ATTR_MP_EXPORT] = {
        "What is announced to whom.",
        "[protocol <protocol>] [into <protocol>] [afi <afi-list>] to <peering> [action "
        "<action>] ... announce <filter>"},
    [ATTR_MP_FILTER] = {"Which routes the filter is for.", "<filter>"},
    [ATTR_MP_IMPORT] = {
        "What is accepted from whom.",
        "[protocol <protocol>] [into <protocol>] [afi <afi-list>] from <peering> [action "
        "<action>] ... accept <filter>"},
    [ATTR_MP_MEMBERS] = {
        "The members of the set, of either family.",
        "As members, with IPv6 prefixes and addresses."},
    [ATTR_MP_PEER] = {
        "A peer of the router, of either family.",
        "<protocol> <address, router or set> [<options>]"},
    [ATTR_MP_PEERING] = {
        "A peering of the set, of either family.",
        "<as-expression> [<router-expression>] [at <router-expression>], or the name of a "
        "peering-set."},
    [ATTR_NETNAME] = {
        "A name of the range.",
        "Up to 80 letters, digits, hyphens and underscores; a letter first, a letter or digit "
        "last."},
    [ATTR_NIC_HDL] = {"The handle by which others refer to it.", S_HANDLE},
    [ATTR_NOTIFY] = {"Who is told of changes to this object.", S_EMAIL},
    [ATTR_NSERVER] = {
        "A name server of the zone.",
        "A host's name, and its address if it is in the zone itself."},
    [ATTR_ORG] = {"The organisation that this belongs to.", S_ORG},
    [ATTR_ORG_NAME] = {
        "The name of the organisation.",
        "1 to 30 words of letters, digits and ][)(._\"*@,&:!'`+/-."},
    [ATTR_ORG_TYPE] = {
        "What kind of organisation it is.",
        "IANA, RIR, NIR, LIR, WHITEPAGES, DIRECT_ASSIGNMENT or OTHER."},
    [ATTR_ORGANISATION] = {"The handle of the organisation.", S_ORG},
    [ATTR_ORIGIN] = {"The autonomous system that announces the prefix.", S_AS},
    [ATTR_OWNER] = {"Who owns the key.", S_MADE},
    [ATTR_PEER] = {
        "A peer of the router, IPv4.",
        "<protocol> <address, router or set> [<options>]"},
    [ATTR_PEERING] = {
        "A peering of the set, IPv4.",
        "<as-expression> [<router-expression>] [at <router-expression>], or the name of a "
        "peering-set."},
    [ATTR_PEERING_SET] = {"The name of the set.", S_SET("PRNG")},
    [ATTR_PERSON] = {
        "The name of the person.",
        "2 to 10 words of letters, digits and .`'_-; the first and another one begin with a "
        "letter."},
    [ATTR_PHONE] = {"A telephone number.", S_PHONE},
    [ATTR_PING_HDL] = {"Who answers questions about the pingable addresses.", S_HANDLE},
    [ATTR_PINGABLE] = {"An address that should be reachable from everywhere.", "An address."},
    [ATTR_POEM] = {"The title of the poem.", "POEM- and letters, digits, hyphens and underscores."},
    [ATTR_POETIC_FORM] = {
        "The name of the form.",
        "FORM- and letters, digits, hyphens and underscores."},
    [ATTR_PREFIXLEN] = {"Where a list of the prefix lengths of end users is.", S_URL},
    [ATTR_REF_NFY] = {
        "Who is told when a reference to the organisation is made or removed.",
        S_EMAIL},
    [ATTR_REG_NR] = {"The number in the national register.", S_FREE},
    [ATTR_REMARKS] = {"Remarks.", S_FREE},
    [ATTR_ROLE] = {
        "The name of the role.",
        "1 to 30 words of letters, digits and ][)(._\"*@,&:!'`+/-."},
    [ATTR_ROUTE] = {"The prefix.", "<ipv4-address>/<prefix-length>, without host bits."},
    [ATTR_ROUTE_SET] = {"The name of the set.", S_SET("RS")},
    [ATTR_ROUTE6] = {"The prefix.", "<ipv6-address>/<prefix-length>"},
    [ATTR_RTR_SET] = {"The name of the set.", S_SET("RTRS")},
    [ATTR_SIGNATURE] = {"The key by which the team signs.", S_KEY},
    [ATTR_SOURCE] = {
        "The registry.",
        "2 to 80 letters, digits, hyphens and underscores; a letter first, a letter or digit "
        "last."},
    [ATTR_SPONSORING_ORG] = {"The organisation that sponsors the holder.", S_ORG},
    [ATTR_STATUS] = {
        "What kind of resource it is.",
        "In an inetnum ALLOCATED PA, ALLOCATED UNSPECIFIED, ALLOCATED-ASSIGNED PA, "
        "LIR-PARTITIONED PA, SUB-ALLOCATED PA, AGGREGATED-BY-LIR, ASSIGNED PA, ASSIGNED PI, "
        "ASSIGNED ANYCAST or LEGACY; in an inet6num ALLOCATED-BY-RIR, ALLOCATED-BY-LIR, "
        "AGGREGATED-BY-LIR, ASSIGNED, ASSIGNED ANYCAST or ASSIGNED PI; in an aut-num ASSIGNED, "
        "LEGACY or OTHER."},
    [ATTR_TECH_C] = {"The technical contact: a person or role.", S_HANDLE},
    [ATTR_TEXT] = {"A line of the poem.", S_FREE},
    [ATTR_UPD_TO] = {"Who is told of updates that were refused.", S_EMAIL},
    [ATTR_ZONE_C] = {"The contact of the zone: a person or role.", S_HANDLE},
};
/* clang-format on */
