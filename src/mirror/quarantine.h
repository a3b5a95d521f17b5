/*
 * What could not be applied is in nrtm_quarantine, and goes when a dump covers it. In between it is
 * tried again by every start, which may be that of a newer program, and after every dump.
 */
#pragma once

#include "mirror/loader.h"

/** The stream of a source whose rows are tried. */
struct quarantine_stream {
    void (*rest)(void *context, bool rests); /**< Have it rest, or go on. */
    void *context;
    const struct clock *clock;
};

/**
 * Try all rows of a source; tells the result in the log. Those that can be applied are loaded in
 * steps of two seconds, in which the stream rests; between two of them it has half a minute. Any
 * thread but the loop's.
 * @param request  For charset and cancel.
 */
void mirror_retry_quarantine(struct source *source, const struct load_request *request,
                             const struct quarantine_stream *stream);
