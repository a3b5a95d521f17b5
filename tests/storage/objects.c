/*
 * Random objects: ranges that cross, routes with several origins, names with accents, lists, name
 * servers.
 */
#include "objects.h"

#include <stdio.h>
#include <stdlib.h>

uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*seed >> 32) * below) >> 32);
}

struct str random_object(uint64_t *seed, struct arena *arena)
{
    static const char *const names[] = {"Zoë", "Anna", "JÖRG", "b.v.", "Ltd"};
    uint32_t a = draw(seed, 20), b = draw(seed, 256), c = draw(seed, 5);
    struct str head;

    switch (draw(seed, 8)) {
    case 0:
        head = arena_printf(arena, "inetnum: 10.%u.%u.0 - 10.%u.%u.255\nnetname: NET-%u\n", a, b,
                            a + c, b + draw(seed, 256 - b), c);
        break;
    case 1:
        head = arena_printf(arena, "inet6num: 2001:%x:%X::/%u\nnetname: NET-%u\n", a, b,
                            32 + draw(seed, 17), c);
        break;
    case 2:
        head = arena_printf(arena, "route: 10.%u.0.0/%u\norigin: AS%u\n", a, 16 + c, b);
        break;
    case 3:
        head = arena_printf(arena,
                            "domain: %u.%u.10.in-addr.arpa\nnserver: ns%u.example.net\n"
                            "nserver: ns%u.example.net\nzone-c: P%u-TEST\n",
                            b, a, c, a, c);
        break;
    case 4:
        head = arena_printf(arena, "as-block: AS%u - AS%u\n", b, b + a);
        break;
    case 5:
        head = arena_printf(arena, "aut-num: AS%u\nas-name: NAME-%u\nmember-of: AS-%u, AS-%u\n", b,
                            a, c, a);
        break;
    case 6:
        head = arena_printf(arena, "organisation: ORG-T%u-TEST\norg-name: %s %s %u\n", b, names[c],
                            names[a % 5], a);
        break;
    default:
        head =
            arena_printf(arena, "person: %s %s\nnic-hdl: P%u-Test\ne-mail: %s <p%u@example.net>\n",
                         names[c], names[a % 5], b, names[c], a);
        break;
    }
    return arena_printf(arena,
                        "%.*sadmin-c: P%u-TEST\nmnt-by: M%u-MNT, M%u-MNT\nremarks: %0*u\n"
                        "source: TEST\n",
                        STR_ARG(head), draw(seed, 9), draw(seed, 9), draw(seed, 9),
                        (int)draw(seed, 400) + 1, a);
}

void parse_good(struct str text, struct arena *arena, struct rpsl_object *object,
                struct rpsl_key *key)
{
    if (rpsl_parse(text, arena, object) != ERR_OK ||
        rpsl_object_key(object, arena, key) != ERR_OK) {
        fprintf(stderr, "no good object: %.*s\n", STR_ARG(text));
        abort();
    }
}

enum err put_text(struct index *index, uint32_t id, struct str text, struct arena *arena)
{
    struct rpsl_object object;
    struct rpsl_key key;

    parse_good(text, arena, &object, &key);
    return index_put(index, id, 1, 7, &object, &key);
}
