/*
 * Dump reader: any file, gzip or not, ends in the end of the file or an explained error.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mirror/dump.h"

enum { MAX_OBJECT = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("dump", MFD_CLOEXEC);
    struct dump *dump;
    struct str object;
    struct why why = {""};
    const char *files[1];
    char path[64];
    enum err rc;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    files[0] = path;
    rc = dump_open(files, 1, MAX_OBJECT, &dump, &why);
    if (rc == ERR_OK) {
        while ((rc = dump_next(dump, &object, &why)) == ERR_OK) {
            if (object.len == 0 || object.len > MAX_OBJECT || object.at[object.len - 1] != '\n') {
                abort();
            }
        }
        dump_close(dump);
    }
    if (rc != ERR_NOT_FOUND && why.text[0] == '\0') {
        abort();
    }
    close(fd);
    return 0;
}
