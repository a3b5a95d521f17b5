/*
 * Reloading a source that holds objects: by difference, so that object ids and history stay.
 *
 * While the dump comes in, each object is compared with the index. Only what differs is kept, in a
 * temporary file: a later duplicate replaces an earlier one, so nothing is applied before the end
 * is known. Then one transaction brings the database to the dump's state, in portions of 4 MB that
 * go through memory, and the index is published once.
 *
 * The comparison is as of the dump's serial: objects named by higher serials, deleted ones too, are
 * newer than the dump and left alone. After a reset of the upstream (accepted with a lower serial)
 * nothing is newer.
 */
#include "storage/load_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "rpsl/fold.h"
#include "storage/entries.h"

enum { FLUSH_BYTES = 4 << 20, LEAST_PERCENT = 90, REPAIRS_TOLD = 100 };
#define ARENA_BYTES ((size_t)1 << 30)

/** Identifies a class and canonical key: 96 bits of hash. */
struct key_hash {
    uint64_t a;
    uint32_t b;
};

/** An object of the dump that differs from the index. */
struct change {
    struct key_hash key;
    uint32_t id;     /* 0: not in the index. */
    uint32_t length; /* Of its text in the file. */
    int64_t offset;
    bool is_dropped; /* A later duplicate equals the index, or the object is newer than the dump. */
};

struct reload {
    FILE *texts; /* Of the changes; has no name. */
    int64_t texts_end;
    struct change *changes;
    size_t change_count, change_cap;
    uint32_t *slots; /* Hash table: 1 + index of a change. */
    size_t slot_count;
    uint64_t *seen;        /* A bit per object id: in the dump, or newer than it. */
    uint64_t *newer;       /* A bit per object id: named by a serial above the dump's. */
    struct key_hash *gone; /* Keys deleted since the dump, sorted. */
    size_t gone_count, gone_cap;
    uint32_t first_new_id;
    uint64_t before;   /* Objects when it began that are not newer than the dump. */
    uint64_t compared; /* Objects of the dump that could be compared. */
    bool is_reset;

    /* The transaction. */
    struct arena *arena;
    struct sql_array history, retired, last_update, last_insert;
    size_t bytes;
    uint32_t serial_id, serial_sequence; /* The object that the position's row names. */
};

/* --- sets --- */
static bool bit(const uint64_t *bits, uint32_t id)
{
    return (bits[id / 64] >> (id % 64) & 1) != 0;
}

static void set_bit(uint64_t *bits, uint32_t id)
{
    bits[id / 64] |= (uint64_t)1 << (id % 64);
}

static struct key_hash hash_key(enum rpsl_class class, struct str canonical)
{
    return (struct key_hash){rpsl_hash(class, canonical),
                             (uint32_t)rpsl_hash(class + CLASS_COUNT, canonical)};
}

static int compare_hashes(const void *left, const void *right)
{
    const struct key_hash *a = left, *b = right;

    return a->a != b->a ? (a->a < b->a ? -1 : 1) : a->b != b->b ? (a->b < b->b ? -1 : 1) : 0;
}

static bool is_gone(const struct reload *reload, struct key_hash key)
{
    return reload->gone_count > 0 &&
           bsearch(&key, reload->gone, reload->gone_count, sizeof(key), compare_hashes) != NULL;
}

static size_t slot_of(const struct reload *reload, struct key_hash key)
{
    size_t slot = key.a & (reload->slot_count - 1);

    while (reload->slots[slot] != 0 &&
           compare_hashes(&reload->changes[reload->slots[slot] - 1].key, &key) != 0) {
        slot = (slot + 1) & (reload->slot_count - 1);
    }
    return slot;
}

