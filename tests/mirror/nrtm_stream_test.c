/*
 * The NRTM stream parser: every dialect, whatever the pieces in which its bytes arrive.
 */
#include "mirror/nrtm_stream.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OBJECT = 4096 };

static void trace_event(const struct nrtm_event *e, struct buf *out)
{
    switch (e->kind) {
    case NRTM_START:
        buf_printf(out, "start %d %.*s %lld-%lld%s\n", e->version, STR_ARG(e->source),
                   (long long)e->first, (long long)e->last, e->filtered ? " filtered" : "");
        break;
    case NRTM_OP:
        buf_printf(out, "%s %lld [%.*s]%s\n", e->is_delete ? "del" : "add", (long long)e->serial,
                   STR_ARG(e->text), e->had_comments ? " comments" : "");
        break;
    case NRTM_END:
        buf_printf(out, "end %.*s\n", STR_ARG(e->source));
        break;
    case NRTM_MARKER:
        buf_printf(out, "marker %lld-%lld\n", (long long)e->first, (long long)e->last);
        break;
    case NRTM_ERROR:
        buf_printf(out, "error %.*s\n", STR_ARG(e->line));
        break;
    case NRTM_WARNING:
        buf_printf(out, "warning %.*s\n", STR_ARG(e->line));
        break;
    case NRTM_COMMENT:
        buf_printf(out, "comment %.*s\n", STR_ARG(e->line));
        break;
    case NRTM_BAD:
        buf_printf(out, "bad %s: %.*s\n", e->reason, STR_ARG(e->line));
        break;
    case NRTM_TRUNCATED:
        buf_printf(out, "truncated %lld\n", (long long)e->serial);
        break;
    case NRTM_MORE:
        break;
    }
}

static void drain(struct nrtm_stream *stream, struct buf *out)
{
    struct nrtm_event event;

    while (nrtm_stream_next(stream, &event) != NRTM_MORE) {
        trace_event(&event, out);
    }
}

/* The events of some bytes that arrive in pieces of `piece` bytes. NUL-terminated in *out. */
static void trace(struct str bytes, size_t piece, struct buf *out)
{
    struct nrtm_stream *stream = nrtm_stream_new(MAX_OBJECT);

    buf_clear(out);
    for (size_t at = 0; at < bytes.len; at += piece) {
        nrtm_stream_feed(stream, str_sub(bytes, at, at + piece));
        drain(stream, out);
    }
    nrtm_stream_end(stream);
    drain(stream, out);
    buf_add_char(out, '\0');
    nrtm_stream_free(stream);
}

static void expect_events(struct str bytes, const char *events)
{
    struct buf got = {0};

    for (size_t piece = 1; piece <= 7; piece++) {
        trace(bytes, piece, &got);
        cr_expect_str_eq(got.at, events, "in pieces of %zu: got\n%s", piece, got.at);
    }
    trace(bytes, bytes.len > 0 ? bytes.len : 1, &got);
    cr_expect_str_eq(got.at, events, "all at once: got\n%s", got.at);
    buf_free(&got);
}

struct dialect {
    char name[48];
    char bytes[600];
    char events[600];
};

#define BODY        "ADD 11\n\nperson: A\nsource: RIPE\n\nDEL 12\n\nperson: B\n\n"
#define BODY_EVENTS "add 11 [person: A\nsource: RIPE\n]\ndel 12 [person: B\n]\n"

