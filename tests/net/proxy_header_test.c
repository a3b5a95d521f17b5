#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V2_TCP4                                                                                    \
    V2 "\x21\x11\x00\x0c"                                                                          \
       "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x00\x2b"
#define V2_TCP6                                                                                    \
    V2 "\x21\x21\x00\x24"                                                                          \
       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                                                \
       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                \
       "\xdc\x04\x00\x2b"

static const char *client_of(const struct proxy_header *header)
{
    static char text[INET6_ADDRSTRLEN];

    if (!header->has_client) {
        return "none";
    }
    inet_ntop(header->client.ss_family,
              header->client.ss_family == AF_INET6
                  ? (const void *)&((const struct sockaddr_in6 *)&header->client)->sin6_addr
                  : (const void *)&((const struct sockaddr_in *)&header->client)->sin_addr,
              text, sizeof(text));
    return text;
}

static void expect_whole(struct str bytes, size_t length, const char *client)
{
    struct proxy_header header;

    for (size_t len = 0; len < length; len++) {
        cr_expect_eq(proxy_header_read(str_sub(bytes, 0, len), &header), PROXY_HEADER_PARTIAL,
                     "%zu bytes of the header of %s", len, client);
    }
    cr_assert_eq(proxy_header_read(bytes, &header), PROXY_HEADER_WHOLE, "%s", client);
    cr_expect_eq(header.length, length);
    cr_expect_str_eq(client_of(&header), client);
}

static void expect_bad(struct str bytes)
{
    struct proxy_header header;

    cr_expect_eq(proxy_header_read(bytes, &header), PROXY_HEADER_BAD, "%.*s", STR_ARG(bytes));
}

Test(proxy_header, version_1_names_the_client)
{
    expect_whole(STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 43\r\nAS1\r\n"), 44, "192.0.2.7");
    expect_whole(STR("PROXY TCP6 2001:db8::7 2001:db8::1 1 43\r\n"), 41, "2001:db8::7");
    expect_whole(STR("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 43\r\nx"), 38, "192.0.2.7");
}

Test(proxy_header, version_1_may_know_no_client)
{
    expect_whole(STR("PROXY UNKNOWN\r\n"), 15, "none");
    expect_whole(STR("PROXY UNKNOWN ffff::1 whatever\r\n"), 32, "none");
}

Test(proxy_header, version_1_is_exact)
{
    expect_bad(STR("AS1\r\n"));
    expect_bad(STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 43\n"));
    expect_bad(STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n"));
    expect_bad(STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 43 1\r\n"));
    expect_bad(STR("PROXY TCP4 192.0.2.7  198.51.100.1 56324 43\r\n"));
    expect_bad(STR("PROXY TCP4 2001:db8::7 2001:db8::1 1 43\r\n"));
    expect_bad(STR("PROXY TCP4 192.0.2.7 198.51.100.1 65536 43\r\n"));
    expect_bad(STR("PROXY TCP4 192.0.2.7 198.51.100.1 -1 43\r\n"));
    expect_bad(STR("PROXY TCP4 192.0.2 198.51.100.1 1 43\r\n"));
    expect_bad(STR("PROXY TCP4 192.0.2.7\0 198.51.100.1 1 43\r\n"));
    expect_bad(STR("PROXY UDP4 192.0.2.7 198.51.100.1 1 43\r\n"));
    expect_bad(STR("PROXY \r\n"));
    expect_bad(STR("PROXY \n"));
    expect_bad(STR("proxy TCP4 192.0.2.7 198.51.100.1 56324 43\r\n"));
}

Test(proxy_header, version_1_has_107_bytes_at_most)
{
    char bytes[128];

    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "PROXY UNKNOWN ", 14);
    expect_bad((struct str){bytes, 107});
    memcpy(bytes + 105, "\r\n", 2);
    expect_whole((struct str){bytes, 107}, 107, "none");
    memcpy(bytes + 105, "x\r\n", 3);
    expect_bad((struct str){bytes, 108});
}

Test(proxy_header, version_2_names_the_client)
{
    expect_whole(STR(V2_TCP4 "AS1\r\n"), 28, "192.0.2.7");
    expect_whole(STR(V2_TCP6), 52, "2001:db8::7");
    expect_whole(STR(V2 "\x21\x11\x00\x10"
                        "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x00\x2b"
                        "\x04\x00\x01\xff"
                        "AS1\n"),
                 32, "192.0.2.7");
}

Test(proxy_header, version_2_may_know_no_client)
{
    expect_whole(STR(V2 "\x20\x00\x00\x00"), 16, "none"); /* A health check. */
    expect_whole(STR(V2 "\x20\x11\x00\x02xx"), 18, "none");
    expect_whole(STR(V2 "\x21\x00\x00\x00"), 16, "none");
    expect_whole(STR(V2 "\x21\x31\x00\x03xyz"), 19, "none"); /* A unix socket. */
}

Test(proxy_header, version_2_is_exact)
{
    expect_bad(STR("\r\n\r\n\0\r\nQUIX"));
    expect_bad(STR("\r\n\r\nAS1"));
    expect_bad(STR(V2 "\x11\x11\x00\x00"));
    expect_bad(STR(V2 "\x22\x11\x00\x00"));
    expect_bad(STR(V2 "\x21\x11\x00\x0b"
                      "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x00"));
    expect_bad(STR(V2 "\x21\x21\x00\x0c"
                      "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x00\x2b"));
}
