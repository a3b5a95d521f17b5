/*
 * Room for updates: what older versions keep, because somebody still reads them, is bounded. Above
 * the bound an update waits: for the copy of a checkpoint, and for answers until the patience with
 * them is used up; then the oldest have to go. Nobody sleeps here: whoever updates asks again.
 *
 * The patience is an account of all sources, since their answers are the same clients'. It is used
 * up by the time that somebody waits, no matter how many do, and a part of the time between comes
 * back, so that clients who never read cannot hold the mirrors back for long.
 */
#include "storage/source_parts.h"

#include <inttypes.h>

#include "base/log.h"

enum {
    PATIENCE_PART = 10,     /* Of the time in which nobody waited, this part comes back. */
    PATIENCE_TOLD_MS = 1000 /* Shorter waits are not logged. */
};

bool source_keeps_too_much(struct source *source)
{
    return index_collect(source->index) > index_garbage_limit(source->index);
}

/** Bring the account up to now. @param since  Somebody has waited since then. @return What is left
 * of it. */
static int64_t use_patience(struct storage *storage, int64_t since, int64_t now)
{
    const int64_t most = storage->conf.answers_wait_s * INT64_C(1000);
    int64_t left, from;

    pthread_mutex_lock(&storage->lock);
    from = since > storage->patience.at_ms ? since : storage->patience.at_ms;
    left = storage->patience.left_ms + (from - storage->patience.at_ms) / PATIENCE_PART;
    left = left < most ? left : most;
    if (now > from) { /* Else another thread looked at the clock later, and was here before. */
        left = left > now - from ? left - (now - from) : 0;
    }
    storage->patience.left_ms = left;
    storage->patience.at_ms = now > from ? now : from;
    pthread_mutex_unlock(&storage->lock);
    return left;
}

/** Under the writer lock. */
static bool has_room(struct source *source, struct room_wait *wait)
{
    const int64_t now = clock_mono_ms(source->storage->clock);
    const bool is_full = source_keeps_too_much(source);
    int64_t left, since;

    if (!is_full && !wait->is_waiting) {
        return true;
    }
    if (!wait->is_waiting) {
        *wait = (struct room_wait){true, now, now};
    }
    since = wait->looked_ms;
    wait->looked_ms = now;
    if (is_full && source_is_copying(source, now - wait->began_ms)) {
        return false;
    }
    left = use_patience(source->storage, since, now);
    if (is_full && left > 0 && !atomic_load(&source->storage->is_impatient)) {
        return false;
    }
    if (is_full) {
        index_evict(source->index);
    }
    if (now - wait->began_ms >= PATIENCE_TOLD_MS) {
        log_info(LOG_STORAGE,
                 "%s: updates waited %" PRId64 " ms for answers that keep old versions%s",
                 source->name, now - wait->began_ms, is_full ? ", the oldest are closed" : "");
    }
    *wait = (struct room_wait){0};
    return true;
}

bool source_has_room(struct source *source, struct room_wait *wait)
{
    bool found = true;

    if (source_lock(source, WRITER_SHORT, NULL) == ERR_OK) {
        found = has_room(source, wait);
        source_unlock(source);
    } /* Else it is being loaded, as batch_begin() will say. */
    return found;
}
