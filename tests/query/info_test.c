#include "query/info.h"

#include <criterion/criterion.h>
#include <string.h>

#include "config.h"

static void parse(const char *line, struct arena *arena, struct query *query,
                  struct search_key *key)
{
    struct key_matcher *matcher = key_matcher_new();

    cr_assert_eq(query_parse(str_from(line), arena, query), ERR_OK);
    cr_assert_eq(search_key_read(matcher, query->key, false, arena, key), ERR_OK);
    key_matcher_free(matcher);
}

static struct buf ask(const char *line)
{
    static const struct query_source sources[] = {
        {.name = "RIPE", .is_main = true},
        {.name = "APNIC-GRS"             }
    };
    static struct settings settings = {
        .source_count = 2,
        .sources = sources,
        .nonauth_name = STR_INIT("RIPE-NONAUTH"),
    };
    struct arena *arena = arena_new(65536);
    struct query query;
    struct search_key key;
    struct buf out = {0};

    parse(line, arena, &query, &key);
    cr_assert(info_is_asked(&query, &key));
    info_print(&settings, &query, &key, arena, &out);
    buf_add_char(&out, '\0');
    arena_free(arena);
    return out;
}

static void expect(const char *line, const char *text)
{
    struct buf out = ask(line);

    cr_expect_str_eq(out.at, text, "line: %s", line);
    buf_free(&out);
}

Test(info, template_columns_may_touch)
{
    struct buf out = ask("-t in");

    cr_expect(strstr(out.at, "inetnum:        [mandatory]  [single]     [primary/lookup key]\n") ==
              out.at);
    cr_expect(strstr(out.at, "\nassignment-size:[optional]   [single]     [ ]\n"));
    cr_expect(strstr(out.at, "\norg:            [conditional][single]     [inverse key]\n"));
    cr_expect(strstr(out.at, "\nsource:         [mandatory]  [single]     [ ]\n\n"));
    buf_free(&out);
}

Test(info, template_of_route_has_an_inverse_primary_key)
{
    struct buf out = ask("--template route");

    cr_expect(
        strstr(out.at, "\norigin:         [mandatory]  [single]     [primary/inverse key]\n"));
    buf_free(&out);
}

Test(info, lists_sources_with_nonauth_behind_main)
{
    expect("-q sources", "RIPE:3:N:0-0\nRIPE-NONAUTH:3:N:0-0\nAPNIC-GRS:3:N:0-0\n\n");
    expect("--list-sources", "RIPE:3:N:0-0\nRIPE-NONAUTH:3:N:0-0\nAPNIC-GRS:3:N:0-0\n\n");
}

Test(info, lists_types_in_order_of_output)
{
    struct buf out = ask("-q types");

    cr_expect(str_starts(buf_str(&out), STR("inetnum\ninet6num\nas-block\naut-num\n")));
    cr_expect(strstr(out.at, "\nrole\nperson\n\n"));
    buf_free(&out);
}

Test(info, names_the_word_it_does_not_know)
{
    expect("-q nothing", "% Invalid option: nothing\n%\n%ERROR:111: invalid option supplied\n%\n"
                         "% Use help query to see the valid options.\n\n");
    expect("-t nosuch", "%ERROR:103: unknown object type 'nosuch'\n\n");
}

static bool asks_for_help(const char *line)
{
    struct arena *arena = arena_new(65536);
    struct query query;
    struct search_key key;
    bool is_asked;

    parse(line, arena, &query, &key);
    is_asked = info_is_asked(&query, &key);
    arena_free(arena);
    return is_asked;
}

Test(info, help_is_help_only_without_options)
{
    cr_expect(asks_for_help("HELP"));
    cr_expect(asks_for_help("-- \thelp"));
    cr_expect_not(asks_for_help("-r help"));
    cr_expect_not(asks_for_help("help x"));
}

