/*
 * Any bytes as a configuration file: parsed, then every parser tried on the key `key`.
 */
#include "conf/conf.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct values {
    const char *text;
    bool flag;
    int port, number, seconds;
    int64_t bytes;
    struct conf_list list;
};

#define AT(field) offsetof(struct values, field)
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, 0, NULL, NULL                                                                  \
    }

/* One table per parser, since a table ends at its first error. */
static const struct conf_key tables[][2] = {
    {{"key", conf_text, AT(text), "", ""},          END},
    {{"key", conf_bool, AT(flag), "no", ""},        END},
    {{"key", conf_port, AT(port), "0", ""},         END},
    {{"key", conf_int, AT(number), "0", ""},        END},
    {{"key", conf_bytes, AT(bytes), "0", ""},       END},
    {{"key", conf_list, AT(list), "", ""},          END},
    {{"*.key", conf_seconds, AT(seconds), "0", ""}, END}
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct values values = {0};
    struct why why = {0};
    struct conf *conf;

    log_set_level(LOG_ERROR);
    if (conf_parse((struct str){(const char *)data, size}, "FILE", &conf, &why) != ERR_OK) {
        if (strncmp(why.text, "FILE", 4) != 0) {
            abort(); /* The header promises the file's name. */
        }
        return 0;
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (conf_apply(conf, tables[i], "instance", &values, &why) == ERR_SYNTAX &&
            strncmp(why.text, "FILE line ", 10) != 0) {
            abort();
        }
    }
    if (values.port < 0 || values.port > 65535 || values.seconds < 0 || values.bytes < 0) {
        abort();
    }
    conf_ignore(conf, "ignored*");
    conf_warn_unknown(conf);
    conf_free(conf);
    return 0;
}
