/*
 * What can be asked of a whois root: by `whoisd --COMMAND`, by whois.init, over the control socket.
 * One row a command.
 */
#pragma once

#include "control.h"

struct daemon;

enum command_needs {
    COMMAND_SERVER, /**< Only a running server can answer. */
    COMMAND_EITHER, /**< Carried out by the running server, or alone. */
};

struct command {
    const char *name;  /**< "load": `--load` on the command line. */
    const char *usage; /**< Arguments: "SOURCE FILE... [--serial N]". */
    const char *help;
    enum command_needs needs;
    size_t min_words, max_words; /**< Arguments behind the name. */
    bool takes_files;            /**< Behind the source come names of files, among options. */
    int (*run)(struct daemon *daemon, size_t count, char **words, struct control_out *out);
};

/** @return The row, or NULL. */
const struct command *command_find(const char *name);
/** Rows in the order of the help; ends with a NULL name. */
extern const struct command commands[];
/** A control_command_fn; context is the struct daemon. */
int command_run(void *context, size_t count, char **words, struct control_out *out);
