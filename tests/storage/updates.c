/* Single updates, and how a source stands. */
#include "updates.h"

#include <criterion/criterion.h>

void commit_update(struct source *source, int64_t serial, bool is_delete, const char *text)
{
    struct batch *batch;
    struct why why;

    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(is_delete ? batch_delete(batch, serial, str_from(text), &why)
                           : batch_add(batch, serial, str_from(text), &why),
                 ERR_OK, "%s", why.text);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
}

void commit_add(struct source *source, int64_t serial, const char *text)
{
    commit_update(source, serial, false, text);
}

void commit_delete(struct source *source, int64_t serial, const char *text)
{
    commit_update(source, serial, true, text);
}

struct source_status status_of(struct source *source)
{
    struct source_status status;

    source_get_status(source, &status);
    return status;
}

struct source_position position_of_source(struct source *source)
{
    struct source_position position;

    source_get_position(source, &position);
    return position;
}

bool sync_source(struct source *source)
{
    struct why why;
    bool changed = false;

    cr_assert_eq(source_sync(source, &changed, &why), ERR_OK, "%s", why.text);
    return changed;
}
