/*
 * The note NT_GNU_BUILD_ID of the running program, found among the segments that the loader mapped.
 * The first that dl_iterate_phdr() shows is the program itself.
 */
#include "base/build.h"

#include <elf.h>
#include <link.h>
#include <string.h>

static size_t aligned(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

/** Look through a segment of notes. */
static bool find_in_notes(const uint8_t *at, size_t len, uint8_t out[static BUILD_ID_BYTES])
{
    ElfW(Nhdr) note;

    while (len >= sizeof(note)) {
        size_t name, content;

        memcpy(&note, at, sizeof(note));
        name = sizeof(note) + aligned(note.n_namesz);
        content = aligned(note.n_descsz);
        if (name > len || content > len - name) {
            return false;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
            memcmp(at + sizeof(note), ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0) {
            memcpy(out, at + name, note.n_descsz < BUILD_ID_BYTES ? note.n_descsz : BUILD_ID_BYTES);
            return true;
        }
        at += name + content;
        len -= name + content;
    }
    return false;
}

static int look_at_program(struct dl_phdr_info *info, size_t size, void *context)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];

        if (header->p_type == PT_NOTE &&
            find_in_notes((const uint8_t *)(info->dlpi_addr + header->p_vaddr), header->p_memsz,
                          context)) {
            return 1;
        }
    }
    return -1; /* The libraries behind it are others' builds. */
}

bool build_id(uint8_t out[static BUILD_ID_BYTES])
{
    memset(out, 0, BUILD_ID_BYTES);
    return dl_iterate_phdr(look_at_program, out) == 1;
}
