/*
 * Files into a source: dumps, and recorded NRTM streams. On the caller's thread (it takes its time:
 * give it one).
 *
 * Input that cannot be right is refused before anything is touched: missing files, a serial file
 * that holds no number, a page of HTML in place of a dump. Whatever fails later leaves the old
 * state, as storage's loads are atomic.
 */
#pragma once

#include <stdatomic.h>

#include "mirror/nrtm_session.h"

/** Bounds of downloads: mirror.dump.* */
struct fetch_limits {
    int timeout_s;     /**< For an answer, and without data. */
    int total_s;       /**< For a file, over all attempts; 0: no bound. */
    int64_t max_bytes; /**< Of a file; 0: no bound. */
    int max_age_s;     /**< Of a dump; 0: no bound. */
    int max_growth;    /**< Percent by which a dump may have more objects than the source; 0: no
                            bound. */
};

struct load_request {
    const char *const *files; /**< Plain or gzip, told by content; paths or file:// URLs. Others
                                   have to pass mirror/download.h first. */
    size_t file_count;
    int64_t serial;          /**< The dump's serial; -1: none, or in serial_file. */
    const char *serial_file; /**< Such as RIPE.CURRENTSERIAL; NULL: none. Read before the dump, and
                                again behind it. */
    bool asks_serial;        /**< The serial is asked of the NRTM server first, by who downloads. */
    int64_t least_serial;    /**< A dump of a lower one is not worth loading. */
    enum charset charset;
    size_t max_object;           /**< mirror.max.object.size */
    bool is_reset, force, audit; /**< See load_options. */
    bool has_stream;   /**< The mirror needs a position: an unknown one is worth a WARN. */
    const char *spool; /**< Folder for downloads, made on demand; NULL: none. */
    struct fetch_limits fetch;
    bool is_automatic;         /**< Nobody asked for it: local files are looked at, too. */
    bool if_changed;           /**< Only when the files are others than those loaded last. */
    const atomic_bool *cancel; /**< Looked at all the time; ERR_STOPPED follows. May be NULL. */
    /** Called with each line of progress that is logged, one at a time; may be NULL. */
    void (*on_progress)(void *context, const char *line);
    void *context;
};

/**
 * Load, logging progress at least every 5 seconds and the counts at the end.
 * @return ERR_OK; ERR_SYNTAX for input that is no dump or serial; ERR_IO, ERR_CORRUPT, ERR_LIMIT of
 * the files; ERR_STOPPED; others of load_begin(), load_add() and load_finish(). why is a whole
 * sentence.
 */
enum err mirror_load(struct source *source, const struct load_request *request,
                     struct load_report *report, struct why *why) MUST_CHECK;

/** What mirror_apply() did. */
struct apply_report {
    int64_t from, to; /**< Position before and behind. */
    struct nrtm_counters counters;
};
/**
 * Apply NRTM streams from files, plain or gzip, in order, by the code that follows an upstream.
 * Serials at or below the position are skipped. Of the request, serials and force do not count.
 * @return ERR_OK; ERR_CORRUPT for a file that is no stream for this position or ends before its
 * %END: what came before was applied; ERR_IO; ERR_STOPPED; others of storage.
 */
enum err mirror_apply(struct source *source, const struct load_request *request,
                      struct apply_report *report, struct why *why) MUST_CHECK;

/** Read a serial file: one decimal number, blanks and line ends around it allowed. */
enum err mirror_read_serial(const char *path, int64_t *serial, struct why *why) MUST_CHECK;
