/*
 * A whois server over a dump and a journal, without a database: what the golden dialogues are
 * replayed against.
 *
 *   serve main|mirror PORT DUMP.gz JOURNAL.gz
 *
 * main: the data is the main source RIPE; mirror: it is the mirrored source RIPE-GRS of a server
 * whose main source LOCAL is empty. PORT 0 lets the system choose. Prints "port N" when it serves,
 * ends with its standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "fixture_versions.h"
#include "query/server.h"

static const char *const loopback[] = {"127.0.0.1", "::1"};

static void fail(const char *text)
{
    fprintf(stderr, "%s\n", text);
    exit(1);
}

static struct query_conf make_conf(const char *main_source, const char *nonauth, int port)
{
    return (struct query_conf){
        .port = port,
        .bind = {(const char **)loopback, 2},
        .threads = 1,
        .main_source = main_source,
        .nonauth_source = nonauth,
        .trusted = {(const char **)loopback, 2},
        .personal_limit = -1,
        .read_timeout_s = 180,
        .answer_timeout_s = 600,
        .answer_memory_bytes = 64 << 20,
        .instance = "localhost",
        .service = "whoisd",
        .banner = "",
        .terms_url = "https://docs.db.ripe.net/terms-conditions.html",
        .enduser_maintainers = "RIPE-NCC-END-MNT",
        .legacy_maintainers = "RIPE-NCC-LEGACY-MNT",
        .alloc_maintainers = "RIPE-NCC-HM-MNT",
        .log_queries = getenv("SERVE_LOG") != NULL,
    };
}

/* A source with the data: index and versions. */
static struct query_source load(const char *name, struct str dump, struct str journal)
{
    struct index *index = index_new(name);

    fixture_load(index, dump);
    fixture_apply(index, journal);
    return (struct query_source){
        .name = name,
        .index = index,
        .versions = &fixture_version_store,
        .context = fixture_versions_new(dump, journal),
    };
}

int main(int argc, char **argv)
{
    bool is_main;
    struct query_source sources[2];
    struct query_server *server;
    struct query_conf conf;
    struct buf dump, journal;
    struct why why;
    char byte;

    if (argc != 5 || (strcmp(argv[1], "main") != 0 && strcmp(argv[1], "mirror") != 0)) {
        fail("usage: serve main|mirror PORT DUMP JOURNAL");
    }
    is_main = strcmp(argv[1], "main") == 0;
    conf = make_conf(is_main ? "RIPE" : "LOCAL", is_main ? "RIPE-NONAUTH" : "LOCAL-NONAUTH",
                     atoi(argv[2]));
    dump = fixture_read(argv[3]);
    journal = fixture_read(argv[4]);
    if (is_main) {
        sources[0] = load(conf.main_source, buf_str(&dump), buf_str(&journal));
    } else {
        sources[0] = (struct query_source){.name = conf.main_source, .index = index_new("LOCAL")};
        sources[1] = load("RIPE-GRS", buf_str(&dump), buf_str(&journal));
    }
    sources[0].is_main = true;
    if (query_server_new(&conf, sources, is_main ? 1 : 2, &server, &why) != ERR_OK ||
        query_server_listen(server, &why) != ERR_OK || query_server_start(server, &why) != ERR_OK) {
        fail(why.text);
    }
    printf("port %d\n", query_server_port(server));
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    query_server_stop(server, 5);
    query_server_free(server);
    for (size_t i = 0; i < (is_main ? 1 : 2); i++) {
        index_free(sources[i].index);
        fixture_versions_free(sources[i].context);
    }
    buf_free(&dump);
    buf_free(&journal);
    return 0;
}
