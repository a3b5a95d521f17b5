/*
 * Load generator for the whois query port: N clients on one epoll thread, each with one query under
 * way.
 *
 * Persistent clients say `-k` first and know the end of an answer as any client does: the served-by
 * line, two empty lines and the banner, whose bytes are learned from the greeting. One-shot clients
 * connect, ask and read to the close. Every answer is checked: it must hold the line that the query
 * file gives for it, and asking the same again must give the same bytes. The floor server is driven
 * and checked by the same code, so that the client's cost is the same.
 *
 * Prints `counting` once the warm-up is over, and one line of name=value pairs at the end, which
 * SIGTERM brings about sooner. Exits with 1 when an answer was wrong or missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STALL_NS         (30 * 1000000000ULL)
#define FAILURES_SHOWN   10
#define ANSWER_FIRST_CAP 16384

static volatile sig_atomic_t is_told_to_end;

static const char served_by[] = "% This query was served by ";

/* --- small helpers --- */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void on_sigterm(int number)
{
    (void)number;
    is_told_to_end = 1;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* splitmix64: small, seedable, good enough to pick queries. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t fold_multiply(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A fast hash of an answer; never 0, which says "not asked yet". */
static uint64_t hash_bytes(const char *at, size_t len)
{
    const uint64_t odd_a = 0xa0761d6478bd642f, odd_b = 0xe7037ed1a0b428db;
    uint64_t hash = len ^ odd_a, word[2];

    for (; len >= 16; at += 16, len -= 16) {
        memcpy(word, at, 16);
        hash = fold_multiply(word[0] ^ odd_b, word[1] ^ hash);
    }
    memset(word, 0, sizeof(word));
    memcpy(word, at, len);
    hash = fold_multiply(word[0] ^ odd_a, word[1] ^ hash);
    return hash == 0 ? 1 : hash;
}

/* --- latencies: 64 buckets per power of two, so within 1.6% --- */

struct histogram {
    uint64_t buckets[64 * 64], count, max;
};

static void histogram_add(struct histogram *histogram, uint64_t ns)
{
    unsigned shift = ns < 64 ? 0 : 58 - (unsigned)__builtin_clzll(ns);

    histogram->buckets[(ns < 64 ? 0 : 64 * shift) + (ns >> shift)]++;
    histogram->count++;
    histogram->max = ns > histogram->max ? ns : histogram->max;
}

/* Upper end of the bucket below which `share` of the latencies are. */
static double histogram_us(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * share), seen = 0, end;
    size_t i = 0;

    while (i < sizeof(histogram->buckets) / sizeof(histogram->buckets[0]) - 1 &&
           (seen += histogram->buckets[i]) <= wanted) {
        i++;
    }
    end = i < 128 ? i + 1 : (i % 64 + 65) << (i / 64 - 1);
    return (double)(end < histogram->max ? end : histogram->max) / 1000;
}

/* --- what is asked --- */

struct query {
    const char *line; /* With its LF. */
    size_t line_len;
    const char *expected; /* A whole line of the answer, without LF. */
    size_t expected_len;
    uint64_t hash; /* Of the first answer; 0 until then. */
};

struct settings {
    const char *host, *port, *queries_path, *expect;
    int clients;
    double seconds, warmup;
    uint64_t seed;
    long pid;
    bool one_shot, changing;
};

struct query_list {
    char *text;
    struct query *queries;
    size_t count;
};

static char *file_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    char *text;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        die(path);
    }
    *len = (size_t)ftell(file);
    rewind(file);
    text = malloc(*len + 1);
    if (fread(text, 1, *len, file) != *len) {
        die(path);
    }
    fclose(file);
    return text;
}

static void queries_read(struct query_list *list, const struct settings *settings)
{
    size_t len, cap = 0;

    list->text = file_read(settings->queries_path, &len);
    for (char *line = list->text, *end = line + len; line < end;) {
        char *line_end = memchr(line, '\n', (size_t)(end - line));
        char *tab = line_end == NULL ? NULL : memchr(line, '\t', (size_t)(line_end - line));

        if (tab == NULL) {
            fprintf(stderr, "load: %s line %zu: no `query TAB expected line`\n",
                    settings->queries_path, list->count + 1);
            exit(2);
        }
        if (list->count == cap) {
            cap = cap == 0 ? 1024 : 2 * cap;
            list->queries = realloc(list->queries, cap * sizeof(*list->queries));
        }
        *tab = '\n';
        list->queries[list->count++] = (struct query){
            .line = line,
            .line_len = (size_t)(tab + 1 - line),
            .expected = settings->expect != NULL ? settings->expect : tab + 1,
            .expected_len =
                settings->expect != NULL ? strlen(settings->expect) : (size_t)(line_end - tab - 1),
        };
        line = line_end + 1;
    }
    if (list->count == 0) {
        fprintf(stderr, "load: %s holds no queries\n", settings->queries_path);
        exit(2);
    }
}