ParameterizedTestParameters(nrtm_stream, understands_every_dialect)
{
    // clang-format off
    static struct dialect dialects[] = {
        {"RIPE",
         "% The RIPE Database is subject to Terms and Conditions.\n% See https://x/\n\n"
         "%START Version: 3 RIPE 11-12\n\n" BODY "%END RIPE\n\n",
         "comment % The RIPE Database is subject to Terms and Conditions.\ncomment % See "
         "https://x/\n"
         "start 3 RIPE 11-12\n" BODY_EVENTS "end RIPE\n"},
        {"RIPE version 2",
         "%START Version: 2 RIPE 11-12\n\n%WARNING: NRTM version 2 is deprecated, please!\n\n"
         "ADD\n\nperson: A\n\nDEL\n\nperson: B\n\n%END RIPE\n\n",
         "start 2 RIPE 11-12\nwarning %WARNING: NRTM version 2 is deprecated, please!\n"
         "add -1 [person: A\n]\ndel -1 [person: B\n]\nend RIPE\n"},
        {"RIPE with batch markers",
         "%START Version: 3 RIPE 11-11\n\nADD 11\n\nperson: A\n\n%END 11 - 11\n\n"
         "DEL 14\n\nperson: B\n\n%END 12 - 15\n\n",
         "start 3 RIPE 11-11\nadd 11 [person: A\n]\nmarker 11-11\ndel 14 [person: B\n]\n"
         "marker 12-15\n"},
        {"legacy C, filtered",
         "\n% banner\n% more\n\n%START Version: 3 ARIN 11-12 FILTERED\n\n" BODY "%END ARIN\n\n\n",
         "comment % banner\ncomment % more\nstart 3 ARIN 11-12 filtered\n" BODY_EVENTS
         "end ARIN\n"},
        {"IRRd 4", "%START Version: 3 NTTCOM 11-12\n\n" BODY "%END NTTCOM\n\n\n",
         "start 3 NTTCOM 11-12\n" BODY_EVENTS "end NTTCOM\n"},
        {"legacy IRRd, lower-case source", "%START Version: 3 radb 11-12\n\n" BODY "%END RADB\n",
         "start 3 radb 11-12\n" BODY_EVENTS "end RADB\n"},
        {"blank behind the percent sign", "% START Version: 3 TC 1-2\n% END TC\n",
         "start 3 TC 1-2\nend TC\n"},
        {"documented form with a colon", "%START Version: 3 RIPE:11-12\n", "start 3 RIPE 11-12\n"},
        {"CR LF",
         "%START Version: 3 RIPE 11-11\r\n\r\nADD 11\r\n\r\nperson: A\r\nsource: RIPE\r\n\r\n"
         "%END RIPE\r\n\r\n",
         "start 3 RIPE 11-11\nadd 11 [person: A\nsource: RIPE\n]\nend RIPE\n"},
        {"no blank line behind the op", "ADD 1\nperson: A\n\n", "add 1 [person: A\n]\n"},
        {"many blank lines", "\n\n\nADD 1\n\n\n\nperson: A\n\n\n\n", "add 1 [person: A\n]\n"},
        {"up to date, RIPE", "%ERROR:401: invalid range: Not within 1-12\n\n",
         "error %ERROR:401: invalid range: Not within 1-12\n"},
        {"up to date, IRRd", "% Warning: there are no newer updates available\n\n\n",
         "warning % Warning: there are no newer updates available\n"},
        {"error, IRRd 4", "%% ERROR: Serials 1 - 2 do not exist\n\n\n",
         "error %% ERROR: Serials 1 - 2 do not exist\n"},
        {"error, legacy C", "\n%ERROR:402: not authorised to mirror\n\n\n",
         "error %ERROR:402: not authorised to mirror\n"},
        {"refusal without line end", "%% Access denied", "comment %% Access denied\n"},
        {"internal error without line end", "internal error occurred.",
         "error internal error occurred.\n"},
        {"error without percent sign", "ERROR:306: connections exceeded\n",
         "error ERROR:306: connections exceeded\n"},
        {"comments between objects", "# one\n" BODY "% Tags relating to\n",
         "comment # one\n" BODY_EVENTS "comment % Tags relating to\n"},
        {"a banner that looks like protocol", "% End of terms\n% Start here\n% Errors happen\n",
         "comment % End of terms\ncomment % Start here\ncomment % Errors happen\n"},
        {"status answer", "RIPE:3:X:1-2\n",
         "bad neither a comment nor an operation: RIPE:3:X:1-2\n"},
    };
    // clang-format on
    return cr_make_param_array(struct dialect, dialects, sizeof(dialects) / sizeof(dialects[0]));
}

