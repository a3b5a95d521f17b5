/*
 * var/status/nrtm.<MIRROR>: the state of one mirror for monitoring, `key=value` lines.
 */
#pragma once

#include "mirror/nrtm_client.h"

/** Write the file anew; a reader never sees half of it. A failure is logged. */
void status_file_write(const char *folder, struct source *source,
                       const struct nrtm_client_conf *conf,
                       const struct nrtm_client_status *status);
