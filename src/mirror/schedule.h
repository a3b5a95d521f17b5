/*
 * When a mirror takes its dump: at first, when its upstream lost it, every so often where there is
 * no NRTM, every night as an audit. Knows times and rules, no sources and no files.
 *
 * What cannot be had now (a dump server that is down, a dump that is refused, a database that is
 * away) is tried again for ever, ever more slowly. What was loaded and did not help is not: after
 * two reloads in a row that left the mirror lost, the next one is the operator's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum refresh_kind {
    REFRESH_NONE,
    REFRESH_FIRST, /**< The source is empty. */
    REFRESH_LOST,  /**< The upstream cannot bring us up to date any more. */
    REFRESH_DUMP,  /**< A mirror without NRTM. */
    REFRESH_AUDIT, /**< Compare with a fresh dump, and repair. */
    REFRESH_FAR,   /**< A dump is nearer than a long backlog. */
};

/** What the decision depends on. */
struct schedule_view {
    bool has_dump, has_serial; /**< Configured. */
    bool has_stream;           /**< Follows an upstream by NRTM. */
    bool may_heal;             /**< reload=auto. */
    bool is_empty;             /**< Open, and holds nothing. */
    bool is_ready;             /**< Open, and holds objects. */
    bool is_lost;              /**< Expired, or the upstream was reset. */
    bool is_streaming;         /**< Up to date. */
    bool is_far;               /**< So far behind that a fresh dump is the shorter way. */
    int refresh_s;             /**< Mirrors without NRTM; 0: never. */
    int audit_minute;          /**< Of the local day; -1: never. */
};

/** The memory of a mirror's refreshes. Zero-initialise; seed may hold any number. */
struct schedule {
    unsigned seed;     /**< Spreads the audits of many mirrors over half an hour. */
    int64_t retry_ms;  /**< Not before; 0: now. */
    int64_t delay_ms;  /**< Of the last failure. */
    int64_t taken_ms;  /**< Last success; 0: none. */
    int64_t healed_ms; /**< Last reload because of is_lost; 0: none. */
    int64_t far_ms;    /**< Last attempt because of is_far, whatever came of it; 0: none. */
    int heals;         /**< Of these, in a row, without is_streaming in between. */
    int64_t audit_s;   /**< Wall clock of the next audit; 0: not chosen yet. */
    int audit_minute;  /**< It was chosen for. */
};

enum { SCHEDULE_HEALS_MAX = 2 };

/** What is due. @param now_ms  Monotonic. @param wall_s  Unix time. */
enum refresh_kind schedule_due(struct schedule *schedule, const struct schedule_view *view,
                               int64_t now_ms, int64_t wall_s);
/** It was done, or could not be done. */
void schedule_done(struct schedule *schedule, enum refresh_kind kind, bool has_failed,
                   int64_t now_ms);
/** An operator loaded a dump: what failed before is forgotten. */
void schedule_by_hand(struct schedule *schedule, int64_t now_ms);
