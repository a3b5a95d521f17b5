/* The control socket: what a command says and how it ends reach whoever asked, as they are. */
#include "control.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(control, .timeout = 60);

static char folder[] = "/tmp/control_test.XXXXXX";

/* Says its arguments, a line each; ends with 7. */
static int echo(void *context, size_t count, char **words, struct control_out *out)
{
    for (size_t i = 1; i < count; i++) {
        control_print(out, "%s%s", words[i], (const char *)context);
    }
    return 7;
}

Test(control, lines_come_as_they_are_and_the_last_is_the_exit_code)
{
    char *words[] = {"echo", "=0", "", "two", NULL};
    char path[100], said[100], text[200] = "";
    struct control *control;
    struct why why;
    int code = -1;
    FILE *file;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/sock", folder);
    snprintf(said, sizeof(said), "%s/said", folder);
    cr_assert_eq(control_send(path, 1, words, &code, &why), ERR_NOT_FOUND);
    cr_assert_eq(control_open(path, echo, "\n=0", &control, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(control_start(control, &why), ERR_OK, "%s", why.text);
    cr_assert_not_null(freopen(said, "w", stdout));
    cr_expect_eq(control_send(path, 4, words, &code, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(code, 7);
    control_close(control);
    fflush(stdout);
    file = fopen(said, "r");
    cr_assert_not_null(file);
    cr_expect_gt(fread(text, 1, sizeof(text) - 1, file), 0);
    fclose(file);
    cr_expect_str_eq(text, "=0 =0\n =0\ntwo =0\n", "a line feed in a line would forge another");
    unlink(said);
    rmdir(folder);
}
