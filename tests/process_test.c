/* What the process does for itself. */
#include "process.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BLOCKS      256
#define BLOCK_BYTES ((size_t)64 << 10)

TestSuite(process, .timeout = 60);

static size_t resident_bytes(void)
{
    size_t total, resident;
    FILE *file = fopen("/proc/self/statm", "r");

    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%zu %zu", &total, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

Test(process, free_memory_below_a_kept_block_goes_back)
{
    const size_t most = BLOCKS * BLOCK_BYTES;
    char *blocks[BLOCKS + 1]; /* The last is kept. */
    size_t before, after;

    for (size_t i = 0; i <= BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        cr_assert_not_null(blocks[i]);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    if (mallinfo2().fordblks < most) {
        free(blocks[BLOCKS]);
        cr_skip_test("another allocator than the C library's: a sanitizer's");
    }
    before = resident_bytes();
    process_give_back_memory();
    after = resident_bytes();
    cr_expect_leq(after + most * 9 / 10, before, "%zu bytes before, %zu after", before, after);
    free(blocks[BLOCKS]);
}

Test(process, as_many_descriptors_as_it_may_have)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(process_raise_descriptors(100), limit.rlim_max);
    getrlimit(RLIMIT_NOFILE, &limit);
    cr_expect_eq(limit.rlim_cur, limit.rlim_max);
}
