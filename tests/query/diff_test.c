/*
 * The unified difference: vectors, and random texts that it has to lead between by the shortest
 * way.
 */
#include "query/diff.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;
static struct buf out;

static void setup(void)
{
    arena = arena_new(1 << 20);
}

static void teardown(void)
{
    arena_free(arena);
    buf_free(&out);
}

TestSuite(diff, .init = setup, .fini = teardown);

static const char *difference(const char *before, const char *after)
{
    buf_clear(&out);
    arena_reset(arena);
    cr_assert_eq(diff_unified(str_from(before), str_from(after), arena, &out), ERR_OK);
    buf_add_char(&out, '\0');
    return out.at;
}

Test(diff, equal_texts_have_none)
{
    cr_expect_str_eq(difference("", ""), "");
    cr_expect_str_eq(difference("a\nb\n", "a\nb\n"), "");
    cr_expect_str_eq(difference("a\n  b \n", "a \nb\n"), "", "blanks around a line do not count");
}

Test(diff, shows_one_line_of_context)
{
    cr_expect_str_eq(difference("a\nb\nc\nd\ne\n", "a\nb\nX\nd\ne\n"),
                     "@@ -2,3 +2,3 @@\n b\n-c\n+X\n d\n");
    cr_expect_str_eq(difference("a\nb\n", "X\na\nb\n"), "@@ -1,1 +1,2 @@\n+X\n a\n");
    cr_expect_str_eq(difference("a\nb\n", "a\nb\nX\n"), "@@ -2,2 +2,3 @@\n b\n+X\n \n",
                     "the end of the text is an empty line");
    cr_expect_str_eq(difference("", "X\n"), "@@ -1,1 +1,2 @@\n+X\n \n");
}

Test(diff, close_changes_share_a_hunk)
{
    cr_expect_str_eq(difference("a\nb\nc\nd\n", "X\nb\nc\nY\n"),
                     "@@ -1,5 +1,5 @@\n-a\n+X\n b\n c\n-d\n+Y\n \n");
    cr_expect_str_eq(difference("a\nb\nc\nd\ne\n", "X\nb\nc\nd\nY\n"),
                     "@@ -1,2 +1,2 @@\n-a\n+X\n b\n@@ -4,3 +4,3 @@\n d\n-e\n+Y\n \n");
}

/* Of several shortest scripts the one that the greedy algorithm finds first. */
Test(diff, prefers_what_the_reference_prefers)
{
    cr_expect_str_eq(difference("a\nb\nc\na\nb\nb\na", "c\nb\na\nb\na\nc"),
                     "@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n");
}

Test(diff, gives_up_when_the_texts_have_too_little_in_common)
{
    struct buf before = {0}, after = {0};

    for (int i = 0; i < 1000; i++) {
        buf_printf(&before, "a%d\n", i);
        buf_printf(&after, "b%d\n", i);
    }
    cr_expect_eq(diff_unified(buf_str(&before), buf_str(&after), arena, &out), ERR_LIMIT);
    buf_free(&before);
    buf_free(&after);
}

/* --- random texts --- */

#define MOST_LINES 12

/* Lines of one letter each; the empty line at the end of a text is a letter 0. */
static size_t random_text(char *text, char letters[MOST_LINES + 2])
{
    size_t count = (size_t)rand() % (MOST_LINES + 1);

    for (size_t i = 0; i < count; i++) {
        letters[i] = (char)('a' + rand() % 4);
        text[2 * i] = letters[i];
        text[2 * i + 1] = '\n';
    }
    text[2 * count] = '\0';
    letters[count] = '\0';
    return count;
}

static size_t longest_common(const char *a, const char *b)
{
    size_t table[MOST_LINES + 2][MOST_LINES + 2] = {0};
    size_t n = strlen(a), m = strlen(b);

    for (size_t i = n; i-- > 0;) {
        for (size_t j = m; j-- > 0;) {
            table[i][j] = a[i] == b[j]                        ? table[i + 1][j + 1] + 1
                          : table[i + 1][j] > table[i][j + 1] ? table[i + 1][j]
                                                              : table[i][j + 1];
        }
    }
    return table[0][0];
}

/* Apply hunks to a text. @return Lines that were deleted or inserted. */
static size_t apply(const char *before, const char *hunks, char *after)
{
    size_t edits = 0, at = 0, len = 0;
    const char *line = hunks;

    while (*line != '\0') {
        size_t begin, count, begin_after, count_after, used = 0, made = 0;

        cr_assert_eq(
            sscanf(line, "@@ -%zu,%zu +%zu,%zu @@\n", &begin, &count, &begin_after, &count_after),
            4, "%s", hunks);
        while (at < begin - 1) {
            after[len++] = before[at++];
        }
        cr_assert_eq(len, begin_after - 1, "%s", hunks);
        for (line = strchr(line, '\n') + 1; *line != '\0' && *line != '@';
             line = strchr(line, '\n') + 1) {
            char letter = line[1] == '\n' ? '\0' : line[1];

            if (line[0] != '+') {
                cr_assert_eq(before[at], letter, "%s", hunks);
                at++;
                used++;
            }
            if (line[0] != '-') {
                after[len++] = letter;
                made++;
            }
            edits += line[0] != ' ';
        }
        cr_assert(used == count && made == count_after, "%s", hunks);
    }
    while (at <= strlen(before)) {
        after[len++] = before[at++];
    }
    return edits;
}

Test(diff, leads_from_one_random_text_to_the_other_by_the_shortest_way)
{
    srand(1);
    for (int round = 0; round < 3000; round++) {
        char before[3 * MOST_LINES], after[3 * MOST_LINES], got[3 * MOST_LINES];
        char from[MOST_LINES + 2], to[MOST_LINES + 2];
        size_t n = random_text(before, from), m = random_text(after, to), edits;
        const char *hunks = difference(before, after);

        edits = apply(from, hunks, got);
        cr_assert_str_eq(got, to, "%s -> %s: %s", from, to, hunks);
        cr_assert_eq(edits, n + m - 2 * longest_common(from, to), "%s -> %s: %s", from, to, hunks);
    }
}
