/*
 * The rows that updates and dumps write: statements, and what goes into the pkey column.
 */
#include "rpsl/charset.h"
#include "storage/source_parts.h"

#include <string.h>

const char rows_insert_last[] =
    "INSERT INTO last (object_id, sequence_id, timestamp, object_type, object, pkey) "
    "VALUES (?, ?, ?, ?, ?, ?)";
const char rows_update_last[] =
    "UPDATE last SET object = ?, timestamp = ?, sequence_id = ?, pkey = ? "
    "WHERE object_id = ? AND sequence_id = ?";
const char rows_insert_history[] =
    "INSERT INTO history (object_id, sequence_id, timestamp, object_type, object, pkey) "
    "VALUES (?, ?, ?, ?, ?, ?)";
const char rows_insert_serials[] =
    "INSERT INTO serials (serial_id, object_id, sequence_id, atlast, operation) "
    "VALUES (?, ?, ?, ?, ?)";
const char rows_retire_serials[] =
    "UPDATE serials SET atlast = 0 WHERE object_id = ? AND sequence_id = ?";
const char rows_quarantine[] =
    "INSERT INTO nrtm_quarantine (mirror, serial, operation, raw, reason, time) "
    "VALUES (?, ?, ?, ?, ?, ?)";

/** Bytes of the UTF-8 character at the start of s, or 0 when there is none. */
static size_t character_length(struct str s)
{
    for (size_t len = 1; len <= 4 && len <= s.len; len++) {
        if (utf8_is_valid(str_sub(s, 0, len))) {
            return len;
        }
    }
    return 0;
}

struct str rows_pkey(struct str key, struct arena *arena)
{
    struct str out = {NULL, 0};
    char *copy;

    if (key.len <= PKEY_CHARACTERS && str_is_ascii(key)) {
        return key;
    }
    copy = arena_alloc(arena, PKEY_CHARACTERS * 4);
    if (copy == NULL) {
        return out;
    }
    out.at = copy;
    for (size_t characters = 0; characters < PKEY_CHARACTERS && key.len > 0; characters++) {
        size_t len = character_length(key);

        if (len == 0) {
            copy[out.len++] = '?';
            len = 1;
        } else {
            memcpy(copy + out.len, key.at, len);
            out.len += len;
        }
        key = str_sub(key, len, key.len);
    }
    return out;
}
