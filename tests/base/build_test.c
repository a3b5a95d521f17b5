/*
 * The build id: there is one, and it stays the same.
 */
#include "base/build.h"

#include <criterion/criterion.h>
#include <string.h>

Test(build, is_the_program_s_own)
{
    static const uint8_t none[BUILD_ID_BYTES];
    uint8_t one[BUILD_ID_BYTES], other[BUILD_ID_BYTES];

    cr_assert(build_id(one));
    cr_assert(build_id(other));
    cr_expect_arr_eq(one, other, BUILD_ID_BYTES);
    cr_expect_neq(memcmp(one, none, BUILD_ID_BYTES), 0);
}