/* --- the run --- */

struct client {
    int fd;
    bool connecting;
    struct query *query; /* Under way; NULL: done. */
    uint64_t sent_at;
    char *answer;
    size_t len, cap;
};

struct run {
    const struct settings *settings;
    struct query_list list;
    struct addrinfo *address;
    int epoll;
    struct client *clients;
    int active;
    char *tail; /* What ends an answer: two empty lines and, with -k, the banner. */
    size_t tail_len;
    uint64_t random;
    bool counting, draining;
    uint64_t last_answer_at;
    struct histogram histogram;
    uint64_t bytes, failures;
};

static void fail(struct run *run, const struct client *client, const char *why)
{
    if (run->failures++ < FAILURES_SHOWN) {
        size_t shown = client->len < 400 ? client->len : 400;

        fprintf(stderr, "load: %s\nquery: %.*sexpected: %.*s\nanswer (%zu bytes): %.*s\n", why,
                (int)client->query->line_len, client->query->line, (int)client->query->expected_len,
                client->query->expected, client->len, (int)shown, client->answer);
    }
}

static bool holds_line(const char *text, size_t len, const char *line, size_t line_len)
{
    const char *end = text + len;

    for (const char *at = text; (at = memmem(at, (size_t)(end - at), line, line_len)) != NULL;
         at++) {
        if ((at == text || at[-1] == '\n') && at + line_len < end && at[line_len] == '\n') {
            return true;
        }
    }
    return false;
}

static void answer_check(struct run *run, struct client *client)
{
    struct query *query = client->query;
    const char *last_end = client->answer + client->len - run->tail_len;
    const char *last = memrchr(client->answer, '\n', (size_t)(last_end - client->answer));
    uint64_t hash;

    last = last == NULL ? client->answer : last + 1;
    if (strncmp(last, served_by, sizeof(served_by) - 1) != 0) {
        fail(run, client, "no served-by line at the end");
        return;
    }
    if (!holds_line(client->answer, client->len, query->expected, query->expected_len)) {
        fail(run, client, "the expected line is missing");
        return;
    }
    if (run->settings->changing) {
        return;
    }
    hash = hash_bytes(client->answer, client->len);
    if (query->hash != 0 && query->hash != hash) {
        fail(run, client, "another answer than the first time");
    }
    query->hash = hash;
}

static void client_listen_for(struct run *run, struct client *client, int operation,
                              uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};

    if (epoll_ctl(run->epoll, operation, client->fd, &event) < 0) {
        die("epoll_ctl");
    }
}

/* @return false when the connection is not there yet. */
static bool query_send(struct run *run, struct client *client)
{
    const struct query *query = client->query;
    ssize_t sent = send(client->fd, query->line, query->line_len, MSG_NOSIGNAL);

    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
        return false;
    }
    /* A line is far smaller than the socket's buffer: it is taken whole. */
    if (sent != (ssize_t)query->line_len) {
        die("send");
    }
    return true;
}

