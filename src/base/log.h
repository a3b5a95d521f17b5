/*
 * The log, in the operators' format (UTC): `2015-08-21 15:47:14,908 INFO  [Label] text`.
 * One event, one line; line breaks become blanks. Text from outside is quoted and escaped with
 * log_quote(). Safe from any thread.
 */
#pragma once

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* The labels operators know. */
#define LOG_CLIENT   "NrtmClientFactory"
#define LOG_IMPORTER "NrtmImporter"
#define LOG_LOADER   "DumpLoader"
#define LOG_STORAGE  "Storage"
#define LOG_QUERY    "Query"
#define LOG_MAIN     "Whoisd"

/**
 * Send lines to a file (append, created 0640) instead of standard error.
 * @param path  Copied; NULL returns to standard error.
 * @return ERR_OK, ERR_IO (the old target stays).
 */
enum err log_open(const char *path, struct why *why) MUST_CHECK;
/** Open the same path again, after a rotation. Keeps the old file when that fails. */
enum err log_reopen(struct why *why) MUST_CHECK;
void log_set_level(enum log_level least);
void log_write(enum log_level level, const char *label, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_debug(label, ...) log_write(LOG_DEBUG, label, __VA_ARGS__)
#define log_info(label, ...)  log_write(LOG_INFO, label, __VA_ARGS__)
#define log_warn(label, ...)  log_write(LOG_WARN, label, __VA_ARGS__)
#define log_error(label, ...) log_write(LOG_ERROR, label, __VA_ARGS__)

/** Text of a peer in quotes: control bytes and those above 126 become \xNN, 200 bytes are shown. */
struct log_quoted {
    char text[900];
};
struct log_quoted log_quote(struct str s); /* Use as `log_quote(s).text` inside one call. */
