/*
 * Written aside and renamed. Times are Unix seconds, 0 for never; serials that are not known are
 * -1.
 */
#include "mirror/status_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print_status(struct source *source, const struct nrtm_client_conf *conf,
                         const struct nrtm_client_status *s, FILE *file)
{
    struct source_status stored;
    int64_t lag = s->upstream_max - s->position;

    source_get_status(source, &stored);
    fprintf(file, "source=%s\nupstream=%s\nhost=%s\nport=%d\n", source_name(source),
            source_upstream(source), conf->host, conf->port);
    fprintf(file,
            "state=%s\nsince=%lld\nhw=%lld\napplied=%lld\nsource_max=%lld\nlag_serials=%lld\n",
            nrtm_standing_text(s->standing), (long long)s->standing_since_ms / 1000,
            (long long)stored.hw, (long long)stored.serial, (long long)s->upstream_max,
            (long long)(s->upstream_max < 0 || lag < 0 ? 0 : lag));
    fprintf(file,
            "objects=%llu\nlast_op_time=%lld\nlast_connect=%lld\nsessions=%llu\nfailures=%llu\n",
            (unsigned long long)stored.objects, (long long)s->counters.last_op_ms / 1000,
            (long long)s->last_connect_ms / 1000, (unsigned long long)s->sessions,
            (unsigned long long)s->failures);
    fprintf(file,
            "operations=%llu\nbatches=%llu\nskipped=%llu\ngaps=%llu\nforeign=%llu\n"
            "quarantined=%llu\nrecoded=%llu\nfiltered=%d\nlast_error=%s\n",
            (unsigned long long)s->counters.operations, (unsigned long long)s->counters.batches,
            (unsigned long long)s->counters.repeated, (unsigned long long)s->counters.gaps,
            (unsigned long long)s->counters.foreign, (unsigned long long)stored.quarantined,
            (unsigned long long)s->counters.recoded, s->filtered, s->error);
}

void status_file_write(const char *folder, struct source *source,
                       const struct nrtm_client_conf *conf, const struct nrtm_client_status *status)
{
    char path[600], fresh[620];
    FILE *file;
    bool failed = true;

    snprintf(path, sizeof(path), "%s/nrtm.%s", folder, source_name(source));
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "we");
    if (file != NULL) {
        print_status(source, conf, status, file);
        failed = ferror(file) != 0;
        failed = fclose(file) != 0 || failed || rename(fresh, path) != 0;
    }
    if (failed) {
        log_warn(LOG_IMPORTER, "%s: %s", path, strerror(errno));
    }
}
