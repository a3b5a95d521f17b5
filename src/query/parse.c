/*
 * The command line of a query, read the way the reference's option library reads it:
 *  - every token that looks like an option is first checked for its number of dashes, arguments of
 * options included;
 *  - `--name` must be spelled out; `-x` may be a flag, an unambiguous start of one long name, or a
 * cluster of letters;
 *  - options and key words mix in any order, `--` ends the options, a bare `-` is a key word.
 * Then the arguments of -T, -i and -s are read, in the order in which their mistakes are reported.
 */
#include "query/parse.h"

#include <stddef.h>
#include <string.h>

#include "rpsl/charset.h"

const struct flag_info flag_infos[FLAG_COUNT] = {
#define X(id, letter, name, argument, hint, help) {letter, name, argument, hint, help},
    QUERY_FLAG_LIST(X)
#undef X
};

/* The tokens of a line and where the reading of options stands in them. */
struct tokens {
    struct str *at;
    size_t count, next;
};

struct parser {
    struct query *query;
    struct arena *arena;
    struct tokens tokens;
    /* Comma lists gathered from -T, -i, -s, and those from their long names. */
    struct str types[2], attributes[2], source_names[2];
};

void query_complain(struct query *query, enum message message, struct str arg1, struct str arg2)
{
    for (size_t i = 0; i < query->complaint_count; i++) {
        const struct complaint *earlier = &query->complaints[i];

        if (earlier->message == message && str_eq(earlier->args[0], arg1) &&
            str_eq(earlier->args[1], arg2)) {
            return;
        }
    }
    if (query->complaint_count < MAX_COMPLAINTS) {
        query->complaints[query->complaint_count++] = (struct complaint){
            message, {arg1, arg2}
        };
    }
}

static enum err reject(struct query *query, enum message message, struct str arg)
{
    query_complain(query, message, arg, (struct str){0});
    return ERR_SYNTAX;
}

static bool starts_with(const char *name, struct str prefix)
{
    return strncmp(name, prefix.at, prefix.len) == 0;
}

/* --- names of flags --- */

/* The flag of each letter, plus 1; 0 for none. Written by derive_letters() only. */
static unsigned char flag_of_letter[256];

__attribute__((constructor)) static void derive_letters(void)
{
    for (unsigned flag = 0; flag < FLAG_COUNT; flag++) {
        if (flag_infos[flag].letter != 0) {
            flag_of_letter[(unsigned char)flag_infos[flag].letter] = (unsigned char)(flag + 1);
        }
    }
}

static int flag_by_letter(char letter)
{
    return flag_of_letter[(unsigned char)letter] - 1;
}

static bool is_long_name_nocase(struct str word)
{
    if (word.len < 3) { /* "irt" is the shortest. */
        return false;
    }
    for (int flag = 0; flag < FLAG_COUNT; flag++) {
        if (flag_infos[flag].name[0] != '\0' &&
            str_eq_nocase(word, str_from(flag_infos[flag].name))) {
            return true;
        }
    }
    return false;
}

/* A letter, a long name, or the start of exactly one long name. -1 when it is none. */
static int flag_by_name(struct str name)
{
    int found = -1;

    if (name.len == 0) {
        return -1;
    }
    if (name.len == 1 && (found = flag_by_letter(name.at[0])) >= 0) {
        return found;
    }
    for (int flag = 0; flag < FLAG_COUNT; flag++) {
        if (!starts_with(flag_infos[flag].name, name)) {
            continue;
        }
        if (strlen(flag_infos[flag].name) == name.len) {
            return flag;
        }
        if (found >= 0) {
            found = FLAG_COUNT; /* Ambiguous, unless the exact name still comes. */
        } else {
            found = flag;
        }
    }
    return found == FLAG_COUNT ? -1 : found;
}

struct str query_flag_spelling(enum query_flag flag, struct arena *arena)
{
    const struct flag_info *info = &flag_infos[flag];

