/*
 * What the program has logged, for tests that opened a log of their own (log_open()).
 */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/** Lines of the log that contain a text; of each the first 1999 bytes are looked at. */
static inline int log_lines(const char *path, const char *text)
{
    FILE *file = fopen(path, "r");
    char line[2000];
    int count = 0;

    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, text) != NULL;
    }
    fclose(file);
    return count;
}
