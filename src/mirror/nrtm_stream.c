/*
 * NRTM stream parser.
 *
 *   banner, comments, blank lines
 *   %START Version: 3 RIPE 11-12      STREAM_BETWEEN: every line is looked at by itself
 *   (blank)
 *   ADD 11                            -> STREAM_BEFORE_OBJECT: up to the object's first line
 *   (blank)
 *   person: ...                       -> STREAM_IN_OBJECT: a paragraph up to its empty line
 *   (blank)                           -> NRTM_OP, STREAM_BETWEEN
 *   %END RIPE
 *
 * An operation counts only when its object's empty line has been read: everything else is a
 * truncated stream.
 */
#include "mirror/nrtm_stream.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mirror/paragraph.h"

enum stream_state { STREAM_BETWEEN, STREAM_BEFORE_OBJECT, STREAM_IN_OBJECT, STREAM_OVER };

struct nrtm_stream {
    enum stream_state state;
    size_t max_object;
    struct buf buf;
    size_t at;       /* Start in buf of what was not turned into events. */
    size_t searched; /* Bytes behind `at` known to hold no LF. */
    struct paragraph paragraph;
    bool is_delete;
    int64_t serial;
    bool at_blank;
    bool at_eof;
};

struct nrtm_stream *nrtm_stream_new(size_t max_object)
{
    struct nrtm_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL) {
        abort();
    }
    stream->max_object = max_object;
    return stream;
}

void nrtm_stream_free(struct nrtm_stream *stream)
{
    if (stream != NULL) {
        buf_free(&stream->buf);
        free(stream);
    }
}

void nrtm_stream_feed(struct nrtm_stream *stream, struct str bytes)
{
    if (stream->state == STREAM_OVER) {
        return;
    }
    buf_drop(&stream->buf, stream->at);
    stream->at = 0;
    buf_add_str(&stream->buf, bytes);
}

void nrtm_stream_end(struct nrtm_stream *stream)
{
    stream->at_eof = true;
}

bool nrtm_stream_is_at_blank(const struct nrtm_stream *stream)
{
    return stream->at_blank;
}

bool nrtm_stream_in_operation(const struct nrtm_stream *stream)
{
    return stream->state == STREAM_BEFORE_OBJECT || stream->state == STREAM_IN_OBJECT;
}

static struct str unread(const struct nrtm_stream *stream)
{
    return str_sub(buf_str(&stream->buf), stream->at, stream->buf.len);
}

/* --- words of a line --- */

static void skip_blanks(struct str *s)
{
    while (s->len > 0 && (*s->at == ' ' || *s->at == '\t')) {
        *s = str_sub(*s, 1, s->len);
    }
}

static bool skip_text(struct str *s, struct str text)
{
    if (!str_starts(*s, text)) {
        return false;
    }
    *s = str_sub(*s, text.len, s->len);
    return true;
}

/* Keywords are upper case on the wire: "% End of terms" in a banner is none. */
static bool skip_keyword(struct str *s, struct str word)
{
    return !(s->len > word.len && isalnum((unsigned char)s->at[word.len])) && skip_text(s, word);
}

static bool skip_number(struct str *s, int64_t *out)
{
    size_t digits = 0;
    uint64_t number;

    while (digits < s->len && isdigit((unsigned char)s->at[digits])) {
        digits++;
    }
    if (str_to_u64(str_sub(*s, 0, digits), INT64_MAX, &number) != ERR_OK) {
        return false;
    }
    *out = (int64_t)number;
    *s = str_sub(*s, digits, s->len);
    return true;
}

static bool skip_range(struct str *s, int64_t *first, int64_t *last)
{
    if (!skip_number(s, first)) {
        return false;
    }
    skip_blanks(s);
    if (!skip_text(s, STR("-"))) {
        return false;
    }
    skip_blanks(s);
    return skip_number(s, last);
}

static bool skip_source(struct str *s, struct str *source)
{
    size_t length = 0;

    while (length < s->len &&
           (isalnum((unsigned char)s->at[length]) || memchr("-_.", s->at[length], 3) != NULL)) {
        length++;
    }
    *source = str_sub(*s, 0, length);
    *s = str_sub(*s, length, s->len);
    return length > 0;
}

/* --- lines between objects --- */

