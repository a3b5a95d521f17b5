/*
 * Two texts, parted by the first zero byte: the hunks lead from the one to the other.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "query/diff.h"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Cut a line off a text that was not used up. */
static struct str next_line(struct str *rest)
{
    struct str line;

    require(str_split(rest, '\n', &line));
    return str_trim(line);
}

/* A line of a hunk moves on in one text or in both. */
static void follow_line(struct str line, struct str *before, struct str *after)
{
    struct str text = str_sub(line, 1, line.len);

    require(line.len > 0);
    require(line.at[0] == ' ' || line.at[0] == '-' || line.at[0] == '+');
    if (line.at[0] != '+') {
        require(str_eq(next_line(before), text));
    }
    if (line.at[0] != '-') {
        require(str_eq(next_line(after), text));
    }
}

/* Lines outside hunks are equal. */
static void follow_equal(size_t count, struct str *before, struct str *after)
{
    while (count-- > 0) {
        require(str_eq(next_line(before), next_line(after)));
    }
}

static void follow(struct str hunks, struct str before, struct str after)
{
    struct str line;
    size_t at = 1; /* Line of the text before. */

    while (hunks.len > 0 && str_split(&hunks, '\n', &line)) {
        if (str_starts(line, STR("@@ -"))) {
            size_t begin = strtoul(line.at + 4, NULL, 10);

            require(begin >= at);
            follow_equal(begin - at, &before, &after);
            at = begin;
        } else {
            follow_line(line, &before, &after);
            at += line.at[0] != '+';
        }
    }
    while (before.at != NULL || after.at != NULL) {
        follow_equal(1, &before, &after);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    struct str input = {(const char *)data, size};
    size_t cut = size == 0 ? 0 : str_find(input, '\0', 0);
    /* No slice of nothing: an empty text has one line, too. */
    struct str before = size == 0 ? STR("") : str_sub(input, 0, cut);
    struct str after = cut < size ? str_sub(input, cut + 1, size) : STR("");
    struct buf out = {0};

    if (arena == NULL) {
        arena = arena_new(1 << 22);
    }
    if (diff_unified(before, after, arena, &out) == ERR_OK) {
        follow(buf_str(&out), before, after);
    }
    buf_free(&out);
    arena_reset(arena);
    return 0;
}
