/*
 * CRC-32C: known values, and both ways to compute it agree.
 */
#include "base/crc.h"

#include <criterion/criterion.h>

Test(crc, known_values)
{
    static const uint8_t zeros[32];

    cr_expect_eq(crc32c(0, "123456789", 9), 0xe3069283u);
    cr_expect_eq(crc32c_portable(0, "123456789", 9), 0xe3069283u);
    cr_expect_eq(crc32c(0, zeros, sizeof(zeros)), 0x8a9136aau); /* RFC 3720, B.4. */
    cr_expect_eq(crc32c_portable(0, zeros, sizeof(zeros)), 0x8a9136aau);
    cr_expect_eq(crc32c(0, "", 0), 0);
}

Test(crc, parts_and_ways_agree)
{
    uint8_t bytes[200];

    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * i + 7 * i);
    }
    for (unsigned from = 0; from < 9; from++) {
        for (unsigned len = 0; len + from < sizeof(bytes); len++) {
            uint32_t crc = crc32c(0, bytes + from, len);

            cr_assert_eq(crc32c_portable(0, bytes + from, len), crc);
            cr_assert_eq(
                crc32c(crc32c(0, bytes + from, len / 3), bytes + from + len / 3, len - len / 3),
                crc);
        }
    }
}
