/*
 * What could not be applied is in nrtm_quarantine, and goes when a dump covers it. In between it is
 * tried again by every start, which may be that of a newer program, and after every dump.
 */
#pragma once

#include "mirror/loader.h"

/** Try all rows of a source, whose stream rests; tells the result in the log. Any thread but the
 * loop's. @param request  For charset and cancel. */
void mirror_retry_quarantine(struct source *source, const struct load_request *request);