static int connect_new(struct run *run, int flags)
{
    int fd = socket(run->address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd < 0 || (connect(fd, run->address->ai_addr, run->address->ai_addrlen) < 0 &&
                   errno != EINPROGRESS)) {
        die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

static void client_start_query(struct run *run, struct client *client, uint64_t now)
{
    client->query = &run->list.queries[random_next(&run->random) % run->list.count];
    client->sent_at = now;
    client->len = 0;
    if (!run->settings->one_shot) {
        query_send(run, client);
        return;
    }
    /* On loopback the handshake is over when connect() returns; elsewhere EPOLLOUT tells. */
    client->fd = connect_new(run, SOCK_NONBLOCK);
    client->connecting = !query_send(run, client);
    client_listen_for(run, client, EPOLL_CTL_ADD, client->connecting ? EPOLLOUT : EPOLLIN);
}

static void client_finish_query(struct run *run, struct client *client)
{
    uint64_t now = now_ns();

    answer_check(run, client);
    run->last_answer_at = now;
    if (run->counting) {
        histogram_add(&run->histogram, now - client->sent_at);
        run->bytes += client->len;
    }
    if (run->draining) {
        client->query = NULL;
        run->active--;
        return;
    }
    client_start_query(run, client, now);
}

/* Add what has come to the answer. @return Bytes, 0 at the close, -1 when nothing has come. */
static ssize_t receive(struct client *client, int flags)
{
    ssize_t got;

    if (client->len == client->cap) {
        client->cap *= 2;
        client->answer = realloc(client->answer, client->cap);
    }
    got = recv(client->fd, client->answer + client->len, client->cap - client->len, flags);
    if (got < 0) {
        if (errno != EAGAIN) {
            die("recv");
        }
        return -1;
    }
    client->len += (size_t)got;
    return got;
}

static bool ends_with_tail(const struct run *run, const struct client *client)
{
    return client->len >= run->tail_len &&
           memcmp(client->answer + client->len - run->tail_len, run->tail, run->tail_len) == 0;
}

static void on_readable(struct run *run, struct client *client)
{
    ssize_t got = receive(client, MSG_DONTWAIT);

    if (got < 0) {
        return; /* A false alarm. */
    }
    if (got > 0) {
        if (!run->settings->one_shot && ends_with_tail(run, client)) {
            client_finish_query(run, client);
        }
        return;
    }
    if (!run->settings->one_shot || !ends_with_tail(run, client)) {
        fail(run, client, "the server closed the connection inside an answer");
        exit(1);
    }
    close(client->fd);
    client_finish_query(run, client);
}

static void on_connected(struct run *run, struct client *client)
{
    int error = 0;

    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)});
    if (error != 0) {
        errno = error;
        die("connect");
    }
    client->connecting = !query_send(run, client);
    client_listen_for(run, client, EPOLL_CTL_MOD, EPOLLIN);
}

/* Serve events until the deadline or SIGTERM, when draining until every client has its answer. */
static void run_until(struct run *run, uint64_t deadline)
{
    struct epoll_event events[256];

    for (uint64_t now = now_ns(); now < deadline && run->active > 0; now = now_ns()) {
        int count = epoll_wait(run->epoll, events, 256, (int)((deadline - now) / 1000000 + 1));

        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;

            if (client->connecting) {
                on_connected(run, client);
            } else if (client->query != NULL) {
                on_readable(run, client);
            }
        }
        if (is_told_to_end && !run->draining) {
            return;
        }
        if (now > run->last_answer_at + STALL_NS) {
            fprintf(stderr, "load: no answer for %llu s\n", STALL_NS / 1000000000);
            exit(1);
        }
    }
}

/* --- opening --- */

static void read_to(struct client *client, const char *tail, size_t tail_len)
{
    client->len = 0;
    while (client->len < tail_len ||
           memcmp(client->answer + client->len - tail_len, tail, tail_len) != 0) {
        if (receive(client, 0) == 0) {
            fputs("load: the server closed a connection instead of keeping it open\n", stderr);
            exit(1);
        }
    }
}

/* Greeting, then -k: the connection stays open from here on. */
static void client_open_persistent(struct run *run, struct client *client)
{
    client->fd = connect_new(run, 0);
    read_to(client, "\n\n", 2);
    if (run->tail_len == 3) {
        run->tail = realloc(run->tail, 3 + client->len);
        memcpy(run->tail + 3, client->answer, client->len);
        run->tail_len += client->len;
    }
    if (send(client->fd, "-k\n", 3, MSG_NOSIGNAL) != 3) {
        die("send");
    }
    read_to(client, run->tail, run->tail_len);
    client_listen_for(run, client, EPOLL_CTL_ADD, EPOLLIN);
}

static void run_open(struct run *run)
{
    const struct settings *settings = run->settings;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int rc = getaddrinfo(settings->host, settings->port, &hints, &run->address);

    if (rc != 0) {
        fprintf(stderr, "load: %s port %s: %s\n", settings->host, settings->port, gai_strerror(rc));
        exit(1);
    }
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    run->random = settings->seed;
    run->tail = strdup("\n\n\n");
    run->tail_len = 3;
    run->clients = calloc((size_t)settings->clients, sizeof(*run->clients));
    for (int i = 0; i < settings->clients; i++) {
        struct client *client = &run->clients[i];

        client->cap = ANSWER_FIRST_CAP;
        client->answer = malloc(client->cap);
        if (!settings->one_shot) {
            client_open_persistent(run, client);
        }
    }
    for (int i = 0; i < settings->clients; i++) {
        client_start_query(run, &run->clients[i], now_ns());
        run->active++;
    }
    run->last_answer_at = now_ns();
}

/* --- cost and result --- */

