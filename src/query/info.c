/*
 * Everything here is printed from the tables that also parse, flags and class templates, and from
 * the descriptions of classes and attributes.
 */
#include "query/info.h"

#include <string.h>

#include "config.h"
#include "query/descriptions.h"

/* --- help --- */

/* Words of a text in lines of at most `width` characters behind an indent. */
static void add_wrapped(struct buf *out, const char *indent, struct str text, size_t width)
{
    size_t column = 0;
    struct str word;

    while (str_split(&text, ' ', &word)) {
        if (column > 0 && column + 1 + word.len > width) {
            buf_add_char(out, '\n');
            column = 0;
        }
        buf_add_str(out, column == 0 ? str_from(indent) : STR(" "));
        buf_add_str(out, word);
        column += word.len + 1;
    }
    buf_add_char(out, '\n');
}

static void print_help(struct buf *out)
{
    buf_add_str(out, STR("% NAME\n"
                         "%     whois query server\n%\n"
                         "% DESCRIPTION\n"
                         "%     The following options are available:\n%\n"));
    for (int flag = 0; flag < FLAG_COUNT; flag++) {
        const struct flag_info *info = &flag_infos[flag];

        buf_add_str(out, STR("%     "));
        if (info->letter != 0) {
            buf_printf(out, "-%c%s", info->letter, info->name[0] != '\0' ? ", " : "");
        }
        if (info->name[0] != '\0') {
            buf_printf(out, "--%s", info->name);
        }
        if (info->hint[0] != '\0') {
            buf_printf(out, " %s", info->hint);
        }
        buf_add_char(out, '\n');
        add_wrapped(out, "%           ", str_from(info->help), 68);
        buf_add_str(out, STR("%\n"));
    }
    buf_add_str(out, STR("% SEE ALSO\n"
                         "%     https://docs.db.ripe.net/How-to-Query-the-RIPE-Database/\n%\n\n"));
}

/* --- -q --- */

static void print_types(struct buf *out)
{
    for (int class = 0; class < CLASS_UNKNOWN; class ++) {
        buf_printf(out, "%s\n", rpsl_class_info((enum rpsl_class) class)->name);
    }
    buf_add_char(out, '\n');
}

static void print_sources(const struct settings *settings, struct buf *out)
{
    for (size_t i = 0; i < settings->source_count; i++) {
        buf_printf(out, "%s:3:N:0-0\n", settings->sources[i].name);
        if (settings->sources[i].is_main && settings->nonauth_name.len > 0) {
            buf_printf(out, "%.*s:3:N:0-0\n", STR_ARG(settings->nonauth_name));
        }
    }
    buf_add_char(out, '\n');
}

/* What is asked: -q before the long names, and these in an order of their own. */
static struct str question(const struct query *query)
{
    if (query_has(query, QF(INFO))) {
        return str_trim(query_value(query, FLAG_INFO).text);
    }
    return query_has(query, QF(LIST_SOURCES)) ? STR("sources")
           : query_has(query, QF(VERSION))    ? STR("version")
                                              : STR("types");
}

static void print_question(const struct settings *settings, const struct query *query,
                           struct buf *out)
{
    struct str word = question(query);

    if (str_eq_nocase(word, STR("version"))) {
        message_print(out, MSG_VERSION, ARGS(str_from(SERVER_VERSION)));
    } else if (str_eq_nocase(word, STR("types"))) {
        print_types(out);
    } else if (str_eq_nocase(word, STR("sources"))) {
        print_sources(settings, out);
    } else {
        message_print(out, MSG_BAD_OPTION_NAMED, ARGS(word));
    }
}

/* --- -t and -v --- */

static const char *key_text(const struct rpsl_template_row *row)
{
    if (row->primary) {
        return row->inverse && !row->lookup ? "[primary/inverse key]" : "[primary/lookup key]";
    }
    if (row->lookup) {
        return "[lookup key]";
    }
    return row->inverse ? "[inverse key]" : "[ ]";
}

