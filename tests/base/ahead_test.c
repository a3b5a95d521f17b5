#include "base/ahead.h"

#include <criterion/criterion.h>
#include <sys/mman.h>

Test(base_ahead, notes_are_hints)
{
    char *gone = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(gone, MAP_FAILED);
    munmap(gone, 8192);
    ahead_next_turn();
    for (int round = 0; round < 5; round++) {
        ahead_start_round();
        for (int i = 0; i < 300; i++) { /* More than are kept. */
            ahead_next_turn();
            ahead_note(gone, 8192);
        }
    }
}