    if (info->letter == 0) {
        return arena_printf(arena, "--%s", info->name);
    }
    if (info->name[0] == '\0') {
        return arena_printf(arena, "-%c", info->letter);
    }
    return arena_printf(arena, "-%c, --%s", info->letter, info->name);
}

/* --- tokens --- */

static enum err cut_tokens(struct parser *parser)
{
    struct tokens *tokens = &parser->tokens;
    struct str rest = parser->query->text, token;

    tokens->at = arena_alloc(parser->arena, (rest.len / 2 + 1) * sizeof(struct str));
    if (tokens->at == NULL) {
        return ERR_LIMIT;
    }
    while (str_split(&rest, ' ', &token)) {
        if (token.len > 0) {
            tokens->at[tokens->count++] = token;
        }
    }
    return ERR_OK;
}

/* Long names need two dashes, everything else one; looked at in every token, wherever it stands,
 * that holds no end of a line behind its first character. */
static bool has_right_dashes(struct str token)
{
    bool is_double = token.len > 2 && token.at[0] == '-' && token.at[1] == '-';
    struct str word;

    if (token.len < 2 || token.at[0] != '-' || token.at[is_double ? 2 : 1] == '-') {
        return true;
    }
    word = str_sub(token, is_double ? 2 : 1, token.len);
    return is_long_name_nocase(word) == is_double || str_find(word, '\r', 1) < word.len;
}

/* --- options --- */

static enum err append_list(struct parser *parser, struct str *list, struct str more)
{
    if (list->len == 0) {
        *list = more;
        return ERR_OK;
    }
    *list = arena_printf(parser->arena, "%.*s,%.*s", STR_ARG(*list), STR_ARG(more));
    return list->at == NULL ? ERR_LIMIT : ERR_OK;
}

/* What the letter got counts before what its long name got. */
static enum err join_lists(struct parser *parser, struct str lists[2])
{
    return lists[1].len == 0 ? ERR_OK : append_list(parser, &lists[0], lists[1]);
}

static void count_use(unsigned char *uses)
{
    if (*uses < UINT8_MAX) {
        (*uses)++;
    }
}

/**
 * Take one use of a flag.
 * @param glued  What stands behind it in the same token; len 0: its argument is the next token.
 */
static enum err take_flag(struct parser *parser, enum query_flag flag, bool is_short,
                          struct str glued)
{
    struct query *query = parser->query;
    struct flag_value value = query_value(query, flag);
    struct str argument = glued;

    query->flags |= UINT64_C(1) << flag;
    query->option_uses++;
    if (flag_infos[flag].argument == FLAG_BARE) {
        return ERR_OK;
    }
    if (argument.len == 0) {
        if (parser->tokens.next >= parser->tokens.count) {
            return reject(query, MSG_BAD_OPTION, (struct str){0});
        }
        argument = parser->tokens.at[parser->tokens.next++];
    }
    switch (flag) {
    case FLAG_SELECT_TYPES:
        return append_list(parser, &parser->types[!is_short], argument);
    case FLAG_INVERSE:
        return append_list(parser, &parser->attributes[!is_short], argument);
    case FLAG_SOURCES:
        return append_list(parser, &parser->source_names[!is_short], argument);
    default:
        value.text = argument;
        count_use(is_short ? &value.short_uses : &value.long_uses);
        query->values[flag] = value;
        return ERR_OK;
    }
}

static enum err take_cluster(struct parser *parser, struct str letters)
{
    enum err rc = ERR_OK;

    /* All letters are checked before any of them counts, up to the first that swallows the rest. */
    for (size_t i = 0; i < letters.len; i++) {
        int flag = flag_by_name(str_sub(letters, i, i + 1));

        if (flag < 0) {
            return reject(parser->query, MSG_BAD_OPTION, (struct str){0});
        }
        if (flag_infos[flag].argument != FLAG_BARE) {
            break;
        }
    }
    for (size_t i = 0; i < letters.len && rc == ERR_OK; i++) {
        int flag = flag_by_name(str_sub(letters, i, i + 1));

        if (flag_infos[flag].argument != FLAG_BARE) {
            return take_flag(parser, (enum query_flag)flag, true,
                             str_sub(letters, i + 1, letters.len));
        }
        rc = take_flag(parser, (enum query_flag)flag, true, (struct str){0});
    }
    return rc;
}

