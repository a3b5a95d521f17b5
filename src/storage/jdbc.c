/*
 * JDBC URLs, as the reference's configuration has them:
 *
 *   jdbc:mariadb://host[:port]/DATABASE[?option=value&...]        also jdbc:mysql://
 *   jdbc:log:mariadb://host[:port]/DATABASE;driver=...            the reference's logging wrapper
 *
 * Of the options only localSocket=PATH means something here; the others are named in a warning.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "storage/source.h"

enum { MYSQL_PORT = 3306 };

static bool skip(struct str *s, struct str prefix)
{
    if (!str_starts_nocase(*s, prefix)) {
        return false;
    }
    *s = str_sub(*s, prefix.len, s->len);
    return true;
}

static bool copy(char *out, size_t size, struct str s)
{
    if (s.len >= size) {
        return false;
    }
    memcpy(out, s.at, s.len);
    out[s.len] = '\0';
    return true;
}

/** Split off the part before the first of two separators; *rest is what follows, without the
 * separator. */
static struct str cut(struct str *rest, char a, char b)
{
    size_t at_a = str_find(*rest, a, 0), at_b = str_find(*rest, b, 0);
    size_t at = at_a < at_b ? at_a : at_b;
    struct str head = str_sub(*rest, 0, at);

    *rest = str_sub(*rest, at + 1, rest->len);
    return head;
}

/** `host`, `host:port`, `[::1]:port`. */
static enum err parse_address(struct str address, struct jdbc_url *out)
{
    struct str host, port;
    uint64_t number = MYSQL_PORT;

    if (address.len > 0 && address.at[0] == '[') {
        size_t close = str_find(address, ']', 0);

        host = str_sub(address, 1, close);
        port = str_sub(address, close + 1, address.len);
    } else {
        size_t colon = str_find(address, ':', 0);

        host = str_sub(address, 0, colon);
        port = str_sub(address, colon, address.len);
    }
    if (port.len > 0 &&
        (port.at[0] != ':' || str_to_u64(str_sub(port, 1, port.len), 65535, &number) != ERR_OK)) {
        return ERR_SYNTAX;
    }
    out->port = (int)number;
    return copy(out->host, sizeof(out->host), host.len == 0 ? STR("localhost") : host) ? ERR_OK
                                                                                       : ERR_SYNTAX;
}

static enum err parse_options(struct str options, struct jdbc_url *out)
{
    while (options.len > 0) {
        struct str option = cut(&options, '&', ';');
        struct str value = option, name = cut(&value, '=', '=');

        if (str_eq_nocase(name, STR("localSocket"))) {
            if (!copy(out->socket, sizeof(out->socket), value)) {
                return ERR_SYNTAX;
            }
        } else if (name.len > 0 && !str_eq_nocase(name, STR("driver"))) {
            log_warn(LOG_STORAGE, "database URL: option %s is not used here", log_quote(name).text);
        }
    }
    return ERR_OK;
}

enum err jdbc_parse(const char *url, struct jdbc_url *out, struct why *why)
{
    struct str rest = str_trim(str_from(url)), database;
    struct jdbc_url parsed = {0};

    if (!skip(&rest, STR("jdbc:"))) {
        goto bad;
    }
    (void)skip(&rest, STR("log:"));
    if (!skip(&rest, STR("mariadb://")) && !skip(&rest, STR("mysql://"))) {
        goto bad;
    }
    if (parse_address(cut(&rest, '/', '/'), &parsed) != ERR_OK) {
        goto bad;
    }
    database = cut(&rest, '?', ';');
    if (database.len == 0 || !copy(parsed.database, sizeof(parsed.database), database) ||
        parse_options(rest, &parsed) != ERR_OK) {
        goto bad;
    }
    *out = parsed;
    return ERR_OK;
bad:
    return why_set(
        why, ERR_SYNTAX,
        "%.200s: a database URL is jdbc:mariadb://HOST[:PORT]/DATABASE[?localSocket=PATH]", url);
}
