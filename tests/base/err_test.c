/*
 * Error texts and explanations.
 */
#include "base/err.h"

#include <criterion/criterion.h>
#include <string.h>

Test(err, every_code_has_a_text)
{
#define X(name, text) cr_expect_str_eq(err_text(name), text);
    ERR_LIST(X)
#undef X
    cr_expect_str_eq(err_text((enum err)1000), "unknown error");
}

Test(err, why_returns_the_code)
{
    struct why why;

    cr_expect_eq(why_set(&why, ERR_SYNTAX, "line %d", 7), ERR_SYNTAX);
    cr_expect_str_eq(why.text, "line 7");
    cr_expect_eq(why_set(NULL, ERR_IO, "nobody asks"), ERR_IO);
}

Test(err, long_explanations_are_cut)
{
    struct why why;
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cr_expect_eq(why_set(&why, ERR_IO, "%s", text), ERR_IO);
    cr_expect_eq(strlen(why.text), sizeof(why.text) - 1);
}
