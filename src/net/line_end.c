/*
 * Where a line ends.
 */
#include "net/line_end.h"

#include <string.h>

static const char interrupt[] = "\xff\xf4\xff\xfd\x06";
#define INTERRUPT_BYTES (sizeof(interrupt) - 1)

size_t line_end_find(struct str bytes, size_t scanned, bool telnet_interrupt, size_t *delimiter)
{
    size_t newline = str_find(bytes, '\n', scanned);
    const char *found = NULL;

    if (telnet_interrupt) {
        /* An interrupt may have begun at the end of the bytes seen before. */
        size_t from = scanned < INTERRUPT_BYTES ? 0 : scanned - (INTERRUPT_BYTES - 1);

        from = str_find(str_sub(bytes, 0, newline), interrupt[0], from);
        if (from < newline) {
            found = memmem(bytes.at + from, newline - from, interrupt, INTERRUPT_BYTES);
        }
    }
    if (found != NULL) {
        *delimiter = INTERRUPT_BYTES;
        return (size_t)(found - bytes.at);
    }
    *delimiter = newline < bytes.len ? 1 : 0;
    return newline;
}
