/*
 * The control socket, var/whoisd.sock: commands for the running server.
 *
 * A client sends one line, words separated by tabs; the server answers lines of text while it
 * works, each behind a blank, then one last line, `=N`, whose N is the command's exit code. Only
 * root, the server's own account and members of the socket's group get in. Each client has a thread
 * of its own, so that a long load does not keep others from asking for the status.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define CONTROL_MAX_WORDS 64
/** Exit code of what was not carried out: LSB's "status unknown" and "not privileged". */
#define CONTROL_REFUSED 4

/** Where a command writes what it has to say, a line at a time; line feeds in it become blanks. */
struct control_out {
    int fd;      /**< Of the client; -1 when it went away: the command goes on. */
    bool is_raw; /**< A terminal or a file instead of a client: lines as they are. */
};
void control_print(struct control_out *out, const char *format, ...) PRINTF_LIKE(2, 3);

/** Carry out a command. @param words  words[0] is its name. @return Exit code, 0 to 255. */
typedef int control_command_fn(void *context, size_t count, char **words, struct control_out *out);

struct control;

/** Listen; start answering with control_start(). @return ERR_OK, ERR_IO. */
enum err control_open(const char *path, control_command_fn *command, void *context,
                      struct control **out, struct why *why) MUST_CHECK;
enum err control_start(struct control *control,
                       struct why *why) MUST_CHECK; /* After the fork and setuid. */
/** Take no more commands, wait for running ones, remove the socket. NULL is fine. */
void control_close(struct control *control);

/**
 * Send a command to the running server and copy its answer to standard output.
 * @param exit_code  The command's.
 * @return ERR_OK, also when it was refused (CONTROL_REFUSED); ERR_NOT_FOUND when no server listens
 * there; ERR_DENIED; ERR_IO when it went away in the middle.
 */
enum err control_send(const char *path, size_t count, char **words, int *exit_code,
                      struct why *why) MUST_CHECK;
