/*
 * Received object text on its way into the store: its character set, and whose it is. Used for
 * dumps and streams alike.
 */
#pragma once

#include "rpsl/charset.h"

/** Why raw bytes stand in quarantine beside an object that was taken. */
#define INTAKE_RECODED_REASON "not UTF-8: taken as Latin-1, received bytes kept"

struct intake {
    const char *mirror;   /**< For the log: "RIPE-GRS". */
    const char *upstream; /**< What `source:` must say; NULL accepts all. */
    enum charset charset; /**< Declared for the upstream, never guessed. */
    uint64_t recoded;     /**< Objects not in the declared charset: taken as Latin-1. */
    uint64_t foreign;     /**< Objects of another source: skipped. */
    uint64_t with_nul;    /**< Objects with NUL bytes: kept. */
    struct buf scratch;   /**< Private. */
};

enum intake_verdict {
    INTAKE_FINE,
    INTAKE_RECODED, /**< Take it; the caller keeps the raw bytes in quarantine as well. */
    INTAKE_FOREIGN, /**< Leave it out. */
};

/**
 * Turn raw text into what is stored. Counts, and warns of the first ten of each kind.
 * @param text  UTF-8; valid until the next call. @param place  For the log: "serial 4711", a file
 * name.
 */
enum intake_verdict intake_text(struct intake *intake, struct str raw, const char *place,
                                struct str *text);
void intake_fini(struct intake *intake);

/** The value of the object's `source:`, without comment; empty when there is none. Slice of text.
 */
struct str intake_source_of(struct str text);
/** Whether text can be an object at all: its first line is `name: value`. HTML pages are not. */
bool intake_looks_like_object(struct str text);
