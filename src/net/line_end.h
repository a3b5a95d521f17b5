/*
 * Where a line ends (whois-queries 1.3). Private to net.
 */
#pragma once

#include "base/str.h"

/**
 * @param scanned           Bytes known to hold no delimiter.
 * @param telnet_interrupt  FF F4 FF FD 06 ends a line, too, where it comes first.
 * @param delimiter         Its length; 0 when there is none.
 * @return Length of the line at the start of bytes; all of them when there is no delimiter.
 */
size_t line_end_find(struct str bytes, size_t scanned, bool telnet_interrupt, size_t *delimiter);