static enum err take_option(struct parser *parser, struct str token)
{
    bool is_long = token.at[1] == '-';
    struct str body = str_sub(token, is_long ? 2 : 1, token.len);
    size_t equals = str_find(body, '=', 0);
    struct str name = str_sub(body, 0, equals);
    int flag = flag_by_name(name);

    if (flag >= 0) {
        return take_flag(parser, (enum query_flag)flag, !is_long && name.len == 1,
                         str_sub(body, equals + 1, body.len));
    }
    if (is_long) {
        return reject(parser->query, MSG_BAD_OPTION, (struct str){0});
    }
    return take_cluster(parser, body);
}

static enum err join_words(struct parser *parser, const struct str *words, size_t count)
{
    size_t len = 0;
    char *joined, *at;

    if (count == 0) {
        parser->query->key = STR("");
        return ERR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        len += words[i].len + 1;
    }
    len--;
    /* Mostly they stand in the text as they should, with one blank between two. */
    if (words[count - 1].at + words[count - 1].len == words[0].at + len) {
        parser->query->key = (struct str){words[0].at, len};
        return ERR_OK;
    }
    joined = at = arena_alloc(parser->arena, len + 1);
    if (joined == NULL) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(at, words[i].at, words[i].len);
        at += words[i].len;
        *at++ = ' ';
    }
    parser->query->key = (struct str){joined, len};
    return ERR_OK;
}

/* Options and key words; the words are moved to the front of the token array. */
static enum err read_tokens(struct parser *parser)
{
    struct tokens *tokens = &parser->tokens;
    size_t word_count = 0;
    bool options_ended = false;

    for (size_t i = 0; i < tokens->count; i++) {
        if (!has_right_dashes(tokens->at[i])) {
            return reject(parser->query, MSG_BAD_OPTION_NAMED, tokens->at[i]);
        }
    }
    while (tokens->next < tokens->count) {
        struct str token = tokens->at[tokens->next++];

        if (options_ended || token.at[0] != '-' || token.len == 1) {
            tokens->at[word_count++] = token;
        } else if (str_eq(token, STR("--"))) {
            options_ended = true;
        } else {
            enum err rc = take_option(parser, token);

            if (rc != ERR_OK) {
                return rc;
            }
        }
    }
    if (word_count > MAX_KEY_WORDS) {
        return reject(parser->query, MSG_TOO_MANY_WORDS, (struct str){0});
    }
    return join_words(parser, tokens->at, word_count);
}

/* --- arguments --- */

static size_t count_items(struct str list)
{
    size_t count = 1;

    for (size_t i = 0; i < list.len; i++) {
        count += list.at[i] == ',';
    }
    return count;
}

static enum err read_types(struct parser *parser)
{
    enum err rc = join_lists(parser, parser->types);
    struct str rest = parser->types[0], item;

    if (rc != ERR_OK) {
        return rc;
    }
    while (str_split(&rest, ',', &item)) {
        enum rpsl_class class;

        if (item.len == 0) {
            continue;
        }
        class = rpsl_class_by_argument(item);
        if (class == CLASS_UNKNOWN) {
            return reject(parser->query, MSG_UNKNOWN_TYPE, item);
        }
        parser->query->classes |= CLASS_BIT(class);
    }
    return ERR_OK;
}

static enum err read_attributes(struct parser *parser)
{
    struct query *query = parser->query;
    enum err rc = join_lists(parser, parser->attributes);
    struct str rest = parser->attributes[0], item;

