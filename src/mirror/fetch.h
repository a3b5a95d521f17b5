/*
 * One file from a URL (http, https, ftp) into a folder of ours, by libcurl. On the caller's
 * thread, which it keeps for as long as the transfer takes.
 *
 * What has arrived when a transfer breaks stays beside the target, as PATH.part, with what
 * identifies the remote file in PATH.tag: the next fetch asks for the rest only, and begins anew
 * when the remote file has changed. The target itself appears whole or not at all.
 */
#pragma once

#include <stdatomic.h>

#include "base/str.h"

struct fetch_request {
    const char *url;
    const char *path;      /**< Target; its folder exists. */
    uint64_t max_bytes;    /**< More is refused; 0: no bound. */
    int connect_timeout_s; /**< Name, connection and TLS together. */
    int stall_s;           /**< Slower than 100 bytes/s for so long breaks the transfer. */
    int64_t deadline_ms;   /**< Monotonic: when all of it has to be here; 0: no bound. */
    const char *unless;    /**< fetched.tag of what is here already; NULL or "": fetch anyway. */
    const atomic_bool *cancel; /**< May be NULL. */
    /** Several times a second. @param total  0: the server did not say. */
    void (*on_progress)(void *context, uint64_t got, uint64_t total);
    void *context;
};

struct fetched {
    bool is_unchanged;     /**< The remote file is the one of `unless`: nothing was written. */
    uint64_t bytes;        /**< Of the file. */
    uint64_t resumed_from; /**< Bytes that an earlier fetch had brought. */
    int64_t modified_s;    /**< When the remote file was written; -1: the server did not say. */
    char tag[200];         /**< Identifies the remote file; "" when the server said nothing. */
};

/**
 * @return ERR_OK; ERR_IO for what may go better next time, what came is kept; ERR_NOT_FOUND and
 * ERR_DENIED as the server says; ERR_LIMIT for a file that is too large; ERR_SYNTAX for a URL that
 * cannot be; ERR_STOPPED. why names the URL.
 */
enum err fetch_file(const struct fetch_request *request, struct fetched *out,
                    struct why *why) MUST_CHECK;
/** Whether text is a URL that has to be fetched: anything with `://` but `file://`. */
bool fetch_is_remote(const char *text);
