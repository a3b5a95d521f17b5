/*
 * MD5, against the RFC's own examples and the system's program for lengths around a block.
 */
#include "base/md5.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect_md5(const char *text, size_t piece, const char *expected)
{
    struct md5 md5;
    char hex[33];

    md5_begin(&md5);
    for (size_t at = 0, len = strlen(text); at < len; at += piece) {
        md5_add(&md5, text + at, at + piece < len ? piece : len - at);
    }
    md5_end(&md5, hex);
    cr_expect_str_eq(hex, expected, "%s in pieces of %zu", text, piece);
}

Test(md5, is_that_of_the_rfc)
{
    expect_md5("", 1, "d41d8cd98f00b204e9800998ecf8427e");
    expect_md5("a", 1, "0cc175b9c0f1b6a831c399e269772661");
    expect_md5("message digest", 100, "f96b697d7cb7938d525a2f31aaf161d0");
    expect_md5("abcdefghijklmnopqrstuvwxyz", 7, "c3fcd3d76192e4007dfb496cca67e13b");
    expect_md5("12345678901234567890123456789012345678901234567890123456789012345678901234567890",
               33, "57edf4a22be3c955ac49da2e2107b67a");
}

Test(md5, knows_lengths_around_a_block)
{
    static const char *const sums[] = {
        "61ea0974c662328da964d977a8253873", "04364420e25c512fd958a70738aa8f72",
        "668a72d5ba17f08e62dabcafad6db14b", "693037871c4a9d3d8685018905cb530a",
        "e7a07c25a31348c37fba19f4e1d9825b", "10f296f512b8f7df10138452ef267f5b",
        "1198000c11968f9368e02d6da57ec147", "ee8c65d71323cc65e6e8535663ea817c",
        "31f6affeacbf0a8196f061a4e49a8a15", "7dc2ca208106a2f703567bdff99d8981",
        "c1bb4f81d892b2d57947682aeb252456", "1bc932052302d074bdec39795fe00cf6",
        "3c8d35046511f6b1b05e721d4f60256e",
    };
    char text[130];

    for (size_t len = 54; len < 54 + sizeof(sums) / sizeof(sums[0]); len++) {
        memset(text, 'x', len);
        text[len] = '\0';
        expect_md5(text, len, sums[len - 54]);
        expect_md5(text, 13, sums[len - 54]);
    }
}
