/*
 * The floor that whoisd is compared with: a libev server with the framing of the whois query port
 * and nothing behind it. Every line is answered with the same bytes, which end like an answer of
 * whoisd: the served-by line, two empty lines and, on connections that stay open, the banner again.
 * One loop per thread, each with its own listening socket (SO_REUSEPORT), as whoisd has them.
 * SIGTERM ends it; then it prints how many queries it answered and what each cost in CPU time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_LOOPS 64

static const char banner[] = "% This is the bench's floor server.\n"
                             "% Every answer has the same text.\n"
                             "%\n"
                             "% It has no terms and conditions.\n"
                             "% See tests/bench/floor.c\n"
                             "\n";
static const char object_line[] = "remarks:        as many lines as fill the answer\n";
static const char served_by[] =
    "% This query was served by the bench's floor server (LOCALHOST)\n\n\n";

struct settings {
    int port;
    int loops;
    bool one_shot;
    size_t answer_len;
    char *answer;
};

struct worker {
    const struct settings *settings;
    struct ev_loop *loop;
    struct ev_io accepting;
    struct ev_async stop;
    pthread_t thread;
    uint64_t queries;
};

struct client {
    struct ev_io io;
    struct worker *worker;
    size_t unsent; /* Bytes of answers owed; the next one to send is answer[-unsent modulo its
                      length]. */
    bool closing;  /* One-shot: close once nothing is owed. */
};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- the answer --- */

static void answer_fill(struct settings *settings)
{
    size_t tail_len = sizeof(served_by) - 1 + (settings->one_shot ? 0 : sizeof(banner) - 1);
    size_t line_len = sizeof(object_line) - 1;
    char *at;

    /* An object's text ends in an empty line before the served-by line. */
    if (settings->answer_len < tail_len + line_len + 1) {
        fprintf(stderr, "floor: --bytes must be at least %zu\n", tail_len + line_len + 1);
        exit(2);
    }
    at = settings->answer = malloc(settings->answer_len);
    for (size_t left = settings->answer_len - tail_len - 1; left > 0;) {
        size_t part = left < 2 * line_len ? left : line_len;

        memset(at, 'x', part); /* The last line takes what is over. */
        memcpy(at, object_line, line_len - 1);
        at[part - 1] = '\n';
        at += part;
        left -= part;
    }
    *at++ = '\n';
    memcpy(at, served_by, sizeof(served_by) - 1);
    if (!settings->one_shot) {
        memcpy(at + sizeof(served_by) - 1, banner, sizeof(banner) - 1);
    }
}

/* --- a connection --- */

static void client_close(struct client *client)
{
    ev_io_stop(client->worker->loop, &client->io);
    close(client->io.fd);
    free(client);
}

static void client_listen_for(struct client *client, int events)
{
    if (client->io.events != events) {
        ev_io_stop(client->worker->loop, &client->io);
        ev_io_modify(&client->io, events);
        ev_io_start(client->worker->loop, &client->io);
    }
}

static void client_send(struct client *client)
{
    const struct settings *settings = client->worker->settings;

    while (client->unsent > 0) {
        size_t len = client->unsent % settings->answer_len;

        len = len == 0 ? settings->answer_len : len;
        ssize_t sent =
            send(client->io.fd, settings->answer + settings->answer_len - len, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            client_listen_for(client, EV_WRITE);
            return;
        }
        if (sent < 0) {
            client_close(client);
            return;
        }
        client->unsent -= (size_t)sent;
    }
    if (client->closing) {
        client_close(client);
        return;
    }
    client_listen_for(client, EV_READ);
}

static void client_receive(struct client *client)
{
    char input[4096];
    ssize_t len = recv(client->io.fd, input, sizeof(input), 0);

    if (len <= 0) {
        if (len == 0 || errno != EAGAIN) {
            client_close(client);
        }
        return;
    }
    for (const char *at = input, *end = input + len; !client->closing;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (line_end == NULL) {
            break;
        }
        at = line_end + 1;
        client->unsent += client->worker->settings->answer_len;
        client->closing = client->worker->settings->one_shot;
        client->worker->queries++;
    }
    client_send(client);
}

