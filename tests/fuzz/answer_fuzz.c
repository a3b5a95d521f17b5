/*
 * An input line up to the last byte of its answer, over a small registry, interrupted after every
 * step.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "query/answer.h"
#include "tests/query/fixture.h"
#include "tests/query/fixture_versions.h"
#include "tests/query/small_registry.h"

#define STEPS_MAX      10000 /* Far more than the registry has objects. */
#define PERSONAL_LIMIT 2     /* Some answers are cut short. */

/* What became of some of the registry's objects. */
static const char journal[] = "ADD 1\n\nas-set: AS-OPEN\nmembers: AS1\nsource: RIPE\n\n"
                              "ADD 2\n\nas-set: AS-OPEN\nremarks: x\n+ y\nsource: RIPE\n\n"
                              "DEL 3\n\naut-num: AS7\nsource: RIPE\n\n"
                              "DEL 4\n\nas-set: AS-SHUT\nsource: RIPE\n\n"
                              "ADD 5\n\nas-set: AS-SHUT\nsource: RIPE\n\n";

static struct settings *settings;
static struct answer_tools tools;
static struct arena *arena;

static void set_up(void)
{
    static struct query_source sources[2];
    struct query_conf conf = {
        .main_source = "RIPE",
        .nonauth_source = "RIPE-NONAUTH",
        .service = "test",
        .terms_url = "http://terms/",
    };
    struct why why;

    sources[0] = (struct query_source){.name = "RIPE", .is_main = true};
    sources[1] = (struct query_source){.name = "X-GRS"};
    arena = arena_new(1 << 20);
    tools.reader = reader_new();
    tools.matcher = key_matcher_new();
    tools.scratch = arena_new(1 << 24);
    tools.acl = acl_new(&system_clock, PERSONAL_LIMIT);
    for (int i = 0; i < 2; i++) {
        sources[i].index = index_new(sources[i].name);
        fixture_load(sources[i].index, STR(small_registry));
        sources[i].versions = &fixture_version_store;
        sources[i].context = fixture_versions_new(STR(small_registry), STR(journal));
        reader_attach(tools.reader, sources[i].index);
    }
    reader_refresh(tools.reader);
    if (settings_new(&conf, sources, 2, &settings, &why) != ERR_OK) {
        abort();
    }
    tools.settings = settings;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = {0};
    struct answer answer;
    enum answer_progress progress;
    char *line;
    static u128 next_client; /* Each comes for the first time: no input depends on another. */
    struct answer_client client = {.is_trusted = size % 2 == 0};
    int steps = 0;

    if (settings == NULL) {
        set_up();
    }
    client.address.begin = client.address.end = ++next_client << 64;
    client.address.is_v6 = true;
    line = malloc(size + 1);
    if (line == NULL) {
        abort();
    }
    memcpy(line, data, size);
    if (answer_read(&answer, &tools, (struct str){line, size}, &client, arena) == ERR_OK) {
        free(line);
        while ((progress = answer_step(&answer, &out)) != ANSWER_DONE) {
            if (progress == ANSWER_WAITS) {
                version_query_run(answer.versions);
            }
            answer_hold(&answer);
            if (++steps > STEPS_MAX || arena_used(tools.scratch) != 0) {
                abort(); /* It does not end, or a step left something behind. */
            }
        }
        answer_end(&answer);
    } else {
        free(line);
    }
    buf_free(&out);
    arena_reset(arena);
    return 0;
}
