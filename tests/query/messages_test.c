#include "query/messages.h"

#include <criterion/criterion.h>

Test(messages, puts_arguments_in_place)
{
    struct buf out = {0};

    message_print(&out, MSG_ABUSE_CONTACT, ARGS(STR("10/8"), STR("a@b")));
    cr_expect(str_eq(buf_str(&out), STR("% Abuse contact for '10/8' is 'a@b'\n\n")));
    buf_free(&out);
}

Test(messages, leaves_dollars_of_arguments_alone)
{
    struct buf out = {0};

    message_print(&out, MSG_UNKNOWN_TYPE, ARGS(STR("$2$1")));
    cr_expect(str_eq(buf_str(&out), STR("%ERROR:103: unknown object type '$2$1'\n\n")));
    buf_free(&out);
}

/* Every line is a comment, the last is empty: what clients rely on to tell messages from objects.
 */
Test(messages, are_comments_with_an_empty_line_behind)
{
    const struct str args[] = {STR_INIT("w"), STR_INIT("x"), STR_INIT("y"), STR_INIT("z")};

    for (int message = 0; message < MESSAGE_COUNT; message++) {
        struct buf out = {0};
        struct str rest, line;

        message_print(&out, (enum message)message, args);
        rest = buf_str(&out);
        cr_assert(rest.len > 0 && rest.at[rest.len - 1] == '\n');
        if (message != MSG_VERSION) {
            cr_expect(str_ends_nocase(rest, STR("\n\n")), "%.*s", STR_ARG(rest));
        }
        for (rest = str_trim_right(rest); str_split(&rest, '\n', &line);) {
            cr_expect(line.len > 0 && line.at[0] == '%', "%.*s", STR_ARG(line));
        }
        buf_free(&out);
    }
}