/* 3 RIPE 11-12 FILTERED; one `:` may stand for the blank behind the source. */
static bool parse_start(struct str rest, struct nrtm_event *event)
{
    int64_t version;

    skip_blanks(&rest);
    if (!skip_number(&rest, &version) || version > INT32_MAX) {
        return false;
    }
    event->version = (int)version;
    skip_blanks(&rest);
    if (!skip_source(&rest, &event->source)) {
        return false;
    }
    skip_text(&rest, STR(":"));
    skip_blanks(&rest);
    if (!skip_range(&rest, &event->first, &event->last)) {
        return false;
    }
    skip_blanks(&rest);
    event->filtered = skip_keyword(&rest, STR("FILTERED"));
    skip_blanks(&rest);
    return rest.len == 0;
}

static enum nrtm_event_kind parse_end(struct str rest, struct nrtm_event *event)
{
    struct str range;

    skip_blanks(&rest);
    range = rest;
    if (skip_range(&range, &event->first, &event->last) && str_trim(range).len == 0) {
        return NRTM_MARKER;
    }
    return skip_source(&rest, &event->source) && str_trim(rest).len == 0 ? NRTM_END : NRTM_COMMENT;
}

static enum nrtm_event_kind parse_percent_line(struct str line, struct nrtm_event *event)
{
    struct str rest = str_sub(line, 1, line.len);

    skip_text(&rest, STR("%"));
    skip_blanks(&rest);
    if (skip_keyword(&rest, STR("START"))) {
        skip_blanks(&rest);
        if (!skip_text(&rest, STR("Version:"))) {
            return NRTM_COMMENT;
        }
        event->reason = "a %START line that cannot be read";
        return parse_start(rest, event) ? NRTM_START : NRTM_BAD;
    }
    if (skip_keyword(&rest, STR("END"))) {
        return parse_end(rest, event);
    }
    if (skip_keyword(&rest, STR("ERROR"))) {
        return NRTM_ERROR;
    }
    return str_starts_nocase(rest, STR("warning")) ? NRTM_WARNING : NRTM_COMMENT;
}

static bool parse_op(struct str line, bool *is_delete, int64_t *serial)
{
    struct str rest = line;

    if (!str_starts(line, STR("ADD")) && !str_starts(line, STR("DEL"))) {
        return false;
    }
    *is_delete = line.at[0] == 'D';
    *serial = -1;
    rest = str_trim_right(str_sub(line, 3, line.len));
    if (rest.len == 0) {
        return true;
    }
    if (*rest.at != ' ' && *rest.at != '\t') {
        return false;
    }
    skip_blanks(&rest);
    return skip_number(&rest, serial) && rest.len == 0;
}

/* Errors that RIPE's server sends without `%`, some without a line end. */
static bool is_bare_error(struct str line)
{
    return str_starts_nocase(line, STR("ERROR:")) || str_starts_nocase(line, STR("internal error"));
}

static enum nrtm_event_kind bad(struct nrtm_stream *stream, struct nrtm_event *event,
                                const char *reason)
{
    stream->state = STREAM_OVER;
    event->reason = reason;
    return NRTM_BAD;
}

static enum nrtm_event_kind too_long(struct nrtm_stream *stream, struct nrtm_event *event,
                                     struct str what)
{
    event->line = str_sub(what, 0, 200);
    return bad(stream, event, "an object or line longer than mirror.max.object.size");
}

static enum nrtm_event_kind line_between_objects(struct nrtm_stream *stream,
                                                 struct nrtm_event *event)
{
    struct str line = event->line;

    if (line.len > stream->max_object) {
        return too_long(stream, event, line);
    }
    stream->at_blank = str_trim(line).len == 0;
    if (stream->at_blank) {
        return NRTM_MORE;
    }
    if (line.at[0] == '#') {
        return NRTM_COMMENT;
    }
    if (line.at[0] == '%') {
        enum nrtm_event_kind kind = parse_percent_line(line, event);

        return kind == NRTM_BAD ? bad(stream, event, event->reason) : kind;
    }
    if (parse_op(line, &stream->is_delete, &stream->serial)) {
        stream->state = STREAM_BEFORE_OBJECT;
        return NRTM_MORE;
    }
    return is_bare_error(line) ? NRTM_ERROR
                               : bad(stream, event, "neither a comment nor an operation");
}

/* Cut a line off. */
static bool take_line(struct nrtm_stream *stream, struct str *line)
{
    struct str rest = unread(stream);
    size_t length = str_find(rest, '\n', stream->searched);

    if (length == rest.len) {
        stream->searched = length;
        return false;
    }
    stream->searched = 0;
    stream->at += length + 1;
    *line = str_sub(rest, 0, length);
    if (length > 0 && line->at[length - 1] == '\r') {
        line->len--;
    }
    return true;
}

