/*
 * The lines are configurable, but those of the RIPE NCC cannot be emptied by accident: its licence
 * asks for them.
 */
#include "mirror/notice.h"

#include <string.h>

char *notice_new(const struct source *source, const struct mirror_source_conf *conf)
{
    const char *name = source_name(source), *upstream = source_upstream(source);
    bool is_ripe = str_starts_nocase(str_from(upstream), STR("RIPE"));
    struct buf out = {0};
    struct str rest, line;

    if (source_kind(source) == SOURCE_MAIN ||
        (conf != NULL && strcmp(conf->notice_off, "i-have-permission") == 0)) {
        return NULL;
    }
    if (conf != NULL && conf->notice != NULL && (conf->notice[0] != '\0' || !is_ripe)) {
        for (rest = str_from(conf->notice); str_split(&rest, '\n', &line);) {
            buf_printf(&out, "%% %.*s\n", STR_ARG(line));
        }
    } else if (is_ripe) {
        buf_printf(&out,
                   "%% Data of source %s comes from the RIPE NCC (RIPE Database), obtained by near "
                   "real time mirroring.\n"
                   "%% It may not reflect the latest data contained in the RIPE Database.\n",
                   name); /* The banner ends with the terms and their URL. */
    } else {
        buf_printf(&out,
                   "%% Data of source %s comes from the %s database, obtained by near real time "
                   "mirroring.\n"
                   "%% It may not reflect the latest data contained in the %s database.\n",
                   name, upstream, upstream);
    }
    buf_add_char(&out, '\0');
    return out.at;
}
