/*
 * The texts of the error list, and explanations.
 */
#include "base/err.h"

#include <stdio.h>

const char *err_text(enum err code)
{
    static const char *const texts[] = {
#define X(name, text) [name] = text,
        ERR_LIST(X)
#undef X
    };

    if ((unsigned)code >= sizeof(texts) / sizeof(texts[0])) {
        return "unknown error";
    }
    return texts[code];
}

enum err why_set(struct why *why, enum err code, const char *format, ...)
{
    va_list args;

    if (why == NULL) {
        return code;
    }
    va_start(args, format);
    vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
    return code;
}