/* User and system time of a process with all its threads, in 10 ms steps. */
static double process_cpu_ns(long pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    FILE *file;
    const char *behind_name;

    if (pid == 0) {
        return 0;
    }
    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    if ((file = fopen(path, "r")) == NULL || fgets(text, sizeof(text), file) == NULL ||
        (behind_name = strrchr(text, ')')) == NULL ||
        sscanf(behind_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2) {
        die(path);
    }
    fclose(file);
    return (double)(user + system) * 1e9 / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return 1e9 * (double)used.tv_sec + (double)used.tv_nsec;
}

static void run_measure(struct run *run)
{
    const struct settings *settings = run->settings;
    const struct histogram *latency = &run->histogram;
    double server_ns, client_ns, seconds, count;
    uint64_t began;

    run_until(run, now_ns() + (uint64_t)(settings->warmup * 1e9));

    run->counting = true;
    puts("counting");
    fflush(stdout);
    began = now_ns();
    server_ns = process_cpu_ns(settings->pid);
    client_ns = own_cpu_ns();
    run_until(run, began + (uint64_t)(settings->seconds * 1e9));
    run->counting = false;
    server_ns = process_cpu_ns(settings->pid) - server_ns;
    client_ns = own_cpu_ns() - client_ns;
    seconds = (double)(now_ns() - began) / 1e9;

    run->draining = true;
    run_until(run, now_ns() + STALL_NS);
    if (run->active > 0) {
        fprintf(stderr, "load: %d clients wait for an answer\n", run->active);
        run->failures += (uint64_t)run->active;
    }
    count = latency->count > 0 ? (double)latency->count : 1;
    printf("queries=%llu seconds=%.3f rate=%.0f p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f "
           "answer_bytes=%.0f server_cpu_ns=%.0f client_cpu_ns=%.0f client_busy=%.2f "
           "failures=%llu\n",
           (unsigned long long)latency->count, seconds, (double)latency->count / seconds,
           histogram_us(latency, 0.5), histogram_us(latency, 0.99), histogram_us(latency, 0.999),
           (double)latency->max / 1000, (double)run->bytes / count, server_ns / count,
           client_ns / count, client_ns / 1e9 / seconds, (unsigned long long)run->failures);
}

static void run_close(struct run *run)
{
    for (int i = 0; i < run->settings->clients; i++) {
        if (!run->settings->one_shot) {
            close(run->clients[i].fd);
        }
        free(run->clients[i].answer);
    }
    free(run->clients);
    free(run->tail);
    free(run->list.queries);
    free(run->list.text);
    freeaddrinfo(run->address);
    close(run->epoll);
}

static _Noreturn void usage(void)
{
    fputs("usage: load [options] HOST PORT QUERIES\n"
          "QUERIES has one query per line: the query, a TAB, a line that its answer must hold.\n"
          "  --clients N     queries under way at any time (64)\n"
          "  --seconds S     how long to measure at most (5)\n"
          "  --warmup S      run before, not counted (1)\n"
          "  --seed N        of the random order (1)\n"
          "  --one-shot      one connection per query instead of persistent ones\n"
          "  --pid PID       the server's process: print its CPU time per query\n"
          "  --expect LINE   what every answer must hold, in place of the file's second column\n"
          "  --changing      do not compare the answers to repeated queries\n",
          stderr);
    exit(2);
}

static void settings_parse(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        {"clients",  required_argument, NULL, 'c'},
        {"seconds",  required_argument, NULL, 's'},
        {"warmup",   required_argument, NULL, 'w'},
        {"seed",     required_argument, NULL, 'r'},
        {"pid",      required_argument, NULL, 'p'},
        {"expect",   required_argument, NULL, 'e'},
        {"one-shot", no_argument,       NULL, 'o'},
        {"changing", no_argument,       NULL, 'C'},
        {NULL,       0,                 NULL, 0  },
    };

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            settings->clients = atoi(optarg);
            break;
        case 's':
            settings->seconds = atof(optarg);
            break;
        case 'w':
            settings->warmup = atof(optarg);
            break;
        case 'r':
            settings->seed = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            settings->pid = atol(optarg);
            break;
        case 'e':
            settings->expect = optarg;
            break;
        case 'o':
            settings->one_shot = true;
            break;
        case 'C':
            settings->changing = true;
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 3 || settings->clients < 1) {
        usage();
    }
    settings->host = argv[optind];
    settings->port = argv[optind + 1];
    settings->queries_path = argv[optind + 2];
}

int main(int argc, char **argv)
{
    struct settings settings = {.clients = 64, .seconds = 5, .warmup = 1, .seed = 1};
    static struct run run;

    settings_parse(&settings, argc, argv);
    signal(SIGTERM, on_sigterm);
    run.settings = &settings;
    queries_read(&run.list, &settings);
    run_open(&run);
    run_measure(&run);
    run_close(&run);
    return run.failures > 0 ? 1 : 0;
}