static void print_template(enum rpsl_class class, struct buf *out)
{
    static const char *const requirements[] = {
        [RPSL_MANDATORY] = "[mandatory]",
        [RPSL_OPTIONAL] = "[optional]",
        [RPSL_CONDITIONAL] = "[conditional]",
        [RPSL_GENERATED] = "[generated]",
    };
    const struct rpsl_class_info *info = rpsl_class_info(class);

    for (size_t i = 0; i < info->row_count; i++) {
        const struct rpsl_template_row *row = &info->rows[i];
        const char *name = rpsl_attr_info(row->attr)->name;

        buf_printf(
            out, "%s:%*s%-13s%-13s%s\n", name, strlen(name) < 15 ? (int)(15 - strlen(name)) : 0, "",
            requirements[row->requirement], row->single ? "[single]" : "[multiple]", key_text(row));
    }
    buf_add_char(out, '\n');
}

static void add_keys(const struct rpsl_template_row *row, struct buf *out)
{
    if (row->primary) {
        buf_add_str(out, STR("It is part of the object's primary key. "));
    }
    if (row->lookup) {
        buf_add_str(out, STR("Objects are found by its value. "));
    }
    if (row->inverse) {
        buf_add_str(out, STR("Objects are found by its value with -i. "));
    }
}

static void print_attribute(const struct rpsl_template_row *row, struct buf *out)
{
    static const char *const occurrence[] = {
        [RPSL_MANDATORY] = "must be there",
        [RPSL_OPTIONAL] = "may be there",
        [RPSL_CONDITIONAL] = "must be there under some conditions",
        [RPSL_GENERATED] = "is written by the registry",
    };
    const struct rpsl_attr_info *info = rpsl_attr_info(row->attr);
    struct buf text = {0};

    buf_printf(&text, "%s The attribute %s%s. ", attribute_descriptions[row->attr].text,
               occurrence[row->requirement], row->single ? ", once" : ", and may be repeated");
    add_keys(row, &text);
    if ((info->flags & ATTR_LIST_VALUED) != 0) {
        buf_add_str(&text, STR("Several values are separated by commas. "));
    }
    if ((info->flags & ATTR_FILTERED) != 0) {
        buf_add_str(&text, STR("The main source shows it only with -B. "));
    }
    buf_printf(&text, "Short name: %s.", info->short_name);
    buf_printf(out, "%s\n\n", info->name);
    add_wrapped(out, "   ", buf_str(&text), 70);
    buf_add_char(out, '\n');
    add_wrapped(out, "     ", str_from(attribute_descriptions[row->attr].syntax), 70);
    buf_add_char(out, '\n');
    buf_free(&text);
}

static void print_verbose(enum rpsl_class class, struct buf *out)
{
    const struct rpsl_class_info *info = rpsl_class_info(class);

    buf_printf(out, "The %s class:\n\n", info->name);
    add_wrapped(out, "      ", str_from(class_descriptions[class]), 70);
    buf_printf(out, "      Objects of this class have the short name %s.\n\n", info->short_name);
    print_template(class, out);
    buf_printf(out, "The content of the attributes of the %s class are defined below:\n\n",
               info->name);
    for (size_t i = 0; i < info->row_count; i++) {
        print_attribute(&info->rows[i], out);
    }
    buf_add_char(out, '\n');
}

static bool help_is_asked(const struct query *query, const struct search_key *key)
{
    return query->option_uses == 0 && search_key_is_help(key);
}

bool info_is_asked(const struct query *query, const struct search_key *key)
{
    return query_has(query, QF_INFO) || help_is_asked(query, key);
}

void info_print(const struct settings *settings, const struct query *query,
                const struct search_key *key, struct arena *arena, struct buf *out)
{
    bool is_template = query_has(query, QF(TEMPLATE));
    bool is_question = query_has(query, QF(INFO) | QF(VERSION) | QF(TYPES) | QF(LIST_SOURCES));
    enum query_flag flag = is_question ? FLAG_INFO : is_template ? FLAG_TEMPLATE : FLAG_VERBOSE;
    struct str name = query_value(query, flag).text;
    enum rpsl_class class;

    if (help_is_asked(query, key)) {
        print_help(out);
        return;
    }
    if (query_is_repeated(query, flag)) {
        message_print(out, MSG_FLAG_TWICE, ARGS(query_repeated_spelling(query, flag, arena)));
        return;
    }
    if (is_question) {
        print_question(settings, query, out);
        return;
    }
    class = rpsl_class_by_argument(name);
    if (class == CLASS_UNKNOWN) {
        message_print(out, MSG_UNKNOWN_TYPE, ARGS(name));
    } else if (is_template) {
        print_template(class, out);
    } else {
        print_verbose(class, out);
    }
}
