/*
 * Printing a message copies its row and puts the arguments where `$1`, `$2` ... are.
 */
#include "query/messages.h"

#include <string.h>

static const struct str texts[MESSAGE_COUNT] = {
#define X(id, text) STR_INIT(text),
    MESSAGE_LIST(X)
#undef X
};

void message_print(struct buf *out, enum message message, const struct str *args)
{
    const char *at = texts[message].at, *end = at + texts[message].len;
    const char *dollar;

    while (args != NULL && (dollar = memchr(at, '$', (size_t)(end - at))) != NULL) {
        buf_add(out, at, (size_t)(dollar - at));
        buf_add_str(out, args[dollar[1] - '1']);
        at = dollar + 2;
    }
    buf_add(out, at, (size_t)(end - at));
}
