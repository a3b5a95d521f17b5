/*
 * Options and texts of sockets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "net/internal.h"

void address_text(const struct sockaddr_storage *address, char text[ADDRESS_TEXT_BYTES])
{
    const void *bytes = address->ss_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)address)->sin_addr;

    if (inet_ntop(address->ss_family, bytes, text, ADDRESS_TEXT_BYTES) == NULL) {
        snprintf(text, ADDRESS_TEXT_BYTES, "unknown");
    }
}

static void set_option(int fd, int level, int option, int value, const char *name)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) != 0) {
        log_warn(LOG_MAIN, "cannot set %s to %d: %s", name, value, strerror(errno));
    }
}

void socket_set_options(int fd, const struct net_keepalive *keepalive)
{
    const struct {
        int option, value;
        const char *name;
    } tunings[] = {
        {TCP_KEEPIDLE,     keepalive->idle_s,          "TCP_KEEPIDLE"    },
        {TCP_KEEPINTVL,    keepalive->interval_s,      "TCP_KEEPINTVL"   },
        {TCP_KEEPCNT,      keepalive->count,           "TCP_KEEPCNT"     },
        {TCP_USER_TIMEOUT, keepalive->user_timeout_ms, "TCP_USER_TIMEOUT"},
    };

    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
    for (size_t i = 0; i < sizeof(tunings) / sizeof(tunings[0]); i++) {
        if (tunings[i].value > 0) {
            set_option(fd, IPPROTO_TCP, tunings[i].option, tunings[i].value, tunings[i].name);
        }
    }
}
