/*
 * The file format of a checkpoint: see checkpoint.h. Private to storage and its tests.
 */
#pragma once

#include "storage/checkpoint.h"
#include "storage/entries.h"

#define CHECKPOINT_MAGIC  "whoisdCP"
#define CHECKPOINT_FORMAT 1

struct checkpoint_header {
    char magic[8];
    uint32_t format;
    uint32_t crc;       /**< Of this struct with 0 in this field. */
    uint32_t table_crc; /**< Of the table of sections. */
    uint32_t section_count;
    uint64_t table_at;   /**< Where the table begins, and the sections end. */
    uint64_t file_bytes; /**< The table's end. */
    uint32_t node_count;
    uint32_t next_id; /**< index_next_id() */
    uint32_t open_segment, current_dict;
    struct checkpoint_tree {
        uint64_t records;
        uint32_t root; /**< 0: empty. Its nodes follow those of the tree before. */
        uint32_t unused;
    } trees[TREE_COUNT];
    struct checkpoint_origin origin;
    uint64_t checksum; /**< snapshot_checksum() */
};

enum checkpoint_kind { SECTION_DICT = 1, SECTION_NODES, SECTION_TEXTS };

struct checkpoint_section {
    uint32_t kind;   /**< enum checkpoint_kind */
    uint32_t number; /**< Of the dictionary, of the chunk of nodes, of the segment. */
    uint64_t at, bytes;
    uint64_t live; /**< Of texts; with the next two as in struct segment_image. */
    uint32_t last_id, dict;
    uint32_t crc;
    uint32_t unused;
};

/** The CRC that belongs into a header. */
uint32_t checkpoint_header_crc(const struct checkpoint_header *header);
