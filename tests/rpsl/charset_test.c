/*
 * Received bytes to stored UTF-8 and back.
 */
#include "rpsl/charset.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

struct name_case {
    char name[16];
    enum charset charset;
};

ParameterizedTestParameters(rpsl_charset, is_found_by_name)
{
    static struct name_case cases[] = {
        {"latin-1",    CHARSET_LATIN1},
        {"LATIN1",     CHARSET_LATIN1},
        {"ISO-8859-1", CHARSET_LATIN1},
        {"utf8",       CHARSET_UTF8  },
        {"UTF-8",      CHARSET_UTF8  },
        {"us-ascii",   CHARSET_ASCII },
    };
    return cr_make_param_array(struct name_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct name_case *c, rpsl_charset, is_found_by_name)
{
    enum charset found;

    cr_assert_eq(charset_by_name(str_from(c->name), &found), ERR_OK, "%s", c->name);
    cr_expect_eq(found, c->charset, "%s", c->name);
}

Test(rpsl_charset, refuses_unknown_names)
{
    enum charset found;

    cr_expect_eq(charset_by_name(STR("utf-16"), &found), ERR_NOT_FOUND);
    cr_expect_eq(charset_by_name(STR(""), &found), ERR_NOT_FOUND);
    cr_expect_eq(charset_by_name(STR("utf"), &found), ERR_NOT_FOUND);
}

/* @return The bytes of one character, in a charset named as in -Z. */
static unsigned encode(const char *name, const char *utf8)
{
    struct buf out = {0};
    enum charset charset;
    unsigned byte;

    cr_assert_eq(charset_for_output(str_from(name), &charset), ERR_OK, "%s", name);
    utf8_encode(str_from(utf8), charset, &out);
    cr_assert_eq(out.len, 1, "%s", name);
    byte = (unsigned char)out.at[0];
    buf_free(&out);
    return byte;
}

Test(rpsl_charset, output_may_be_in_any_charset_of_one_byte)
{
    enum charset charset;

    cr_expect_eq(encode("windows-1252", "\xe2\x82\xac"), 0x80);
    cr_expect_eq(encode("CP1252", "\xc3\xa9"), 0xe9);
    cr_expect_eq(encode("ISO-8859-15", "\xe2\x82\xac"), 0xa4);
    cr_expect_eq(encode("Latin-9", "\xc2\xa4"), '?');
    cr_expect_eq(encode("latin2", "\xc5\x82"), 0xb3);
    cr_expect_eq(encode("KOI8-R", "\xd0\xaf"), 0xf1);
    cr_expect_eq(encode("koi8_u", "\xd1\x97"), 0xa7);
    cr_expect_eq(encode("IBM866", "\xd0\xaf"), 0x9f);
    cr_expect_eq(encode("csISOLatin1", "\xc3\xbf"), 0xff);
    cr_expect_eq(encode("646", "\xc3\xbf"), '?');
    cr_expect_eq(encode("ISO-8859-7", "\xf0\x9f\x98\x80"), '?');
    cr_expect_eq(encode("ISO-8859-7", "A"), 'A');
    cr_expect_eq(charset_for_output(STR("iso-8859-99"), &charset), ERR_NOT_FOUND);
    cr_expect_eq(charset_for_output(STR("utf-16"), &charset), ERR_NOT_FOUND);
    cr_expect_eq(charset_for_output(STR(""), &charset), ERR_NOT_FOUND);
    cr_expect_eq(charset_by_name(STR("windows-1252"), &charset), ERR_NOT_FOUND);
}

struct utf8_case {
    char bytes[8];
    uint32_t character;
    unsigned len; /* 0: no character. */
};

ParameterizedTestParameters(rpsl_charset, decodes_one_character)
{
    static struct utf8_case cases[] = {
        {"A",                0x41,     1},
        {"\x7f",             0x7f,     1},
        {"\xc2\x80",         0x80,     2},
        {"\xdf\xbf"
         "x",       0x7ff,    2},
        {"\xe0\xa0\x80",     0x800,    3},
        {"\xed\x9f\xbf",     0xd7ff,   3},
        {"\xee\x80\x80",     0xe000,   3},
        {"\xef\xbf\xbf",     0xffff,   3},
        {"\xf0\x90\x80\x80", 0x10000,  4},
        {"\xf4\x8f\xbf\xbf", 0x10ffff, 4},
 /* No characters: cut, overlong, surrogate, too high, stray. */
        {"",                 0,        0},
        {"\xc3",             0,        0},
        {"\xc3"
         "A",       0,        0},
        {"\xe2\x82",         0,        0},
        {"\xf0\x9f\x98",     0,        0},
        {"\xc0\x80",         0,        0},
        {"\xc1\xbf",         0,        0},
        {"\xe0\x9f\xbf",     0,        0},
        {"\xf0\x8f\xbf\xbf", 0,        0},
        {"\xed\xa0\x80",     0,        0},
        {"\xed\xbf\xbf",     0,        0},
        {"\xf4\x90\x80\x80", 0,        0},
        {"\xf5\x80\x80\x80", 0,        0},
        {"\x80",             0,        0},
        {"\xff",             0,        0},
    };
    return cr_make_param_array(struct utf8_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct utf8_case *c, rpsl_charset, decodes_one_character)
{
    uint32_t character = 0;
    char again[4];

    cr_assert_eq(utf8_decode(str_from(c->bytes), &character), c->len, "U+%04X", c->character);
    if (c->len > 0) {
        cr_expect_eq(character, c->character);
        cr_assert_eq(utf8_put(again, character), c->len);
        cr_expect_eq(memcmp(again, c->bytes, c->len), 0);
    }
}

Test(rpsl_charset, validates_at_every_distance_from_a_word_boundary)
{
    for (size_t before = 0; before < 20; before++) {
        char text[32];

        memset(text, 'a', sizeof(text));
        memcpy(text + before, "\xc3\xbc", 2);
        cr_expect(utf8_is_valid((struct str){text, sizeof(text)}), "ü at %zu", before);
        cr_expect_not(str_is_ascii((struct str){text, sizeof(text)}));
        cr_expect_not(utf8_is_valid((struct str){text, before + 1}), "half an ü at %zu", before);
        cr_expect(str_is_ascii((struct str){text, before}));
        text[before + 1] = 'a';
        cr_expect_not(utf8_is_valid((struct str){text, sizeof(text)}), "0xc3 at %zu", before);
    }
}

Test(rpsl_charset, latin1_goes_there_and_back_for_every_byte)
{
    struct buf utf8 = {0}, latin1 = {0};
    char bytes[256];

    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
    }
    latin1_to_utf8((struct str){bytes, 256}, &utf8);
    cr_expect_eq(utf8.len, 128 + 2 * 128);
    cr_expect(utf8_is_valid(buf_str(&utf8)));
    utf8_encode(buf_str(&utf8), CHARSET_LATIN1, &latin1);
    cr_assert_eq(latin1.len, 256);
    cr_expect_eq(memcmp(latin1.at, bytes, 256), 0);
    buf_free(&utf8);
    buf_free(&latin1);
}

Test(rpsl_charset, writes_a_question_mark_per_lost_character)
{
    const struct str text =
        STR("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80z\xff"); /* aü€😀z, a bad byte */
    struct buf out = {0};

    utf8_encode(text, CHARSET_LATIN1, &out);
    cr_expect(str_eq(buf_str(&out), STR("a\xfc??z?")));
    buf_clear(&out);
    utf8_encode(text, CHARSET_ASCII, &out);
    cr_expect(str_eq(buf_str(&out), STR("a???z?")));
    buf_clear(&out);
    utf8_encode(text, CHARSET_UTF8, &out);
    cr_expect(str_eq(buf_str(&out), text));
    buf_free(&out);
}

Test(rpsl_charset, ascii_is_not_copied)
{
    struct buf scratch = {0};
    struct str text = STR("descr: nothing special\n");
    bool was_wrong = true;

    cr_expect_eq(charset_to_utf8(text, CHARSET_LATIN1, &scratch, &was_wrong).at, text.at);
    cr_expect_not(was_wrong);
    cr_expect_eq(charset_to_utf8(text, CHARSET_UTF8, &scratch, &was_wrong).at, text.at);
    cr_expect_eq(charset_to_utf8(text, CHARSET_ASCII, &scratch, &was_wrong).at, text.at);
    cr_expect_not(was_wrong);
    buf_free(&scratch);
}

Test(rpsl_charset, declared_latin1_is_never_guessed_to_be_utf8)
{
    struct buf scratch = {0};
    struct str looks_like_utf8 = STR("\xc3\xbc");
    bool was_wrong = true;
    struct str stored = charset_to_utf8(looks_like_utf8, CHARSET_LATIN1, &scratch, &was_wrong);

    cr_expect(str_eq(stored, STR("\xc3\x83\xc2\xbc")));
    cr_expect_not(was_wrong);
    buf_free(&scratch);
}

Test(rpsl_charset, invalid_utf8_is_taken_as_latin1_and_reported)
{
    struct buf scratch = {0};
    struct str valid = STR("M\xc3\xbcller"), invalid = STR("M\xfcller");
    bool was_wrong = true;

    buf_add_str(&scratch, STR("left over"));
    cr_expect_eq(charset_to_utf8(valid, CHARSET_UTF8, &scratch, &was_wrong).at, valid.at);
    cr_expect_not(was_wrong);
    cr_expect(str_eq(charset_to_utf8(invalid, CHARSET_UTF8, &scratch, &was_wrong), valid));
    cr_expect(was_wrong);
    buf_free(&scratch);
}

Test(rpsl_charset, nul_bytes_are_kept)
{
    struct buf scratch = {0};
    struct str text = STR("a\0b\xfc");
    bool was_wrong;

    cr_expect(
        str_eq(charset_to_utf8(text, CHARSET_LATIN1, &scratch, &was_wrong), STR("a\0b\xc3\xbc")));
    buf_free(&scratch);
}
