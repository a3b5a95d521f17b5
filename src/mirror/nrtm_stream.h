/*
 * The bytes of an NRTM session, versions 1 to 3, cut into events. Knows no sockets, no storage and
 * no state of the mirror: what an event means for a session is decided by nrtm_session.
 *
 * Feed bytes in any pieces, then take events until NRTM_MORE. All dialects are understood: RIPE's
 * Java and C servers, IRRd 2, 3 and 4, blanks in `% END`, CR LF, banners of any length.
 */
#pragma once

#include "base/str.h"

struct nrtm_stream;

enum nrtm_event_kind {
    NRTM_MORE,      /**< Nothing (more) to tell: feed. */
    NRTM_START,     /**< %START: version, source, first, last, filtered. */
    NRTM_OP,        /**< ADD or DEL with its whole object: is_delete, serial, text. */
    NRTM_END,       /**< %END SOURCE: source. The range is complete. */
    NRTM_MARKER,    /**< %END a - b inside a -k stream: first, last. */
    NRTM_ERROR,     /**< An error message of the server: line. */
    NRTM_WARNING,   /**< %WARNING or "% Warning: there are no newer updates": line. */
    NRTM_COMMENT,   /**< Any other % or # line: line. */
    NRTM_BAD,       /**< What no server may send; line and reason. The stream is at its end. */
    NRTM_TRUNCATED, /**< The peer left in the middle of an operation or line, which was discarded.
                         serial as in the op line, -1 without one. */
};

struct nrtm_event {
    enum nrtm_event_kind kind;
    struct str line;     /**< START, END, MARKER, ERROR, WARNING, COMMENT, BAD: as received, without
                            line end. */
    int version;         /**< START. */
    struct str source;   /**< START, END; as spelled by the server. */
    int64_t first, last; /**< START, MARKER. */
    bool filtered;       /**< START: the server says that it removes personal data. */
    bool is_delete;      /**< OP, TRUNCATED. */
    int64_t serial;      /**< OP, TRUNCATED; -1 when the op line has none (versions 1 and 2). */
    struct str text;     /**< OP: the object as received, every line ends in LF; never empty. */
    bool had_comments;   /**< OP: comment lines inside the object were taken out. */
    const char *reason;  /**< BAD: constant text. */
};

/** @param max_object  Bytes that an object, or any line, may have; more is NRTM_BAD. */
struct nrtm_stream *nrtm_stream_new(size_t max_object);
void nrtm_stream_free(struct nrtm_stream *stream); /* NULL is fine. */
/** Add received bytes (copied). After the end of the stream they are ignored. */
void nrtm_stream_feed(struct nrtm_stream *stream, struct str bytes);
/** The peer sends nothing more. A half line counts only when it is a refusal that servers send
 *  without LF; everything else that is incomplete is NRTM_TRUNCATED. */
void nrtm_stream_end(struct nrtm_stream *stream);
/** @param event  Filled; its slices are valid until the next call of _next(), _feed() or _end().
 * @return event->kind. */
enum nrtm_event_kind nrtm_stream_next(struct nrtm_stream *stream, struct nrtm_event *event);
/** Whether the last line that was read is a blank one between operations. */
bool nrtm_stream_is_at_blank(const struct nrtm_stream *stream);
/** Whether an operation was begun and is not complete. */
bool nrtm_stream_in_operation(const struct nrtm_stream *stream);