static void *checked(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void changes_grow(struct reload *reload)
{
    reload->change_cap = reload->change_cap == 0 ? 1024 : reload->change_cap * 2;
    reload->changes =
        checked(reallocarray(reload->changes, reload->change_cap, sizeof(*reload->changes)));
    free(reload->slots);
    reload->slot_count = reload->change_cap * 2;
    reload->slots = checked(calloc(reload->slot_count, sizeof(*reload->slots)));
    for (size_t i = 0; i < reload->change_count; i++) {
        reload->slots[slot_of(reload, reload->changes[i].key)] = (uint32_t)i + 1;
    }
}

static struct change *find_change(const struct reload *reload, struct key_hash key)
{
    uint32_t found = reload->slot_count == 0 ? 0 : reload->slots[slot_of(reload, key)];

    return found == 0 ? NULL : &reload->changes[found - 1];
}

/** Note that the dump has this text for a key; it replaces what was noted before. */
static enum err note_change(struct reload *reload, struct key_hash key, uint32_t id,
                            struct str text, struct why *why)
{
    struct change *change = find_change(reload, key);

    if (change == NULL) {
        if (reload->change_count == reload->change_cap) {
            changes_grow(reload);
        }
        change = &reload->changes[reload->change_count];
        change->key = key;
        reload->slots[slot_of(reload, key)] = (uint32_t)++reload->change_count;
    }
    change->id = id;
    change->offset = reload->texts_end;
    change->length = (uint32_t)text.len;
    change->is_dropped = false;
    if (fwrite(text.at, 1, text.len, reload->texts) != text.len) {
        return why_set(why, ERR_IO, "writing a temporary file: %m");
    }
    reload->texts_end += (int64_t)text.len;
    return ERR_OK;
}

/* --- what is newer than the dump --- */
static enum err read_newer(struct load *load, struct why *why)
{
    struct source *source = load->source;
    struct reload *reload = load->reload;
    const struct str *row;
    enum err rc;

    if (reload->is_reset || load->options.serial < 0 ||
        load->options.serial >= source->position.applied) {
        return ERR_OK;
    }
    rc = sql_select(
        source->sql, why,
        "SELECT l.object_id, l.sequence_id, l.object_type, l.pkey FROM last l JOIN (SELECT "
        "DISTINCT object_id FROM serials WHERE serial_id > %" PRId64
        ") s ON s.object_id = l.object_id",
        load->options.serial);
    while (rc == ERR_OK && (rc = sql_next(source->sql, &row, why)) == ERR_OK) {
        const uint32_t id = (uint32_t)sql_to_number(row[0]);
        const enum rpsl_class class = rpsl_class_by_db_id((unsigned)sql_to_number(row[2]));

        if (sql_to_number(row[1]) != 0) {
            set_bit(reload->newer, id);
            reload->before--;
            set_bit(reload->seen, id);
            continue;
        }
        if (reload->gone_count == reload->gone_cap) {
            reload->gone_cap = reload->gone_cap == 0 ? 256 : reload->gone_cap * 2;
            reload->gone =
                checked(reallocarray(reload->gone, reload->gone_cap, sizeof(*reload->gone)));
        }
        arena_reset(load->arena);
        reload->gone[reload->gone_count++] =
            hash_key(class, rpsl_canonical_key(class, row[3], load->arena));
    }
    if (reload->gone_count > 0) {
        qsort(reload->gone, reload->gone_count, sizeof(*reload->gone), compare_hashes);
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/** Whether the dump's serial is acceptable, and what it means. */
static enum err judge_serial(struct load *load, struct why *why)
{
    struct source *source = load->source;
    const int64_t serial = load->options.serial;
    int64_t boot = 0;
    enum err rc;

    if (serial < 0 && source->position.known && !load->options.force) {
        return why_set(why, ERR_DENIED,
                       "%s: the dump comes without its serial: it would undo what is newer than it "
                       "and up to serial %" PRId64 ". Give the serial, or force it",
                       source->name, source->position.hw);
    }
    if (serial < 0 || serial >= source->position.hw) {
        return ERR_OK;
    }
    if (load->options.force || load->options.is_reset) {
        load->reload->is_reset = true;
        return ERR_OK;
    }
    if (!load->options.audit) {
        return why_set(why, ERR_DENIED,
                       "%s: the dump's serial %" PRId64 " is below the mirror's %" PRId64
                       ": force it if the upstream was reset",
                       source->name, serial, source->position.hw);
    }
    /* Below the last dump's serial there are no rows that tell what is newer. */
    rc = sql_select_number(source->sql, &boot, why,
                           "SELECT boot_serial FROM nrtm_state WHERE mirror = '%s'", source->name);
    if (rc == ERR_OK && serial < boot) {
        rc = why_set(why, ERR_DENIED,
                     "%s: the dump's serial %" PRId64 " is below %" PRId64
                     ", the serial of the dump loaded last",
                     source->name, serial, boot);
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/** Rows of `serials` tell what is newer than the dump: none of them may be missing. */
static enum err check_pruned(const struct load *load, const struct database_position *found,
                             struct why *why)
{
    const int64_t serial = load->options.serial;

    if (serial < 0 || load->reload->is_reset || serial >= found->pruned) {
        return ERR_OK;
    }
    return why_set(why, ERR_DENIED,
                   "%s: the dump's serial %" PRId64 " is below %" PRId64
                   ": serials up to that one were pruned",
                   load->source->name, serial, found->pruned);
}

enum err reload_begin(struct load *load, struct why *why)
{
    struct source *source = load->source;
    struct reload *reload = checked(calloc(1, sizeof(*reload)));
    struct database_position found;
    struct source_status status;
    size_t words;
    enum err rc;

    load->reload = reload;
    source_get_status(source, &status);
    reload->before = status.objects;
    reload->first_new_id = index_next_id(source->index);
    words = (size_t)reload->first_new_id / 64 + 1;
    reload->seen = checked(calloc(words, sizeof(*reload->seen)));
    reload->newer = checked(calloc(words, sizeof(*reload->newer)));
    reload->arena = arena_new(ARENA_BYTES);
    sql_array_init(&reload->history, ROWS_LAST_TYPES);
    sql_array_init(&reload->last_insert, ROWS_LAST_TYPES);
    sql_array_init(&reload->last_update, ROWS_UPDATE_LAST_TYPES);
    sql_array_init(&reload->retired, ROWS_RETIRE_SERIALS_TYPES);
    reload->texts = tmpfile();
    if (reload->texts == NULL) {
        return why_set(why, ERR_IO, "making a temporary file: %m");
    }
    rc = position_read(source, source->sql, &found, why);
    if (rc == ERR_OK && !position_is_ours(source, &found)) {
        rc = why_set(why, ERR_MOVED, "%s: the database was changed by somebody else, try again",
                     source->name);
    }
    if (rc == ERR_OK) {
        rc = judge_serial(load, why);
    }
    if (rc == ERR_OK) {
        rc = check_pruned(load, &found, why);
    }
    return rc == ERR_OK ? read_newer(load, why) : rc;
}

void reload_free(struct reload *reload)
{
    if (reload == NULL) {
        return;
    }
    if (reload->texts != NULL) {
        fclose(reload->texts);
    }
    sql_array_fini(&reload->history);
    sql_array_fini(&reload->last_insert);
    sql_array_fini(&reload->last_update);
    sql_array_fini(&reload->retired);
    arena_free(reload->arena);
    free(reload->changes);
    free(reload->slots);
    free(reload->seen);
    free(reload->newer);
    free(reload->gone);
    free(reload);
}

/* --- the dump comes in --- */
/** Whether the dump already had this nic-hdl in the other class. */
static enum err has_other_class(struct load *load, const struct rpsl_key *key, bool *out,
                                struct why *why)
{
    const struct reload *reload = load->reload;
    const enum rpsl_class other = load_other_class(key->class);
    const struct change *change;
    struct index_object found;
    enum err rc;

    *out = false;
    if (other == CLASS_UNKNOWN) {
        return ERR_OK;
    }
    change = find_change(reload, hash_key(other, key->canonical));
    if (change != NULL && !change->is_dropped) {
        *out = true;
        return ERR_OK;
    }
    rc = index_find(load->source->index, other, key->canonical, load->arena, &found);
    if (rc == ERR_OK) {
        *out = bit(reload->seen, found.info.id);
    }
    return rc == ERR_OK || rc == ERR_NOT_FOUND
               ? ERR_OK
               : why_set(why, rc, "looking up %.*s: %s", STR_ARG(key->text), err_text(rc));
}

/** An object that the index has too. */
static enum err compare(struct load *load, const struct rpsl_object *object,
                        const struct rpsl_key *key, const struct index_object *found,
                        struct why *why)
{
    struct reload *reload = load->reload;
    const struct key_hash hash = hash_key(key->class, key->canonical);
    struct change *change;

    if (bit(reload->newer, found->info.id)) {
        load->report.objects++;
        return ERR_OK;
    }
    if (bit(reload->seen, found->info.id)) {
        load_note_duplicate(load, key, "is there more than once: the last is kept");
    } else {
        set_bit(reload->seen, found->info.id);
        load->report.objects++;
        reload->compared++;
    }
    if (!str_eq(found->text, object->text)) {
        return note_change(reload, hash, found->info.id, object->text, why);
    }
    change = find_change(reload, hash);
    if (change != NULL) {
        change->is_dropped = true;
    }
    return ERR_OK;
}

enum err reload_add(struct load *load, const struct rpsl_object *object, const struct rpsl_key *key,
                    struct why *why)
{
    struct reload *reload = load->reload;
    const struct key_hash hash = hash_key(key->class, key->canonical);
    struct index_object found;
    bool is_other;
    enum err rc;

    if (is_gone(reload, hash)) {
        load->report.objects++;
        return ERR_OK;
    }
    rc = has_other_class(load, key, &is_other, why);
    if (rc != ERR_OK) {
        return rc;
    }
    if (is_other) {
        load_note_duplicate(load, key, "is there as person and as role: the first is kept");
        return ERR_OK;
    }
    rc = index_find(load->source->index, key->class, key->canonical, load->arena, &found);
    if (rc == ERR_OK) {
        return compare(load, object, key, &found, why);
    }
    if (rc != ERR_NOT_FOUND) {
        return why_set(why, rc, "looking up %.*s: %s", STR_ARG(key->text), err_text(rc));
    }
    if (find_change(reload, hash) != NULL) {
        load_note_duplicate(load, key, "is there more than once: the last is kept");
    } else {
        load->report.objects++;
        reload->compared++;
    }
    return note_change(reload, hash, 0, object->text, why);
}

/* --- the transaction --- */
static enum err flush(struct load *load, size_t least, struct why *why)
{
    struct reload *reload = load->reload;
    struct sql *sql = load->source->sql;
    enum err rc = ERR_OK;

    if (reload->bytes < least) {
        return ERR_OK;
    }
    if (fault_point("load-rows")) {
        return why_set(why, ERR_SQL, "fault load-rows");
    }
    rc = sql_run(sql, rows_insert_history, &reload->history, why);
    if (rc == ERR_OK) {
        rc = sql_run(sql, rows_retire_serials, &reload->retired, why);
    }
    if (rc == ERR_OK) {
        rc = sql_run(sql, rows_update_last, &reload->last_update, why);
    }
    if (rc == ERR_OK && sql_affected(sql) != reload->last_update.rows) {
        load->source->in_doubt = load->source->must_rebuild = true;
        rc = why_set(why, ERR_MOVED, "%s: rows of last were changed by somebody else",
                     load->source->name);
    }
    if (rc == ERR_OK) {
        rc = sql_run(sql, rows_insert_last, &reload->last_insert, why);
    }
    sql_array_clear(&reload->history);
    sql_array_clear(&reload->retired);
    sql_array_clear(&reload->last_update);
    sql_array_clear(&reload->last_insert);
    arena_reset(reload->arena);
    reload->bytes = 0;
    return rc;
}

/** The version that `last` has now goes to `history`. */
static enum err retire(struct load *load, uint32_t id, struct index_object *old, struct str *pkey,
                       struct why *why)
{
    struct reload *reload = load->reload;
    enum err rc = index_get(load->source->index, id, reload->arena, old);

    if (rc != ERR_OK) {
        return rc;
    }
    *pkey = rows_pkey(old->key.text, reload->arena);
    if (pkey->at == NULL) {
        return ERR_LIMIT;
    }
    SQL_ARRAY_ADD(&reload->history, {.number = id}, {.number = old->info.sequence},
                  {.number = old->info.timestamp},
                  {.number = rpsl_class_info(old->info.class)->db_id}, {.text = old->text},
                  {.text = *pkey});
    SQL_ARRAY_ADD(&reload->retired, {.number = id}, {.number = old->info.sequence});
    reload->bytes += old->text.len;
    return ERR_OK;
}

static enum err read_text(struct load *load, const struct change *change, struct str *out,
                          struct why *why)
{
    char *text = arena_alloc(load->reload->arena, change->length + 1);

    if (text == NULL) {
        return ERR_LIMIT;
    }
    if (pread(fileno(load->reload->texts), text, change->length, change->offset) !=
        (ssize_t)change->length) {
        return why_set(why, ERR_IO, "reading a temporary file: %m");
    }
    *out = (struct str){text, change->length};
    return ERR_OK;
}

/** An audit tells what it repairs. */
static void say_repair(struct load *load, const char *what, enum rpsl_class class, struct str key)
{
    const uint64_t repairs = load->report.added + load->report.changed + load->report.removed;

    if (load->options.audit && repairs <= REPAIRS_TOLD) {
        log_info(LOG_LOADER, "%s: audit: %s %s %s", load->source->name, what,
                 rpsl_class_info(class)->name, log_quote(key).text);
    } else if (load->options.audit && repairs == REPAIRS_TOLD + 1) {
        log_info(LOG_LOADER, "%s: audit: further repairs are only counted", load->source->name);
    }
}

static enum err apply_change(struct load *load, const struct change *change, struct why *why)
{
    struct source *source = load->source;
    struct reload *reload = load->reload;
    const uint32_t now = source_now(source);
    uint32_t id = change->id, sequence = 1;
    struct rpsl_object object;
    struct rpsl_key key;
    struct index_object old;
    struct str text, pkey, old_pkey;
    enum err rc = read_text(load, change, &text, why);

    if (rc != ERR_OK || (rc = object_parse(text, reload->arena, &object, &key)) != ERR_OK) {
        return rc;
    }
    pkey = rows_pkey(key.text, reload->arena);
    if (pkey.at == NULL) {
        return ERR_LIMIT;
    }
    if (id != 0) {
        rc = retire(load, id, &old, &old_pkey, why);
        if (rc != ERR_OK) {
            return rc;
        }
        sequence = old.info.sequence + 1;
        SQL_ARRAY_ADD(&reload->last_update, {.text = text}, {.number = now}, {.number = sequence},
                      {.text = pkey}, {.number = id}, {.number = old.info.sequence});
        load->report.changed++;
        say_repair(load, "changed", key.class, key.text);
    } else {
        id = index_next_id(source->index);
        SQL_ARRAY_ADD(&reload->last_insert, {.number = id}, {.number = 1}, {.number = now},
                      {.number = rpsl_class_info(key.class)->db_id}, {.text = text},
                      {.text = pkey});
        load->report.added++;
        say_repair(load, "added", key.class, key.text);
    }
    reload->bytes += text.len;
    reload->serial_id = id;
    reload->serial_sequence = sequence;
    return change->id != 0 ? index_replace(source->index, &old, sequence, now, &object, &key)
                           : index_put(source->index, id, sequence, now, &object, &key);
}

static enum err apply_changes(struct load *load, struct why *why)
{
    struct reload *reload = load->reload;
    enum err rc =
        fflush(reload->texts) == 0 ? ERR_OK : why_set(why, ERR_IO, "writing a temporary file: %m");

    for (size_t i = 0; rc == ERR_OK && i < reload->change_count; i++) {
        if (reload->changes[i].is_dropped) {
            continue;
        }
        rc = apply_change(load, &reload->changes[i], why);
        if (rc == ERR_OK) {
            rc = flush(load, FLUSH_BYTES, why);
        }
    }
    return rc;
}

/** What the dump does not have and is not newer than it. */
static enum err apply_removals(struct load *load, struct why *why)
{
    struct reload *reload = load->reload;
    struct index_object old;
    struct str pkey;
    enum err rc = ERR_OK;

    for (uint32_t id = 1; rc == ERR_OK && id < reload->first_new_id; id++) {
        if (bit(reload->seen, id)) {
            continue;
        }
        rc = retire(load, id, &old, &pkey, why);
        if (rc == ERR_NOT_FOUND) {
            rc = ERR_OK; /* Deleted long ago. */
            continue;
        }
        if (rc == ERR_OK) {
            rc = index_remove_found(load->source->index, &old);
        }
        if (rc == ERR_OK) {
            SQL_ARRAY_ADD(&reload->last_update, {.text = STR("")},
                          {.number = source_now(load->source)}, {.number = 0}, {.text = pkey},
                          {.number = id}, {.number = old.info.sequence});
            load->report.removed++;
            say_repair(load, "removed", old.info.class, pkey);
            rc = flush(load, FLUSH_BYTES, why);
        }
    }
    return rc;
}

/** Nothing changed: any living object will do to carry the serial. @return ERR_NOT_FOUND: none. */
static enum err find_carrier(struct load *load, struct position *to, struct why *why)
{
    struct reload *reload = load->reload;
    struct sql *sql = load->source->sql;
    const struct str *row;
    enum err rc = sql_select(sql, why,
                             "SELECT object_id, sequence_id FROM last WHERE sequence_id > 0 ORDER "
                             "BY object_id DESC LIMIT 1");

    if (rc == ERR_OK && (rc = sql_next(sql, &row, why)) == ERR_OK) {
        reload->serial_id = (uint32_t)sql_to_number(row[0]);
        reload->serial_sequence = (uint32_t)sql_to_number(row[1]);
        to->bulk_end = 0; /* It may be one whose version 1 had no row. */
        sql_end_rows(sql);
    }
    return rc;
}

/** The row of `serials` with the dump's serial. */
static enum err insert_serial(struct load *load, struct why *why)
{
    const struct reload *reload = load->reload;
    struct sql *sql = load->source->sql;
    const int64_t serial = load->options.serial;
    enum err rc =
        sql_exec(sql, why, "INSERT IGNORE INTO serials VALUES (%" PRId64 ", %u, %u, 1, 1)", serial,
                 reload->serial_id, reload->serial_sequence);

    if (rc != ERR_OK || sql_affected(sql) == 0) {
        return rc;
    }
    /* The version may have come with a serial of its own: the newest row is its last. */
    return sql_exec(sql, why,
                    "UPDATE serials SET atlast = 0 WHERE object_id = %u AND sequence_id = %u "
                    "AND serial_id <> %" PRId64,
                    reload->serial_id, reload->serial_sequence, serial);
}

/** `serials` moves to the dump's serial. Without a living object there is no row to write, and
 * nrtm_state alone knows it. */
static enum err move_rows(struct load *load, struct position *to, struct why *why)
{
    struct sql *sql = load->source->sql;
    const int64_t serial = load->options.serial;
    enum err rc = ERR_OK;

    if (load->reload->is_reset) {
        rc = sql_exec(sql, why, "DELETE FROM serials WHERE serial_id > %" PRId64, serial);
    }
    if (rc == ERR_OK && load->reload->serial_id == 0) {
        rc = find_carrier(load, to, why);
    }
    if (rc == ERR_NOT_FOUND) {
        return sql_select_number(sql, &to->applied, why,
                                 "SELECT COALESCE(MAX(serial_id), 0) FROM serials");
    }
    to->applied = serial;
    return rc == ERR_OK ? insert_serial(load, why) : rc;
}

/** The position moves to the dump's serial; after a reset the rows of `serials` above it go. An
 * object out of quarantine is no dump: it says nothing of what came before its serial. */
static enum err move_serial(struct load *load, struct position *to, struct why *why)
{
    struct sql *sql = load->source->sql;
    const int64_t serial = load->options.serial;
    enum err rc;

    if (serial < 0 || load->options.quarantined != 0 ||
        (serial <= to->hw && !load->reload->is_reset)) {
        return ERR_OK;
    }
    rc = move_rows(load, to, why);
    if (rc == ERR_OK) {
        rc = sql_exec(sql, why,
                      "UPDATE nrtm_state SET boot_serial = %" PRId64
                      ", boot_time = %u WHERE mirror = "
                      "'%s'",
                      serial, source_now(load->source), load->source->name);
    }
    if (rc == ERR_OK) {
        rc = position_unbind(load->source, sql, why);
    }
    to->hw = serial;
    to->known = true;
    return rc;
}

static enum err check_position(struct load *load, struct why *why)
{
    struct source *source = load->source;
    struct database_position found;
    enum err rc = position_lock(source->sql, why);

    if (rc == ERR_OK) {
        rc = position_read(source, source->sql, &found, why);
    }
    if (rc == ERR_OK && !position_is_ours(source, &found)) {
        rc = why_set(why, ERR_MOVED, "%s: the database was changed meanwhile, load again",
                     source->name);
    }
    return rc == ERR_OK ? check_pruned(load, &found, why) : rc;
}

static enum err transaction(struct load *load, struct position *to, uint64_t number, bool *was_sent,
                            struct why *why)
{
    struct source *source = load->source;
    struct sql *sql = source->sql;
    enum err rc = sql_begin(sql, why);

    if (rc == ERR_OK) {
        rc = check_position(load, why);
    }
    if (rc == ERR_OK) {
        rc = apply_changes(load, why);
    }
    if (rc == ERR_OK && load->options.quarantined == 0) {
        rc = apply_removals(load, why);
    }
    if (rc == ERR_OK) {
        rc = flush(load, 0, why);
    }
    if (rc == ERR_OK) {
        rc = move_serial(load, to, why);
    }
    if (rc == ERR_OK) {
        rc = load_write_quarantine(load, sql, why);
    }
    if (rc == ERR_OK && fault_point("load-state")) {
        rc = why_set(why, ERR_SQL, "fault load-state");
    }
    if (rc == ERR_OK) {
        if (load->report.added + load->report.changed + load->report.removed > 0 ||
            load->reload->is_reset) {
            to->generation = random_number();
        }
        rc = position_write(source, sql, *to, number, why);
    }
    if (rc == ERR_OK && fault_point("load-before-commit")) {
        rc = why_set(why, ERR_SQL, "fault load-before-commit");
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *was_sent = true;
    rc = sql_commit(sql, why);
    if (rc == ERR_OK && fault_point("load-after-commit")) {
        rc = why_set(why, ERR_SQL_LOST, "fault load-after-commit");
    }
    return rc;
}

enum err reload_finish(struct load *load, struct why *why)
{
    struct source *source = load->source;
    struct reload *reload = load->reload;
    struct load_report *report = &load->report;
    struct position to = source->position;
    const uint64_t number = random_number();
    bool was_sent = false;
    enum err rc = source_connect(source, why);

    if (rc != ERR_OK) {
        return rc;
    }
    if (!load->options.force && load->options.quarantined == 0 &&
        reload->compared * 100 < reload->before * LEAST_PERCENT) {
        return why_set(why, ERR_DENIED,
                       "%s: the dump has %" PRIu64 " objects, the source %" PRIu64
                       ": fewer than %d%% are refused unless forced",
                       source->name, reload->compared, reload->before, LEAST_PERCENT);
    }
    index_begin(source->index);
    (void)why_set(why, ERR_OK, "%s", "");
    rc = transaction(load, &to, number, &was_sent, why);
    if (rc != ERR_OK && was_sent) {
        rc = position_settle(source, number, rc, why);
    } else if (rc != ERR_OK) {
        sql_rollback(source->sql);
    }
    if (rc != ERR_OK) {
        index_rollback(source->index);
        return why->text[0] != '\0'
                   ? rc
                   : why_set(why, rc, "%s: reloading: %s", source->name, err_text(rc));
    }
    report->unchanged = reload->compared - report->added - report->changed;
    source_set_position(source, to);
    source_publish(source);
    source_add_objects(source, (int64_t)report->added - (int64_t)report->removed);
    return ERR_OK;
}
