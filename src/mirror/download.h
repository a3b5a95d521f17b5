/*
 * A registry's dump, brought here and looked at before anything is touched: its serial file, its
 * files, its serial file again.
 *
 * The first serial counts: one older than the dump is harmless, as updates that come again
 * converge; a newer one would lose updates in silence. So a dump that was written long before its
 * serial file is refused, as is an old one, a damaged one, and one with far fewer objects than the
 * source holds.
 *
 * Files of the local file system stay where they are. An operator's own dump and serial file
 * (both local) may be of any age when they fill an empty source or he loads them by hand. Nobody
 * looks at them beforehand then: the load itself refuses damage and a dump of another size.
 *
 * What is fetched lies in a folder of the source's own: what came of a broken download is the
 * beginning of the next one.
 */
#pragma once

#include "mirror/loader.h"

struct download;

/**
 * Bring here what is remote in a request. On the caller's thread, for as long as it takes, at most
 * fetch.total_s for each file; broken transfers are taken up again, a few times in a row without a
 * byte. Progress goes to the log every half minute and to the request's on_progress every few
 * seconds.
 * @param source  Borrowed for the call.
 * @param wanted  Its strings live as long as the download.
 * @return ERR_OK; ERR_BUSY when another one into the folder runs; ERR_DENIED for a dump that is not
 * to be trusted (unless forced); ERR_CORRUPT, ERR_SYNTAX, ERR_LIMIT, ERR_NOT_FOUND; ERR_IO for what
 * may go better later; ERR_STOPPED.
 */
enum err download_run(struct source *source, const struct load_request *wanted,
                      struct download **out, struct why *why) MUST_CHECK;
/** Whether the request was for changed files only, and these are the ones loaded last. */
bool download_is_unchanged(const struct download *download);
/** The request again, now of local files and with its serial read. Lives as long as download. */
const struct load_request *download_local(const struct download *download);
/** When a source's dump was loaded, or found unchanged, by this or an earlier process: Unix time, 0
 * for never. @param spool  The folder of all sources; may be NULL. */
int64_t download_time_s(const char *spool, const char *source);
/** @param is_loaded  Remember that these files were loaded. NULL is fine. */
void download_free(struct download *download, bool is_loaded);
