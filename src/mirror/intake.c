/*
 * Intake: bytes as received -> text as stored, or not at all.
 */
#include "mirror/intake.h"

#include <ctype.h>
#include <string.h>

#include "base/log.h"

enum { LOUD = 10 }; /* Warnings of each kind in full; the counters have the rest. */

static struct str first_line(struct str text)
{
    return str_sub(text, 0, str_find(text, '\n', 0));
}

struct str intake_source_of(struct str text)
{
    struct str rest = text, line;

    while (str_split(&rest, '\n', &line)) {
        if (line.len > 7 && (line.at[0] | 0x20) == 's' && str_starts_nocase(line, STR("source:"))) {
            line = str_sub(line, 7, line.len);
            return str_trim(str_sub(line, 0, str_find(line, '#', 0)));
        }
    }
    return (struct str){0};
}

bool intake_looks_like_object(struct str text)
{
    struct str line = first_line(text);
    size_t name = 0;

    while (name < line.len &&
           (isalnum((unsigned char)line.at[name]) || strchr("-_*", line.at[name]) != NULL)) {
        name++;
    }
    return name > 0 && name < line.len && line.at[name] == ':';
}

/* A mirror whose upstream is not configured is named after it: RIPE-GRS holds objects of RIPE. */
static struct str without_grs(struct str name)
{
    return str_ends_nocase(name, STR("-GRS")) ? str_sub(name, 0, name.len - 4) : name;
}

static bool is_foreign(const struct intake *intake, struct str raw)
{
    struct str source;

    if (intake->upstream == NULL) {
        return false;
    }
    source = intake_source_of(raw);
    return source.len > 0 && !str_eq_nocase(source, str_from(intake->upstream)) &&
           !str_eq_nocase(source, without_grs(str_from(intake->upstream)));
}

enum intake_verdict intake_text(struct intake *intake, struct str raw, const char *place,
                                struct str *text)
{
    bool was_wrong = false;

    if (is_foreign(intake, raw)) {
        if (++intake->foreign <= LOUD) {
            log_warn(LOG_IMPORTER,
                     "%s: skipped an object of another source: source=%s object=%s %s",
                     intake->mirror, log_quote(intake_source_of(raw)).text,
                     log_quote(first_line(raw)).text, place);
        }
        return INTAKE_FOREIGN;
    }
    if (memchr(raw.at, '\0', raw.len) != NULL && ++intake->with_nul <= LOUD) {
        log_warn(LOG_IMPORTER, "%s: an object with NUL bytes, kept: object=%s %s", intake->mirror,
                 log_quote(first_line(raw)).text, place);
    }
    *text = charset_to_utf8(raw, intake->charset, &intake->scratch, &was_wrong);
    if (!was_wrong) {
        return INTAKE_FINE;
    }
    if (++intake->recoded <= LOUD) {
        log_warn(LOG_IMPORTER, "%s: an object that is not UTF-8 was taken as Latin-1: object=%s %s",
                 intake->mirror, log_quote(first_line(raw)).text, place);
    }
    return INTAKE_RECODED;
}

void intake_fini(struct intake *intake)
{
    buf_free(&intake->scratch);
}
