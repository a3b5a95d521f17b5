/*
 * The order of printed answers (whois-queries 3.7): class position, then key text as stored, byte
 * by byte.
 *
 * The order tree has 7 bytes for the key text. Addresses would share those ("193.0.0" ...), so the
 * text is packed: characters of address keys take 4 bits (5 with hexadecimal digits), others 8.
 * Codes compare as the texts do, or are equal; equal codes are decided by the texts.
 */
#pragma once

#include "rpsl/object.h"

#define ORDER_CODE_BYTES 7

/** Position and code of a record of the order tree; the rest is cleared. */
void order_record_start(uint8_t *record, enum rpsl_class class, struct str key_text);
