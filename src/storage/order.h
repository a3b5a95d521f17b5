/*
 * The order of printed answers (whois-queries 3.7): class position, then key text as stored, byte
 * by byte.
 *
 * The order tree has 11 bytes for the key text. Long address keys would share those ("2001:db8:100"
 * ...), so they are packed: their characters take 4 bits (5 with hexadecimal digits), others 8.
 * Codes compare as the texts do, or are equal; equal codes are decided by the texts.
 */
#pragma once

#include "rpsl/object.h"

#define ORDER_CODE_BYTES 11
#define ORDER_BYTES      (1 + ORDER_CODE_BYTES) /* Class position and code: a record without id. */

void order_record_start(uint8_t record[static ORDER_BYTES], enum rpsl_class class,
                        struct str key_text);
