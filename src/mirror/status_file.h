/*
 * All that is known of a source, for programs: as members of a JSON object, or as lines of a file
 * in var/status that is replaced in one step.
 */
#pragma once

#include "mirror/mirror.h"

enum status_form {
    STATUS_LINES, /**< `name=value`, of a group `group.name=value`. */
    STATUS_JSON,  /**< `"name": value` in braces. */
};

/** Add everything about a source. Times are Unix seconds, 0 for never; serials that are not known
 * are -1. */
void status_print(struct buf *out, enum status_form form, struct source *source,
                  const struct mirror_status *mirror);
/** Write a mirror's to FOLDER/nrtm.MIRROR. @return ERR_OK, ERR_IO. */
enum err status_file_write(const char *folder, struct source *source,
                           const struct mirror_status *mirror, struct why *why) MUST_CHECK;
const char *source_state_text(const struct source_status *status);
