/*
 * Laying out attributes. A value is written line by line: the first behind the name, the others as
 * continuation lines, the text of each at a fixed column. Blanks at the end of a line go, tabs and
 * carriage returns inside it become blanks one by one, everything else is kept.
 */
#include "rpsl/layout.h"

#include <string.h>

#define COLUMN       16 /* Where values stand in the plain form, counted from 0. */
#define SHORT_COLUMN 5  /* In the -F form, behind `*mb: `. */

static const char blanks[COLUMN + 1] = "                ";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct str without_blanks_before(struct str line)
{
    size_t at = 0;

    while (at < line.len && is_blank(line.at[at])) {
        at++;
    }
    return str_sub(line, at, line.len);
}

static struct str without_blanks_behind(struct str line)
{
    while (line.len > 0 && is_blank(line.at[line.len - 1])) {
        line.len--;
    }
    return line;
}

/** Write text that stands at column `at`, moved to `column`, its inner blanks as spaces. */
static void put_text(struct buf *out, size_t at, size_t column, struct str text)
{
    size_t start;

    if (at < column) {
        buf_add(out, blanks, column - at);
    }
    start = out->len;
    buf_add_str(out, text);
    for (size_t i = start; i < out->len; i++) {
        if (is_blank(out->at[i])) {
            out->at[i] = ' ';
        }
    }
}

/** The first line of a value, behind a name that ends at column `at`. */
static void put_first_line(struct buf *out, size_t at, size_t column, struct str line)
{
    struct str text = without_blanks_before(line);

    if (text.len > 0 && at >= column) {
        for (size_t i = text.len; i < line.len; i++) {
            buf_add_char(out, ' ');
        }
    }
    if (text.len > 0) {
        put_text(out, at, column, text);
    }
}

static void put_continuation(struct buf *out, struct str line)
{
    struct str text;
    size_t at = 0;

    if (line.len > 0 && line.at[0] == '+') {
        buf_add_char(out, '+');
        line = str_sub(line, 1, line.len);
        at = 1;
    }
    text = without_blanks_behind(without_blanks_before(line));
    if (text.len > 0) {
        put_text(out, at, COLUMN, text);
    } else if (at == 0) {
        buf_add_char(out, '+'); /* Never an empty line: that would end the object. */
    }
}

static void put_name(struct buf *out, struct str name)
{
    size_t start = out->len;

    buf_add_str(out, name);
    for (size_t i = start; i < out->len; i++) {
        if (out->at[i] >= 'A' && out->at[i] <= 'Z') {
            out->at[i] |= 0x20;
        }
    }
    buf_add_char(out, ':');
}

/** Whether text stands at exactly `column` of a line that is blank from `at` on and in between. */
static bool stands_at(struct str line, size_t at, size_t column)
{
    if (line.len <= column || line.at[column] == ' ') {
        return false;
    }
    return at >= column || memcmp(line.at + at, blanks, column - at) == 0;
}

static bool is_laid_out_line(struct str line)
{
    size_t name = rpsl_name_length(line);

    if (line.len == 0 || line.at[line.len - 1] == ' ') {
        return false;
    }
    if (name == 0) {
        return line.at[0] == '+' ? line.len == 1 || stands_at(line, 1, COLUMN)
                                 : stands_at(line, 0, COLUMN);
    }
    for (size_t i = 0; i < name; i++) {
        if (line.at[i] >= 'A' && line.at[i] <= 'Z') {
            return false;
        }
    }
    return line.len == name + 1 || name + 1 >= COLUMN || stands_at(line, name + 1, COLUMN);
}

bool rpsl_is_laid_out(struct str text)
{
    struct str line;

    if (text.len > 0 && text.at[text.len - 1] == '\n') {
        text.len--;
    }
    if (rpsl_name_length(text) == 0 || str_find(text, '\t', 0) < text.len ||
        str_find(text, '\r', 0) < text.len) {
        return false;
    }
    while (str_split(&text, '\n', &line)) {
        if (!is_laid_out_line(line)) {
            return false;
        }
    }
    return true;
}

void rpsl_layout_attr(const struct rpsl_attr *attr, struct buf *out)
{
    struct str rest = attr->value, line;

    put_name(out, attr->name);
    if (str_split(&rest, '\n', &line)) {
        put_first_line(out, attr->name.len + 1, COLUMN, without_blanks_behind(line));
    }
    while (str_split(&rest, '\n', &line)) {
        buf_add_char(out, '\n');
        put_continuation(out, line);
    }
    buf_add_char(out, '\n');
}

void rpsl_layout_attr_short(const struct rpsl_attr *attr, struct buf *out)
{
    const char *short_name = rpsl_attr_info(attr->id)->short_name;
    size_t start = out->len, column = short_name != NULL ? SHORT_COLUMN : COLUMN;
    struct str rest = attr->value, line;

    if (short_name != NULL) {
        buf_printf(out, "*%s:", short_name);
    } else {
        put_name(out, attr->name);
    }
    if (str_split(&rest, '\n', &line)) {
        size_t at = out->len - start;

        line = without_blanks_before(without_blanks_behind(line));
        if (line.len > 0) {
            put_text(out, at, at < column ? column : at + 1, line); /* At least one blank. */
        }
    }
    while (str_split(&rest, '\n', &line)) {
        while (line.len > 0 && (line.at[0] == '+' || is_blank(line.at[0]))) {
            line = str_sub(line, 1, line.len);
        }
        line = without_blanks_behind(line);
        if (line.len > 0) {
            buf_add_str(out, STR("\n+"));
            put_text(out, 1, column, line);
        }
    }
    buf_add_char(out, '\n');
}