/* --- objects --- */

static bool line_is_protocol(enum nrtm_event_kind kind)
{
    return kind == NRTM_START || kind == NRTM_END || kind == NRTM_MARKER || kind == NRTM_ERROR ||
           kind == NRTM_BAD;
}

/*
 * Behind an op line: pass blank lines and comments. The object's first line stays unread, for the
 * paragraph. A protocol line here means that the operation has no object.
 */
static enum nrtm_event_kind line_before_object(struct nrtm_stream *stream, struct nrtm_event *event)
{
    size_t start = stream->at;
    int64_t serial;
    bool is_delete;

    if (!take_line(stream, &event->line)) {
        return NRTM_MORE;
    }
    if (event->line.len > stream->max_object) {
        return too_long(stream, event, event->line);
    }
    if (str_trim(event->line).len == 0) {
        return NRTM_MORE;
    }
    if (event->line.at[0] == '%' || event->line.at[0] == '#') {
        enum nrtm_event_kind kind =
            event->line.at[0] == '#' ? NRTM_COMMENT : parse_percent_line(event->line, event);

        return line_is_protocol(kind) ? bad(stream, event, "an operation without an object") : kind;
    }
    if (parse_op(event->line, &is_delete, &serial)) {
        return bad(stream, event, "an operation without an object");
    }
    stream->at = start;
    stream->paragraph = (struct paragraph){0};
    stream->state = STREAM_IN_OBJECT;
    return NRTM_MORE;
}

static enum nrtm_event_kind object(struct nrtm_stream *stream, struct nrtm_event *event)
{
    event->line = (struct str){0};
    if (!paragraph_scan(&stream->paragraph, unread(stream))) {
        return NRTM_MORE;
    }
    if (stream->paragraph.end > stream->max_object) {
        return too_long(stream, event, unread(stream));
    }
    stream->state = STREAM_BETWEEN;
    event->is_delete = stream->is_delete;
    event->serial = stream->serial;
    event->had_comments = stream->paragraph.marks & PARAGRAPH_HAS_COMMENT;
    event->text = paragraph_clean(&stream->paragraph, stream->buf.at + stream->at);
    stream->at += stream->paragraph.next;
    return NRTM_OP;
}

/* The stream has ended. Some refusals lack their LF; any other half line is part of something lost.
 */
static enum nrtm_event_kind at_end_of_stream(struct nrtm_stream *stream, struct nrtm_event *event)
{
    struct str rest = str_trim(unread(stream));
    bool in_operation = nrtm_stream_in_operation(stream);

    stream->state = STREAM_OVER;
    event->serial = in_operation ? stream->serial : -1;
    event->is_delete = in_operation && stream->is_delete;
    if (!in_operation && is_bare_error(rest)) {
        event->line = rest;
        return NRTM_ERROR;
    }
    if (!in_operation && str_starts(rest, STR("%%"))) {
        event->line = rest;
        return parse_percent_line(rest, event) == NRTM_ERROR ? NRTM_ERROR : NRTM_COMMENT;
    }
    return in_operation || rest.len > 0 ? NRTM_TRUNCATED : NRTM_MORE;
}

static enum nrtm_event_kind at_end_of_bytes(struct nrtm_stream *stream, struct nrtm_event *event)
{
    if (unread(stream).len > stream->max_object + 2) { /* CR LF of the line that would end it. */
        return too_long(stream, event, unread(stream));
    }
    return stream->at_eof ? at_end_of_stream(stream, event) : NRTM_MORE;
}

enum nrtm_event_kind nrtm_stream_next(struct nrtm_stream *stream, struct nrtm_event *event)
{
    enum nrtm_event_kind kind = NRTM_MORE;

    *event = (struct nrtm_event){.serial = -1};
    while (kind == NRTM_MORE && stream->state != STREAM_OVER) {
        enum stream_state state = stream->state;
        size_t at = stream->at;

        if (state == STREAM_IN_OBJECT) {
            kind = object(stream, event);
        } else if (state == STREAM_BEFORE_OBJECT) {
            kind = line_before_object(stream, event);
        } else if (take_line(stream, &event->line)) {
            kind = line_between_objects(stream, event);
        }
        if (kind == NRTM_MORE && stream->state == state && stream->at == at) {
            kind = at_end_of_bytes(stream, event);
            break;
        }
    }
    event->kind = kind;
    return kind;
}
