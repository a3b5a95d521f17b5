#include "mirror/md5_sum.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16, SUM_BYTES = 16 };

static bool is_cancelled(const atomic_bool *cancel)
{
    return cancel != NULL && atomic_load(cancel);
}

/* @return false when reading or the library fails. */
static bool add_file(EVP_MD_CTX *md5, FILE *file, const atomic_bool *cancel)
{
    char chunk[CHUNK_BYTES];
    size_t got = 1;

    while (got > 0 && !is_cancelled(cancel)) {
        got = fread(chunk, 1, sizeof(chunk), file);
        if (ferror(file) != 0 || EVP_DigestUpdate(md5, chunk, got) != 1) {
            return false;
        }
    }
    return true;
}

static void print_sum(const unsigned char sum[SUM_BYTES], char hex[MD5_TEXT_BYTES])
{
    for (size_t i = 0; i < SUM_BYTES; i++) {
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    }
}

enum err md5_sum_file(const char *path, const atomic_bool *cancel, char hex[MD5_TEXT_BYTES],
                      struct why *why)
{
    unsigned char sum[SUM_BYTES];
    FILE *file = fopen(path, "re");
    EVP_MD_CTX *md5;
    enum err rc = ERR_OK;

    if (file == NULL) {
        return why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
    }
    md5 = EVP_MD_CTX_new();
    if (md5 == NULL || EVP_DigestInit_ex(md5, EVP_md5(), NULL) != 1 ||
        !add_file(md5, file, cancel) || EVP_DigestFinal_ex(md5, sum, NULL) != 1) {
        rc = why_set(why, ERR_IO, "%s: %s", path,
                     ferror(file) != 0 ? strerror(errno) : "no MD5 checksum can be made here");
    } else if (is_cancelled(cancel)) {
        rc = why_set(why, ERR_STOPPED, "%s: stopped", path);
    } else {
        print_sum(sum, hex);
    }
    EVP_MD_CTX_free(md5);
    fclose(file);
    return rc;
}

bool md5_sum_find(struct str text, char hex[MD5_TEXT_BYTES])
{
    size_t digits = 0;

    for (size_t at = 0; at <= text.len; at++) {
        bool is_digit = at < text.len && isxdigit((unsigned char)text.at[at]);

        if (!is_digit && digits == 2 * SUM_BYTES) {
            for (size_t i = 0; i < digits; i++) {
                hex[i] = (char)tolower((unsigned char)text.at[at - digits + i]);
            }
            hex[digits] = '\0';
            return true;
        }
        digits = is_digit ? digits + 1 : 0;
    }
    return false;
}
