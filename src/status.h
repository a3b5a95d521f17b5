/*
 * How the server and its sources stand: a table for people, JSON for programs.
 */
#pragma once

#include "control.h"

struct daemon;

#define EXIT_DEGRADED 150 /* LSB leaves 150 to 199 to applications. */

/** The `status` command: [--json]. @return 0; EXIT_DEGRADED when a source is not as it should be.
 */
int run_status(struct daemon *daemon, size_t count, char **words, struct control_out *out);
