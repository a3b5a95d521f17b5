/*
 * Checksums that tell texts apart. Those of all objects of a source are added up, so that two
 * sources can be compared whatever the order in which they came to hold what they hold. The same on
 * every machine and in every version; not made to withstand forgery.
 */
#pragma once

#include "base/str.h"

uint64_t text_checksum(struct str text);
