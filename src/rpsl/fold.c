/*
 * Folding and hashing of values.
 * A value is folded by replacing each character by its weight in utf8mb4_general_ci, which is again
 * a character (`a` and `ä` have the weight `A`), and dropping blanks at the end. What a registry
 * compares is nearly always upper-case ASCII: such a value is its own folded form and is not
 * copied.
 */
#include "rpsl/fold.h"

#include <endian.h>
#include <string.h>

#include "rpsl/charset.h"
#include "rpsl/fold_table.h"

#define REPLACEMENT 0xfffd   /* The weight of everything above U+FFFF. */
#define RAW_BYTE    0x110000 /* Added to a byte that is no UTF-8: it compares as itself. */

static struct str without_trailing_blanks(struct str value)
{
    while (value.len > 0 && value.at[value.len - 1] == ' ') {
        value.len--;
    }
    return value;
}

/** Cut the first character off a value that is not empty. @return Its weight. */
static uint32_t next_weight(struct str *rest)
{
    uint32_t character;
    unsigned len = utf8_decode(*rest, &character);

    if (len == 0) {
        character = RAW_BYTE | (unsigned char)rest->at[0];
        len = 1;
    }
    rest->at += len;
    rest->len -= len;
    if (character < 0x10000) {
        unsigned block = fold_blocks[character / FOLD_BLOCK];

        return block > 0 ? fold_weights[(block - 1) * FOLD_BLOCK + character % FOLD_BLOCK]
                         : character;
    }
    return character < RAW_BYTE ? REPLACEMENT : character;
}

/** Write a weight that came from more than one byte, or a raw byte. @return The length. */
static unsigned put_weight(char *to, uint32_t weight)
{
    char character[4];
    unsigned len;

    if (weight >= RAW_BYTE) {
        *to = (char)weight;
        return 1;
    }
    len = utf8_put(character, weight);
    memcpy(to, character, len); /* There is room for no more than that. */
    return len;
}

struct str rpsl_fold(struct str value, struct arena *arena)
{
    unsigned folds = 0; /* Any byte that folding may change? Without branches, for speed. */
    char *copy, *to;

    value = without_trailing_blanks(value);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.at[i];

        folds |= (unsigned)(byte >= 0x80) | (unsigned)((unsigned char)(byte - 'a') < 26);
    }
    if (!folds) {
        return value;
    }
    copy = to = arena_alloc(arena, value.len); /* No weight is longer than its character. */
    if (copy == NULL) {
        return (struct str){NULL, 0};
    }
    while (value.len > 0) {
        unsigned char byte = (unsigned char)value.at[0];

        if (byte < 0x80) {
            *to++ = (char)((unsigned char)(byte - 'a') < 26 ? byte - 0x20 : byte);
            value = str_sub(value, 1, value.len);
        } else {
            to += put_weight(to, next_weight(&value));
        }
    }
    return (struct str){copy, (size_t)(to - copy)};
}

/** The product of two words, its halves mixed: the one step of the hash. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Odd numbers without pattern. */
#define HASH_A 0x9e3779b97f4a7c15u
#define HASH_B 0xd6e8feb86659fd93u
#define HASH_C 0xa0761d6478bd642fu

uint64_t rpsl_hash(unsigned seed, struct str folded)
{
    uint64_t hash = mix(seed + HASH_A, folded.len ^ HASH_B);
    uint64_t words[2];

    for (; folded.len > 16; folded.at += 16, folded.len -= 16) {
        memcpy(words, folded.at, sizeof(words));
        hash = mix(le64toh(words[0]) ^ HASH_B, le64toh(words[1]) ^ hash);
    }
    memset(words, 0, sizeof(words));
    if (folded.len > 0) {
        memcpy(words, folded.at, folded.len);
    }
    hash = mix(le64toh(words[0]) ^ HASH_C, le64toh(words[1]) ^ hash);
    return mix(hash ^ HASH_A, HASH_B);
}