ParameterizedTest(struct dialect *d, nrtm_stream, understands_every_dialect)
{
    expect_events(str_from(d->bytes), d->events);
}

ParameterizedTestParameters(nrtm_stream, handles_odd_objects_and_bad_streams)
{
    // clang-format off
    static struct dialect dialects[] = {
        {"line of blanks is not empty", "ADD 1\n\nperson: A\n  \t\nsource: RIPE\n\n",
         "add 1 [person: A\n  \t\nsource: RIPE\n]\n"},
        {"continuation lines", "ADD 1\n\nperson: A\n b\n\tc\n+ d\n+\n\n",
         "add 1 [person: A\n b\n\tc\n+ d\n+\n]\n"},
        {"protocol words in values", "ADD 1\n\nremarks: ADD 1\n  ADD 2\n+%END RIPE\nADD: x\n\n",
         "add 1 [remarks: ADD 1\n  ADD 2\n+%END RIPE\nADD: x\n]\n"},
        {"comments in an object", "ADD 1\n\nperson: A\n% Tags\n#x\nsource: R\n\n",
         "add 1 [person: A\nsource: R\n] comments\n"},
        {"comment before the object", "ADD 1\n\n% note\nperson: A\n\n",
         "comment % note\nadd 1 [person: A\n]\n"},
        {"lone CR stays", "ADD 1\n\nperson: A\rB\n\n", "add 1 [person: A\rB\n]\n"},
        {"Latin-1 stays", "ADD 1\n\nperson: J\xfcrg\n\n", "add 1 [person: J\xfcrg\n]\n"},
        {"nothing", "", ""},
        {"end inside an object", "ADD 1\n\nperson: A\n\nADD 2\n\nperson: B\nsou",
         "add 1 [person: A\n]\ntruncated 2\n"},
        {"end before the empty line", "ADD 2\n\nperson: B\n", "truncated 2\n"},
        {"end behind the op line", "ADD 2\n", "truncated 2\n"},
        {"end behind the op line's blank", "DEL 2\n\n", "truncated 2\n"},
        {"end inside the op line", "AD", "truncated -1\n"},
        {"end inside %START", "%START Version: 3 RIPE 70000001-7000", "truncated -1\n"},
        {"end inside %END", "%END RIPE", "truncated -1\n"},
        {"end inside an error", "%ERROR:401: invalid range: Not within 1-7", "truncated -1\n"},
        {"op without object", "ADD 1\n\nADD 2\n\nperson: A\n\n",
         "bad an operation without an object: ADD 2\n"},
        {"end instead of an object", "ADD 1\n\n%END RIPE\n\n",
         "bad an operation without an object: %END RIPE\n"},
        {"error instead of an object", "ADD 1\n\n%ERROR:1\n",
         "bad an operation without an object: %ERROR:1\n"},
        {"unknown operation", "UPD 1\n\nperson: A\n\n",
         "bad neither a comment nor an operation: UPD 1\n"},
        {"negative serial", "ADD -1\n\nperson: A\n\n",
         "bad neither a comment nor an operation: ADD -1\n"},
        {"huge serial", "ADD 99999999999999999999\n",
         "bad neither a comment nor an operation: ADD 99999999999999999999\n"},
        {"serial beyond 32 bits", "ADD 4294967296\n\nperson: A\n\n",
         "add 4294967296 [person: A\n]\n"},
        {"garbage behind the serial", "ADD 1 x\n",
         "bad neither a comment nor an operation: ADD 1 x\n"},
        {"object without op", "person: A\n", "bad neither a comment nor an operation: person: A\n"},
        {"unreadable start", "%START Version: x RIPE 1-2\n",
         "bad a %START line that cannot be read: %START Version: x RIPE 1-2\n"},
        {"start with words behind", "%START Version: 3 RIPE 1-2 MORE\n",
         "bad a %START line that cannot be read: %START Version: 3 RIPE 1-2 MORE\n"},
        {"nothing behind a bad line counts", "x\nADD 1\n\nperson: A\n\n",
         "bad neither a comment nor an operation: x\n"},
    };
    // clang-format on
    return cr_make_param_array(struct dialect, dialects, sizeof(dialects) / sizeof(dialects[0]));
}

