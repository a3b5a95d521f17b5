/*
 * main() of a fuzz target without libFuzzer: run the target over every file of
 * tests/fuzz/seeds/NAME/ (NAME_fuzz is the program), or over the files named as arguments. Having
 * nothing to replay is a failure.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    uint8_t *data;
    size_t size;

    if (file == NULL || fstat(fileno(file), &status) != 0) {
        fail("cannot be opened", path);
    }
    /* A block of exactly the file's size, so that a sanitizer sees a read behind it. */
    size = (size_t)status.st_size;
    data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        fail("cannot be read", path);
    }
    fclose(file);
    printf("%s (%zu bytes)\n", path, size);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    int replayed = 0;

    if (count < 0) {
        fail("no such folder", folder);
    }
    for (int i = 0; i < count; i++) {
        char path[4096];

        if (entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
            replay_file(path);
            replayed++;
        }
        free(entries[i]);
    }
    free(entries);
    return replayed;
}

int main(int argc, char **argv)
{
    const char *source_dir = getenv("srcdir"); /* Set by `make check`. */
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    char folder[2048];

    if (argc > 1) {
        for (int i = 1; i < argc; i++) {
            replay_file(argv[i]);
        }
        return 0;
    }
    snprintf(folder, sizeof(folder), "%s/tests/fuzz/seeds/%.*s",
             source_dir != NULL ? source_dir : ".", (int)strcspn(name, "_"), name);
    if (replay_folder(folder) == 0) {
        fail("no seeds", folder);
    }
    return 0;
}
