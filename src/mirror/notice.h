/*
 * Banner lines that a registry's terms ask for: where the data comes from, and that it may not be
 * the latest.
 */
#pragma once

#include "mirror/mirror.h"

/**
 * @param conf  The mirror's rows; NULL when it has none.
 * @return "% ...\n" lines, heap, caller frees; NULL when there is nothing to say: for the main
 * source, and where the operator has permission to say nothing.
 */
char *notice_new(const struct source *source, const struct mirror_source_conf *conf);