static void on_client(struct ev_loop *loop, struct ev_io *io, int revents)
{
    struct client *client = io->data;

    if (revents & EV_WRITE) {
        client_send(client);
    } else {
        client_receive(client);
    }
}

static void on_accept(struct ev_loop *loop, struct ev_io *io, int revents)
{
    struct worker *worker = io->data;
    int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *client;

    if (fd < 0) {
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    client = calloc(1, sizeof(*client));
    client->worker = worker;
    client->io.data = client;
    ev_io_init(&client->io, on_client, fd, EV_READ);
    ev_io_start(loop, &client->io);
    /* A fresh socket's buffer takes the banner whole. */
    if (send(fd, banner, sizeof(banner) - 1, MSG_NOSIGNAL) != sizeof(banner) - 1) {
        client_close(client);
    }
}

/* --- loops --- */

static void on_stop(struct ev_loop *loop, struct ev_async *async, int revents)
{
    ev_break(loop, EVBREAK_ALL);
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;

    ev_run(worker->loop, 0);
    return NULL;
}

static int listen_on(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1024) < 0) {
        die("floor: listen");
    }
    return fd;
}

static void worker_start(struct worker *worker, const struct settings *settings)
{
    worker->settings = settings;
    worker->loop = ev_loop_new(EVFLAG_AUTO);
    worker->accepting.data = worker;
    ev_io_init(&worker->accepting, on_accept, listen_on(settings->port), EV_READ);
    ev_io_start(worker->loop, &worker->accepting);
    ev_async_init(&worker->stop, on_stop);
    ev_async_start(worker->loop, &worker->stop);
    if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0) {
        die("floor: thread");
    }
}

static _Noreturn void usage(void)
{
    fputs("usage: floor [--port N] [--loops N] [--bytes N] [--one-shot]\n"
          "  --port N    TCP port on the loopback address (4343)\n"
          "  --loops N   event loops, one thread each (1)\n"
          "  --bytes N   length of an answer, its end included (700)\n"
          "  --one-shot  close after the first answer, as whoisd without -k\n",
          stderr);
    exit(2);
}

static void settings_parse(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        {"port",     required_argument, NULL, 'p'},
        {"loops",    required_argument, NULL, 'l'},
        {"bytes",    required_argument, NULL, 'b'},
        {"one-shot", no_argument,       NULL, 'o'},
        {NULL,       0,                 NULL, 0  },
    };

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p':
            settings->port = atoi(optarg);
            break;
        case 'l':
            settings->loops = atoi(optarg);
            break;
        case 'b':
            settings->answer_len = strtoul(optarg, NULL, 10);
            break;
        case 'o':
            settings->one_shot = true;
            break;
        default:
            usage();
        }
    }
    if (optind != argc || settings->loops < 1 || settings->loops > MAX_LOOPS) {
        usage();
    }
}

int main(int argc, char **argv)
{
    static struct worker workers[MAX_LOOPS];
    struct settings settings = {.port = 4343, .loops = 1, .answer_len = 700};
    struct rusage usage_end;
    uint64_t queries = 0;
    sigset_t ends;
    int signal_number;

    settings_parse(&settings, argc, argv);
    answer_fill(&settings);
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    for (int i = 0; i < settings.loops; i++) {
        worker_start(&workers[i], &settings);
    }

    sigwait(&ends, &signal_number);
    for (int i = 0; i < settings.loops; i++) {
        ev_async_send(workers[i].loop, &workers[i].stop);
        pthread_join(workers[i].thread, NULL);
        queries += workers[i].queries;
    }
    getrusage(RUSAGE_SELF, &usage_end);
    double cpu_ns = 1e9 * (double)(usage_end.ru_utime.tv_sec + usage_end.ru_stime.tv_sec) +
                    1e3 * (double)(usage_end.ru_utime.tv_usec + usage_end.ru_stime.tv_usec);
    printf("queries=%llu cpu_ns_per_query=%.0f\n", (unsigned long long)queries,
           queries > 0 ? cpu_ns / (double)queries : 0);
    free(settings.answer);
    return 0;
}
