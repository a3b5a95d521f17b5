/*
 * MD5 checksums, as registries publish them beside their files: find what went wrong on the way; no
 * protection against intent.
 */
#pragma once

#include <stdatomic.h>

#include "base/str.h"

#define MD5_TEXT_BYTES 33 /* 32 small digits and a NUL. */

/**
 * The checksum of a file.
 * @param cancel  Looked at all the time; may be NULL.
 * @return ERR_OK; ERR_IO with why = file and reason; ERR_STOPPED.
 */
enum err md5_sum_file(const char *path, const atomic_bool *cancel, char hex[MD5_TEXT_BYTES],
                      struct why *why) MUST_CHECK;
/** The first word of 32 hexadecimal digits: "SUM  ripe.db.gz", "MD5 (ripe.db.gz) = SUM". @return
 * false when there is none. */
bool md5_sum_find(struct str text, char hex[MD5_TEXT_BYTES]);
