/*
 * Any bytes as a PROXY header: what is whole stays whole and the same with more behind it, what is
 * partial was partial before, and nothing beyond the header is looked at.
 */
#include "fuzz.h"
#include "net/proxy_header.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1); /* Its end is guarded under the sanitizers. */
    struct proxy_header whole, header;
    enum proxy_header_state state;

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    state = proxy_header_read((struct str){copy, size}, &whole);
    free(copy);
    if (state != PROXY_HEADER_WHOLE) {
        return 0;
    }
    require(whole.length > 0 && whole.length <= size);
    require(!whole.has_client || whole.client.ss_family == AF_INET ||
            whole.client.ss_family == AF_INET6);
    require(proxy_header_read((struct str){(const char *)data, whole.length}, &header) ==
            PROXY_HEADER_WHOLE);
    require(memcmp(&header, &whole, sizeof(whole)) == 0);
    for (size_t len = 0; len < whole.length; len++) {
        require(proxy_header_read((struct str){(const char *)data, len}, &header) ==
                PROXY_HEADER_PARTIAL);
    }
    return 0;
}