Test(info, help_names_every_flag_in_comment_lines)
{
    struct buf out = ask("help");
    struct str rest = str_trim_right(str_from(out.at)), line;

    cr_expect(strstr(out.at, "\n%     -x, --exact <ip-lookup>\n"));
    cr_expect(strstr(out.at, "\n%     --resource\n"));
    cr_expect(strstr(out.at, "\n%     -q [version|types|sources]\n"));
    while (str_split(&rest, '\n', &line)) {
        cr_expect(line.len > 0 && line.at[0] == '%' && line.len <= 80, "%.*s", STR_ARG(line));
    }
    buf_free(&out);
}

#define E110(flag)                                                                                 \
    "%ERROR:110: multiple use of flag\n%\n% The flag \"" flag                                      \
    "\" cannot be used multiple times.\n\n"

Test(info, an_argument_may_be_given_once)
{
    expect("-v a -v b", E110("-v"));
    expect("-v a --verbose b", E110("--verbose"));
    expect("-verb a -verb b", E110("--verbose"));
    expect("--template a -t b", E110("--template"));
    expect("-q types -q version", E110("-q"));
}

Test(info, only_what_is_carried_out_is_looked_at)
{
    const char *const sources = "RIPE:3:N:0-0\nRIPE-NONAUTH:3:N:0-0\nAPNIC-GRS:3:N:0-0\n\n";

    expect("-t a -t b -v c -v d -q sources", sources);
    expect("-q sources --version --types", sources);
    expect("--types --version --list-sources", sources);
    expect("--types --version", "% whois-server-" SERVER_VERSION "\n");
    expect("-q Sources\t --version", sources);
    expect("-v x -v y -t nosuch", "%ERROR:103: unknown object type 'nosuch'\n\n");
}

/* The block of an attribute: its name, what it is, its syntax, with empty lines between. */
static void expect_described(const char *text, enum rpsl_attr_id attr)
{
    struct buf start = {0};
    const char *at, *syntax;

    buf_printf(&start, "\n\n%s\n\n   ", rpsl_attr_info(attr)->name);
    buf_add_char(&start, '\0');
    at = strstr(text, start.at);
    cr_assert_not_null(at, "%s is not described", rpsl_attr_info(attr)->name);
    syntax = strstr(at + strlen(start.at), "\n\n");
    cr_expect_eq(strncmp(syntax, "\n\n     ", 7), 0, "%s has no syntax",
                 rpsl_attr_info(attr)->name);
    cr_expect_neq(syntax[7], '\n');
    buf_free(&start);
}

Test(info, describes_every_class_and_attribute)
{
    for (unsigned class = 0; class < CLASS_UNKNOWN; class ++) {
        const struct rpsl_class_info *info = rpsl_class_info((enum rpsl_class) class);
        struct buf line = {0}, out;

        buf_printf(&line, "-v %s", info->name);
        buf_add_char(&line, '\0');
        out = ask(line.at);
        cr_expect_null(strstr(out.at, "(null)"));
        for (size_t i = 0; i < info->row_count; i++) {
            expect_described(out.at, info->rows[i].attr);
        }
        buf_free(&out);
        buf_free(&line);
    }
}

Test(info, verbose_lines_are_wrapped)
{
    struct buf out = ask("-v as-block");

    cr_expect(str_starts(
        buf_str(&out),
        STR("The as-block class:\n\n      A range of AS numbers that "
            "was given to a registry or a region.\n"
            "      Objects of this class have the short name ak.\n\nas-block:       [mand")));
    cr_expect(strstr(out.at, "\n\nThe content of the attributes of the as-block class are defined "
                             "below:\n\nas-block\n\n   The AS numbers. The attribute must be "
                             "there, once. It is part of the\n   object's primary key. Objects are "
                             "found by its value. Short name: ak.\n\n"
                             "     <as-number> - <as-number>\n\ndescr\n\n"));
    cr_expect(str_ends_nocase((struct str){out.at, out.len - 1},
                              STR("a letter first, a\n     letter or digit last.\n\n\n")));
    buf_free(&out);
}
