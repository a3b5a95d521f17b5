/*
 * One list of everything that happened, searched from its start: nothing here has to be fast. What
 * a key is, is decided as by the database: its text, letters in any case.
 */
#include "fixture_versions.h"

#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"
#include "query/parse.h"

#define LOADED_AT 1000000000 /* And then a second for each operation. */

struct event {
    enum rpsl_class class;
    struct str key, text;
    uint32_t object_id, sequence; /* 0: the object was deleted. */
    uint32_t timestamp;
};

struct fixture_versions {
    struct arena *arena; /* For keys that are no slices of the texts. */
    struct event *events;
    size_t count, cap;
    uint32_t next_id;
};

/* The newest event of a key, or NULL. */
static const struct event *newest(const struct fixture_versions *versions, enum rpsl_class class,
                                  struct str key)
{
    for (size_t i = versions->count; i > 0; i--) {
        const struct event *event = &versions->events[i - 1];

        if (event->class == class && str_eq_nocase(event->key, key)) {
            return event;
        }
    }
    return NULL;
}

static void add_event(struct fixture_versions *versions, struct str text, bool is_new,
                      bool is_delete)
{
    struct rpsl_object object;
    struct rpsl_key key;
    const struct event *before;
    struct event event = {.text = text, .timestamp = LOADED_AT};

    if (rpsl_parse(text, versions->arena, &object) != ERR_OK ||
        rpsl_object_key(&object, versions->arena, &key) != ERR_OK) {
        fprintf(stderr, "no object: %.*s\n", 80, text.at);
        exit(1);
    }
    event.class = key.class;
    event.key = key.text;
    before = is_new ? NULL : newest(versions, key.class, key.text);
    if (before != NULL && before->sequence > 0) {
        event.object_id = before->object_id;
        event.sequence = is_delete ? 0 : before->sequence + 1;
    } else {
        event.object_id = versions->next_id++;
        event.sequence = 1;
    }
    if (!is_new) {
        event.timestamp += (uint32_t)versions->count;
    }
    if (versions->count == versions->cap) {
        versions->cap = versions->cap == 0 ? 1024 : versions->cap * 2;
        versions->events = reallocarray(versions->events, versions->cap, sizeof(*versions->events));
        if (versions->events == NULL) {
            abort();
        }
    }
    versions->events[versions->count++] = event;
}

struct fixture_versions *fixture_versions_new(struct str dump, struct str journal)
{
    struct fixture_versions *versions = calloc(1, sizeof(*versions));
    struct str text;
    bool is_delete;

    if (versions == NULL) {
        abort();
    }
    versions->arena = arena_new((size_t)1 << 30);
    versions->next_id = 1;
    while (fixture_next_object(&dump, &text)) {
        add_event(versions, text, true, false);
    }
    while (fixture_next_operation(&journal, &is_delete, &text)) {
        add_event(versions, text, false, is_delete);
    }
    return versions;
}

void fixture_versions_free(struct fixture_versions *versions)
{
    if (versions == NULL) {
        return;
    }
    arena_free(versions->arena);
    free(versions->events);
    free(versions);
}

/* --- the store --- */

static enum err add_version(struct history *history, const struct event *event, struct arena *arena)
{
    const size_t size = sizeof(*history->versions);
    struct object_version *grown =
        arena_grow(arena, history->versions, history->count * size, (history->count + 1) * size);

    if (grown == NULL) {
        return ERR_LIMIT;
    }
    grown[history->count++] =
        (struct object_version){event->object_id, event->sequence, event->timestamp};
    history->versions = grown;
    return ERR_OK;
}

static enum err find(void *context, uint32_t classes, struct str key, struct arena *arena,
                     struct history_list *out, struct why *why)
{
    const struct fixture_versions *versions = context;
    enum err rc = ERR_OK;

    out->at = arena_calloc(arena, CLASS_COUNT, sizeof(*out->at));
    if (out->at == NULL) {
        return ERR_LIMIT;
    }
    for (enum rpsl_class class = 0; class < CLASS_UNKNOWN; class ++) {
        struct history history = {.class = class};

        for (size_t i = 0; i < versions->count && (classes & CLASS_BIT(class)) != 0; i++) {
            const struct event *event = &versions->events[i];

            if (event->class != class || !str_eq_nocase(event->key, key)) {
                continue;
            }
            if (event->sequence > 0) {
                rc = add_version(&history, event, arena);
            } else {
                history = (struct history){.class = class, .deleted = event->timestamp};
            }
            if (rc != ERR_OK) {
                return rc;
            }
        }
        if (history.count > 0 || history.deleted != 0) {
            out->at[out->count++] = history;
        }
    }
    return ERR_OK;
}

static enum err find_text(void *context, const struct object_version *version, struct arena *arena,
                          struct str *out, struct why *why)
{
    const struct fixture_versions *versions = context;

    for (size_t i = 0; i < versions->count; i++) {
        const struct event *event = &versions->events[i];

        if (event->object_id == version->object_id && event->sequence == version->sequence) {
            *out = arena_strdup(arena, event->text);
            return out->at == NULL ? ERR_LIMIT : ERR_OK;
        }
    }
    return why_set(why, ERR_NOT_FOUND, "no such version");
}

const struct version_store fixture_version_store = {find, find_text};