    if (rc != ERR_OK || rest.len == 0) {
        return rc;
    }
    query->inverse = arena_alloc(parser->arena, count_items(rest) * sizeof(*query->inverse));
    if (query->inverse == NULL) {
        return ERR_LIMIT;
    }
    while (str_split(&rest, ',', &item)) {
        enum rpsl_attr_id attr;
        bool is_new = true;

        if (item.len == 0) {
            continue;
        }
        attr = rpsl_attr_by_argument(item);
        if (attr == ATTR_UNKNOWN) {
            return reject(query, MSG_UNKNOWN_ATTRIBUTE, item);
        }
        for (size_t i = 0; i < query->inverse_count; i++) {
            is_new = is_new && query->inverse[i] != attr;
        }
        if (is_new) {
            query->inverse[query->inverse_count++] = attr;
        }
    }
    return ERR_OK;
}

/* The characters of a line that decoding lets through: Latin-1. */
static size_t put_upper_case(char *to, uint32_t character)
{
    switch (character) {
    case 0xB5: /* micro sign */
        return utf8_put(to, 0x39C);
    case 0xDF: /* sharp s */
        to[0] = to[1] = 'S';
        return 2;
    case 0xF7: /* division sign */
        return utf8_put(to, character);
    case 0xFF: /* y with diaeresis */
        return utf8_put(to, 0x178);
    default:
        return utf8_put(to, (character >= 'a' && character <= 'z') || character >= 0xE0
                                ? character - 0x20
                                : character);
    }
}

static enum err upper_case(struct arena *arena, struct str s, struct str *out)
{
    char *copy = arena_alloc(arena, s.len + 4), *to = copy; /* No character becomes longer. */
    uint32_t character;

    if (copy == NULL) {
        return ERR_LIMIT;
    }
    for (unsigned len; (len = utf8_decode(s, &character)) > 0; s = str_sub(s, len, s.len)) {
        to += put_upper_case(to, character);
    }
    *out = (struct str){copy, (size_t)(to - copy)};
    return ERR_OK;
}

static enum err read_sources(struct parser *parser)
{
    struct query *query = parser->query;
    enum err rc = join_lists(parser, parser->source_names);
    struct str rest = parser->source_names[0], item;

    if (rc != ERR_OK || rest.len == 0) {
        return rc;
    }
    query->sources = arena_alloc(parser->arena, count_items(rest) * sizeof(*query->sources));
    if (query->sources == NULL) {
        return ERR_LIMIT;
    }
    while (str_split(&rest, ',', &item)) {
        bool is_new = item.len > 0;

        for (size_t i = 0; i < query->source_count; i++) {
            is_new = is_new && !str_eq_nocase(query->sources[i], item);
        }
        if (is_new && upper_case(parser->arena, item, &query->sources[query->source_count++])) {
            return ERR_LIMIT;
        }
    }
    return ERR_OK;
}

enum err query_parse(struct str text, struct arena *arena, struct query *out)
{
    struct parser parser = {.query = out, .arena = arena};
    uint64_t modes;
    enum err rc;

    memset(out, 0, offsetof(struct query, complaints));
    out->text = text;
    if ((rc = cut_tokens(&parser)) != ERR_OK || (rc = read_tokens(&parser)) != ERR_OK ||
        (rc = read_types(&parser)) != ERR_OK || (rc = read_attributes(&parser)) != ERR_OK ||
        (rc = read_sources(&parser)) != ERR_OK) {
        return rc;
    }
    modes = out->flags & QF_IP_MODES;
    if ((modes & (modes - 1)) != 0) {
        return reject(out, MSG_TWO_IP_MODES, (struct str){0});
    }
    return ERR_OK;
}

bool query_is_only_persistent(const struct query *query)
{
    return query->option_uses == 1 && query_has(query, QF(PERSISTENT));
}

bool query_is_repeated(const struct query *query, enum query_flag flag)
{
    struct flag_value value = query_value(query, flag);

    return value.short_uses + value.long_uses > 1;
}

struct str query_repeated_spelling(const struct query *query, enum query_flag flag,
                                   struct arena *arena)
{
    const struct flag_info *info = &flag_infos[flag];
    bool names_short = info->name[0] == '\0' || query_value(query, flag).short_uses > 1;

    return names_short ? arena_printf(arena, "-%c", info->letter)
                       : arena_printf(arena, "--%s", info->name);
}
