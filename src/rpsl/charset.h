/*
 * Character sets: received bytes to the UTF-8 that is stored, and back for output. Reversible as
 * declared per mirror.
 */
#pragma once

#include "base/str.h"

/** Those from CHARSET_TABLED on are rows of a table, for output only. */
enum charset { CHARSET_LATIN1, CHARSET_UTF8, CHARSET_ASCII, CHARSET_TABLED };

/** Names as in `nrtm.import.*.charset`, any case. @return ERR_OK, ERR_NOT_FOUND. */
enum err charset_by_name(struct str name, enum charset *out) MUST_CHECK;
/** Names as in -Z, any case: all that hold ASCII and have one byte for a character, too. */
enum err charset_for_output(struct str name, enum charset *out) MUST_CHECK;
/**
 * Decode the character at the start of s: shortest form, no surrogates, up to U+10FFFF.
 * @return Its length in bytes, 1 to 4; 0 when the first byte starts no character (or s is empty).
 */
unsigned utf8_decode(struct str s, uint32_t *character);
/** Write a character of at most U+10FFFF. @return Its length in bytes, 1 to 4. */
unsigned utf8_put(char to[static 4], uint32_t character);
bool utf8_is_valid(struct str s);
bool str_is_ascii(struct str s);
/** Append Latin-1 bytes as UTF-8: every byte is the character of that value. */
void latin1_to_utf8(struct str latin1, struct buf *out);
/** Append UTF-8 in another charset; what has no place there becomes `?`, one per character. */
void utf8_encode(struct str utf8, enum charset charset, struct buf *out);
/**
 * Turn received object text into stored UTF-8.
 * @param from       Declared charset of the upstream. Anything but CHARSET_LATIN1 with invalid
 * bytes is taken as Latin-1.
 * @param was_wrong  Set when that happened: the caller counts, logs and keeps the raw bytes.
 * @return raw itself when nothing changes, else the content of *scratch (cleared first).
 */
struct str charset_to_utf8(struct str raw, enum charset from, struct buf *scratch, bool *was_wrong);
