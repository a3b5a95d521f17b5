/*
 * Checksums of files, against the RFC's own examples and the system's program for lengths around a
 * block; and what counts as one in the file beside.
 */
#include "mirror/md5_sum.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/md5_sum_test.XXXXXX";

static void make_file(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

TestSuite(md5_sum, .init = make_file, .fini = remove_file);

static void write_file(const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text, 1, len, file), len);
    cr_assert_eq(fclose(file), 0);
}

static void expect_sum(const char *text, size_t len, const char *expected)
{
    char hex[MD5_TEXT_BYTES];
    struct why why;

    write_file(text, len);
    cr_assert_eq(md5_sum_file(path, NULL, hex, &why), ERR_OK);
    cr_expect_str_eq(hex, expected, "%zu bytes", len);
}

Test(md5_sum, is_that_of_the_rfc)
{
    static const char *const rows[][2] = {
        {"",                                                                                 "d41d8cd98f00b204e9800998ecf8427e"},
        {"a",                                                                                "0cc175b9c0f1b6a831c399e269772661"},
        {"message digest",                                                                   "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz",                                                       "c3fcd3d76192e4007dfb496cca67e13b"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"                                                                                    },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_sum(rows[i][0], strlen(rows[i][0]), rows[i][1]);
    }
}

Test(md5_sum, knows_lengths_around_a_block)
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

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        expect_sum(text, 54 + i, sums[i]);
    }
}

/* `yes "a line" | head -c 1000000 | md5sum`. */
Test(md5_sum, reads_a_file_of_many_pieces)
{
    static const char line[] = "a line\n";
    char *text = malloc(1000000);

    cr_assert_not_null(text);
    for (size_t i = 0; i < 1000000; i++) {
        text[i] = line[i % (sizeof(line) - 1)];
    }
    expect_sum(text, 1000000, "f04e6c36af29373d6f5cadc98768ee2d");
    free(text);
}

Test(md5_sum, says_why_there_is_none)
{
    atomic_bool cancel = true;
    char hex[MD5_TEXT_BYTES];
    struct why why;

    cr_expect_eq(md5_sum_file(path, &cancel, hex, &why), ERR_STOPPED);
    cr_expect_eq(md5_sum_file("/tmp", NULL, hex, &why), ERR_IO);
    cr_expect_str_eq(why.text, "/tmp: Is a directory");
    unlink(path);
    cr_expect_eq(md5_sum_file(path, NULL, hex, &why), ERR_IO);
    cr_expect_not_null(strstr(why.text, "No such file"));
}

Test(md5_sum, is_found_in_the_file_beside)
{
    static const char sum[] = "0cc175b9c0f1b6a831c399e269772661";
    static const char *const with[] = {
        "0cc175b9c0f1b6a831c399e269772661",
        "0cc175b9c0f1b6a831c399e269772661  ripe.db.gz\n",
        "MD5 (ripe.db.gz) = 0CC175B9C0F1B6A831C399E269772661\n",
        "00000000000000000000000000000000a 0cc175b9c0f1b6a831c399e269772661",
    };
    static const char *const without[] = {"", "<html>what?</html>\n",
                                          "0cc175b9c0f1b6a831c399e26977266",
                                          "0cc175b9c0f1b6a831c399e2697726610"};
    char hex[MD5_TEXT_BYTES];

    for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
        cr_assert(md5_sum_find(str_from(with[i]), hex), "%s", with[i]);
        cr_expect_str_eq(hex, sum, "%s", with[i]);
    }
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        cr_expect_not(md5_sum_find(str_from(without[i]), hex), "%s", without[i]);
    }
}
