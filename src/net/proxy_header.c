/*
 * Both versions are told apart by their first byte. The text form ends with CR LF after at most 107
 * bytes; the binary form says its length, address block and extensions (which are skipped)
 * together.
 */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V1_MAX_BYTES    107
#define V1_SIGNATURE    STR("PROXY ")
#define V2_SIGNATURE    STR("\r\n\r\n\0\r\nQUIT\n")
#define V2_START_BYTES  16 /* Signature, version and command, family, length. */
#define V2_LOCAL        0x20
#define V2_PROXY        0x21
#define V2_TCP4         0x11
#define V2_TCP6         0x21
#define ADDRESS_MAX     46 /* Text, with its NUL. */
#define PORT_MAX_DIGITS 5

/* --- addresses --- */

static void set_v4(struct sockaddr_storage *out, const void *address, uint16_t port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;

    *out = (struct sockaddr_storage){0};
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, address, sizeof(in->sin_addr));
}

/* A balancer that listens on IPv6 for both families calls its IPv4 clients ::ffff:a.b.c.d. */
static void set_v6(struct sockaddr_storage *out, const void *address, uint16_t port)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    struct in6_addr copy;

    memcpy(&copy, address, sizeof(copy));
    if (IN6_IS_ADDR_V4MAPPED(&copy)) {
        set_v4(out, copy.s6_addr + 12, port);
        return;
    }
    *out = (struct sockaddr_storage){0};
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    in6->sin6_addr = copy;
}

static bool read_address(struct str text, int family, void *out)
{
    char copy[ADDRESS_MAX];

    if (text.len >= sizeof(copy) || memchr(text.at, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, out) == 1;
}

static bool read_port(struct str text, uint16_t *out)
{
    uint64_t port;

    if (text.len > PORT_MAX_DIGITS || str_to_u64(text, UINT16_MAX, &port) != ERR_OK) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

/* --- version 1: PROXY TCP4 192.0.2.7 198.51.100.1 56324 43 --- */

static bool read_v1_words(struct str words, struct proxy_header *out)
{
    struct str protocol, source, target, source_port, target_port, more;
    unsigned char address[sizeof(struct in6_addr)], unused[sizeof(struct in6_addr)];
    uint16_t port, unused_port;
    int family;

    str_split(&words, ' ', &protocol);
    if (str_eq(protocol, STR("UNKNOWN"))) {
        return true; /* Whatever follows. */
    }
    family = str_eq(protocol, STR("TCP4")) ? AF_INET : AF_INET6;
    if ((family == AF_INET6 && !str_eq(protocol, STR("TCP6"))) ||
        !str_split(&words, ' ', &source) || !str_split(&words, ' ', &target) ||
        !str_split(&words, ' ', &source_port) || !str_split(&words, ' ', &target_port) ||
        str_split(&words, ' ', &more) || !read_address(source, family, address) ||
        !read_address(target, family, unused) || !read_port(source_port, &port) ||
        !read_port(target_port, &unused_port)) {
        return false;
    }
    out->has_client = true;
    if (family == AF_INET) {
        set_v4(&out->client, address, port);
    } else {
        set_v6(&out->client, address, port);
    }
    return true;
}

static enum proxy_header_state read_v1(struct str bytes, struct proxy_header *out)
{
    size_t end = str_find(bytes, '\n', 0);

    if (end == bytes.len) {
        return bytes.len < V1_MAX_BYTES ? PROXY_HEADER_PARTIAL : PROXY_HEADER_BAD;
    }
    if (end >= V1_MAX_BYTES || bytes.at[end - 1] != '\r' ||
        !read_v1_words(str_sub(bytes, V1_SIGNATURE.len, end - 1), out)) {
        return PROXY_HEADER_BAD;
    }
    out->length = end + 1;
    return PROXY_HEADER_WHOLE;
}

/* --- version 2 --- */

static uint16_t read_u16(const char *at)
{
    return (uint16_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

/* A local connection, and families that are none of ours, leave the connection's own address. */
static bool read_v2_block(unsigned command, unsigned family, struct str block,
                          struct proxy_header *out)
{
    if (command == V2_LOCAL || (family != V2_TCP4 && family != V2_TCP6)) {
        return command == V2_LOCAL || command == V2_PROXY;
    }
    if (command != V2_PROXY || block.len < (family == V2_TCP4 ? 12 : 36)) {
        return false;
    }
    out->has_client = true;
    if (family == V2_TCP4) {
        set_v4(&out->client, block.at, read_u16(block.at + 8));
    } else {
        set_v6(&out->client, block.at, read_u16(block.at + 32));
    }
    return true;
}

static enum proxy_header_state read_v2(struct str bytes, struct proxy_header *out)
{
    size_t length;

    if (bytes.len < V2_START_BYTES) {
        return PROXY_HEADER_PARTIAL;
    }
    length = V2_START_BYTES + (size_t)read_u16(bytes.at + 14);
    if (bytes.len < length) {
        return PROXY_HEADER_PARTIAL;
    }
    if (!read_v2_block((unsigned char)bytes.at[12], (unsigned char)bytes.at[13],
                       str_sub(bytes, V2_START_BYTES, length), out)) {
        return PROXY_HEADER_BAD;
    }
    out->length = length;
    return PROXY_HEADER_WHOLE;
}

enum proxy_header_state proxy_header_read(struct str bytes, struct proxy_header *out)
{
    struct str v1 = V1_SIGNATURE, v2 = V2_SIGNATURE;

    *out = (struct proxy_header){0};
    if (str_starts(bytes, v1)) {
        return read_v1(bytes, out);
    }
    if (str_starts(bytes, v2)) {
        return read_v2(bytes, out);
    }
    return str_starts(v1, bytes) || str_starts(v2, bytes) ? PROXY_HEADER_PARTIAL : PROXY_HEADER_BAD;
}
