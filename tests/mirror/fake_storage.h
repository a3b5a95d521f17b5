/*
 * A storage that remembers what it was told, linked in place of libstorage.a: committed operations
 * as lines of text, a position, and failures on demand.
 */
#pragma once

#include "storage/source.h"

struct fake_storage {
    struct buf committed; /**< "add 11 [person: A/source: R/]\n" per operation, LF shown as `/`. */
    int64_t applied, hw;
    bool position_known, read_only;
    int commits;             /**< Transactions that succeeded. */
    int no_room;             /**< So many looks find no room for batches of fake_source(). */
    int begun;               /**< Batches and loads open now: 0 when all is well. */
    enum err next_commit[8]; /**< Results of the next commits; ERR_OK and beyond: success. */
    size_t next_commit_count;
    enum err sync_result;
    bool sync_changed;
    int64_t sync_boot_serial; /**< What the next syncs find in the bond; 0: what it holds. */
    const char *quarantined;  /**< What each row holds, of a dump; NULL: no rows. */
    int quarantined_rows;
    int syncs;
    size_t
        packet_limit; /**< Texts longer than this cannot be committed (ERR_SQL_PACKET); 0: none. */
    char noted_state[64], noted_error[300]; /**< Of source_note_state(). */
    uint64_t objects;                       /**< Of source_get_status(). */
    struct source_bond bond;
    struct source_server noted_server; /**< Of source_note_server(). */
    enum source_state state;           /**< Of source_get_status(), once opened. */
    int opens, opens_that_fail;
    struct load_options load_options;
    enum err load_finish_result;
    int loads; /**< Loads that succeeded. */
};
extern struct fake_storage fake;
/** The one source: RIPE-GRS of RIPE. */
struct source *fake_source(void);
/** Another of that name, at the same position. */
struct source *fake_other_source(void);
void fake_storage_reset(int64_t position);