ParameterizedTest(struct dialect *d, nrtm_stream, handles_odd_objects_and_bad_streams)
{
    expect_events(str_from(d->bytes), d->events);
}

Test(nrtm_stream, keeps_nul_bytes)
{
    struct nrtm_stream *stream = nrtm_stream_new(MAX_OBJECT);
    struct nrtm_event event;

    nrtm_stream_feed(stream, STR("ADD 1\n\nperson: A\0B\n\0\n\n"));
    cr_assert_eq(nrtm_stream_next(stream, &event), NRTM_OP);
    cr_expect(str_eq(event.text, STR("person: A\0B\n\0\n")));
    nrtm_stream_free(stream);
}

static struct buf object_of(size_t length)
{
    struct buf text = {0};

    buf_printf(&text, "ADD 7\n\n");
    buf_reserve(&text, length + 16);
    memset(text.at + text.len, 'x', length - 1);
    text.len += length - 1;
    buf_printf(&text, "\n\n");
    return text;
}

static enum nrtm_event_kind kind_after(struct str bytes, size_t piece)
{
    struct nrtm_stream *stream = nrtm_stream_new(MAX_OBJECT);
    struct nrtm_event event = {0};
    enum nrtm_event_kind kind = NRTM_MORE;

    for (size_t at = 0; at < bytes.len && kind == NRTM_MORE; at += piece) {
        nrtm_stream_feed(stream, str_sub(bytes, at, at + piece));
        kind = nrtm_stream_next(stream, &event);
    }
    nrtm_stream_free(stream);
    return kind;
}

Test(nrtm_stream, bounds_objects_whatever_the_pieces)
{
    struct buf fits = object_of(MAX_OBJECT);
    struct buf too_long = object_of(MAX_OBJECT + 1);

    for (size_t piece = 1; piece < 3 * MAX_OBJECT; piece += 511) {
        cr_expect_eq(kind_after(buf_str(&fits), piece), NRTM_OP, "piece %zu", piece);
        cr_expect_eq(kind_after(buf_str(&too_long), piece), NRTM_BAD, "piece %zu", piece);
    }
    buf_free(&fits);
    buf_free(&too_long);
}

Test(nrtm_stream, ends_at_a_line_without_end)
{
    struct nrtm_stream *stream = nrtm_stream_new(MAX_OBJECT);
    struct nrtm_event event;
    char block[1000];
    enum nrtm_event_kind kind = NRTM_MORE;
    size_t fed = 0;

    memset(block, 'A', sizeof(block));
    while (kind == NRTM_MORE && fed < 100 * 1000 * 1000) {
        nrtm_stream_feed(stream, (struct str){block, sizeof(block)});
        fed += sizeof(block);
        kind = nrtm_stream_next(stream, &event);
    }
    cr_expect_eq(kind, NRTM_BAD);
    cr_expect_lt(fed, 3 * MAX_OBJECT, "noticed only after %zu bytes", fed);
    nrtm_stream_free(stream);
}

Test(nrtm_stream, says_whether_it_is_inside_an_operation)
{
    struct nrtm_stream *stream = nrtm_stream_new(MAX_OBJECT);
    struct nrtm_event event;

    nrtm_stream_feed(stream, STR("ADD 1\n\nperson: A\n"));
    cr_expect_eq(nrtm_stream_next(stream, &event), NRTM_MORE);
    cr_expect(nrtm_stream_in_operation(stream));
    nrtm_stream_feed(stream, STR("\n"));
    cr_expect_eq(nrtm_stream_next(stream, &event), NRTM_OP);
    cr_expect_not(nrtm_stream_in_operation(stream));
    nrtm_stream_free(stream);
}
