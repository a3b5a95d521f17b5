/*
 * The end of an object. One memchr() per line; the text is touched a second time only when
 * something has to go.
 */
#include "mirror/paragraph.h"

#include <string.h>

static bool is_comment(const char *line)
{
    return *line == '#' || *line == '%';
}

bool paragraph_scan(struct paragraph *paragraph, struct str bytes)
{
    while (paragraph->searched < bytes.len) {
        const char *line = bytes.at + paragraph->line;
        const char *from = bytes.at + paragraph->searched;
        const char *lf = memchr(from, '\n', bytes.len - paragraph->searched);
        size_t length;

        if (lf == NULL) {
            paragraph->searched = bytes.len;
            return false;
        }
        length = (size_t)(lf - line);
        if (length > 0 && lf[-1] == '\r') {
            paragraph->marks |= PARAGRAPH_HAS_CR;
            length--;
        }
        if (length == 0) {
            paragraph->end = paragraph->line;
            paragraph->next = (size_t)(lf + 1 - bytes.at);
            return true;
        }
        if (is_comment(line)) {
            paragraph->marks |= PARAGRAPH_HAS_COMMENT;
        }
        paragraph->line = paragraph->searched = (size_t)(lf + 1 - bytes.at);
    }
    return false;
}

void paragraph_end_of_file(struct paragraph *paragraph, struct str bytes)
{
    if (paragraph->line < bytes.len && is_comment(bytes.at + paragraph->line)) {
        paragraph->marks |= PARAGRAPH_HAS_COMMENT;
    }
    paragraph->end = paragraph->next = bytes.len;
}

struct str paragraph_clean(const struct paragraph *paragraph, char *at)
{
    struct str rest = {at, paragraph->end};
    char *to = at;

    if (paragraph->marks == 0) {
        return rest;
    }
    while (rest.len > 0) {
        size_t length = str_find(rest, '\n', 0);
        bool has_lf = length < rest.len;
        size_t kept = has_lf && length > 0 && rest.at[length - 1] == '\r' ? length - 1 : length;

        if (!is_comment(rest.at)) {
            memmove(to, rest.at, kept);
            to += kept;
            if (has_lf) {
                *to++ = '\n';
            }
        }
        rest = str_sub(rest, length + has_lf, rest.len);
    }
    return (struct str){at, (size_t)(to - at)};
}
