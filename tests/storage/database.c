#include "database.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "storage/index.h"

#define SCRIPT TOP_SRCDIR "/etc/private-mariadb.sh"

static char dir[64];

static void run_script(const char *verb)
{
    char command[600];

    snprintf(command, sizeof(command),
             "%s %s --dir %s >%s/%s.out 2>&1 || { cat %s/%s.out >&2; exit 1; }", SCRIPT, verb, dir,
             dir, verb, dir, verb);
    if (system(command) != 0) {
        fprintf(stderr, "%s %s failed\n", SCRIPT, verb);
    }
}

/** In memory when there is room: no test here is about the disk, and DDL waits for it most of the
 * time. */
static bool make_dir(void)
{
    struct statvfs fs;
    const bool is_roomy = statvfs("/dev/shm", &fs) == 0 &&
                          (uint64_t)fs.f_bavail * fs.f_frsize > (uint64_t)2 << 30 &&
                          access("/dev/shm", W_OK) == 0;

    snprintf(dir, sizeof(dir), "%s/whoisd-storage-test-XXXXXX", is_roomy ? "/dev/shm" : "/tmp");
    return mkdtemp(dir) != NULL && chmod(dir, 0755) == 0;
}

/** `env` prints shell assignments; ours are plain words. */
static void export_setting(char *line)
{
    char *equals = strchr(line, '=');

    if (equals != NULL) {
        *equals = '\0';
        equals[strcspn(equals + 1, "\n") + 1] = '\0';
        setenv(line, equals + 1, 1);
    }
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    char command[300], line[300];
    FILE *settings;

    if (!make_dir()) {
        perror(dir);
        return;
    }
    run_script("start");
    snprintf(command, sizeof(command), "%s env --dir %s", SCRIPT, dir);
    settings = popen(command, "r");
    while (settings != NULL && fgets(line, sizeof(line), settings) != NULL) {
        export_setting(line);
    }
    if (settings != NULL) {
        pclose(settings);
    }
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    char command[100];

    run_script("stop");
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0) {
        fprintf(stderr, "%s failed\n", command);
    }
}

/** What a test is handed lives until its process ends. */
static struct arena *results(void)
{
    static struct arena *arena;

    if (arena == NULL) {
        arena = arena_new((size_t)64 << 20);
    }
    return arena;
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);

    cr_assert_not_null(value, "no %s: the private MariaDB server did not start", name);
    return value;
}

/** Names this test's databases; a child that the test makes has the same. */
static int test_id(void)
{
    static int id;

    if (id == 0) {
        id = (int)getpid();
    }
    return id;
}

const struct jdbc_url *database_url(void)
{
    static struct jdbc_url url;

    snprintf(url.socket, sizeof(url.socket), "%s", setting("db_socket"));
    snprintf(url.database, sizeof(url.database), "test_mirror_%d_RIPE_GRS", test_id());
    return &url;
}

const char *database_user(void)
{
    return setting("db_user");
}

const char *database_password(void)
{
    return setting("db_password");
}

struct sql *database_connect(void)
{
    struct sql *sql = NULL;
    struct why why;

    cr_assert_eq(sql_connect(database_url(), database_user(), database_password(),
                             database_url()->database, NULL, &sql, &why),
                 ERR_OK, "%s", why.text);
    return sql;
}

int64_t test_wall_ms = 1795348800000, test_mono_ms;
bool test_mono_stands;
void (*test_mono_hook)(void);

static int64_t wall_ms(const struct clock *clock)
{
    return test_wall_ms;
}

static int64_t mono_ms(const struct clock *clock)
{
    if (test_mono_hook != NULL) {
        test_mono_hook();
    }
    return test_mono_ms + (test_mono_stands ? 0 : system_clock.mono_ms(&system_clock));
}

const struct clock test_clock = {wall_ms, mono_ms};

static const char *checkpoint_dir, *socket_path;

void database_use_checkpoints(const char *folder, const char *socket)
{
    checkpoint_dir = folder;
    socket_path = socket;
}

static int64_t prune_s;

void database_prune_after(int64_t seconds)
{
    prune_s = seconds;
}

struct storage *database_storage(struct source **source_out)
{
    const char *socket = socket_path != NULL ? socket_path : setting("db_socket");
    char main_url[600], base_url[600];
    struct storage_conf conf = {
        .master_url = main_url,
        .grs_base_url = base_url,
        .username = database_user(),
        .password = database_password(),
        .check_names = true,
        .object_max_bytes = 20 << 20,
        .checkpoint_enabled = checkpoint_dir != NULL,
        .checkpoint_dir = checkpoint_dir,
        .checkpoint_period_s = 3600,
        .checkpoint_stop_s = 60,
        .answers_wait_s = 30,
        .prune_s = prune_s,
    };
    struct storage *storage;
    struct why why;

    snprintf(main_url, sizeof(main_url), "jdbc:mariadb://localhost/test_%d?localSocket=%s",
             test_id(), socket);
    snprintf(base_url, sizeof(base_url), "jdbc:mariadb://localhost/test_mirror_%d?localSocket=%s",
             test_id(), socket);
    storage = storage_new(&conf, &test_clock);
    *source_out = storage_add(storage, SOURCE_MIRROR, "RIPE-GRS", "RIPE", &why);
    cr_assert_not_null(*source_out, "%s", why.text);
    return storage;
}

struct storage *database_open(struct source **source_out)
{
    struct storage *storage = database_storage(source_out);
    struct why why;

    cr_assert_eq(source_open(*source_out, &why), ERR_OK, "%s", why.text);
    return storage;
}

int64_t database_number(const char *format, ...)
{
    struct sql *sql = database_connect();
    char text[2000];
    int64_t number = 0;
    va_list args;
    struct why why;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    cr_assert_eq(sql_select_number(sql, &number, &why, "%s", text), ERR_OK, "%s: %s", text,
                 why.text);
    sql_close(sql);
    return number;
}

const char *database_list(const char *format, ...)
{
    struct sql *sql = database_connect();
    struct buf list = {0};
    char text[2000];
    const struct str *row;
    struct str copy;
    va_list args;
    struct why why;
    enum err rc;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    rc = sql_select(sql, &why, "%s", text);
    cr_assert_eq(rc, ERR_OK, "%s: %s", text, why.text);
    while ((rc = sql_next(sql, &row, &why)) == ERR_OK) {
        buf_add_str(&list, list.len > 0 ? STR(" ") : STR(""));
        buf_add_str(&list, row[0].at == NULL ? STR("NULL") : row[0]);
    }
    cr_assert_eq(rc, ERR_NOT_FOUND, "%s: %s", text, why.text);
    sql_close(sql);
    copy = arena_strdup(results(), buf_str(&list));
    buf_free(&list);
    return copy.at;
}

void database_exec(const char *format, ...)
{
    struct sql *sql = database_connect();
    char text[2000];
    va_list args;
    struct why why;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    cr_assert_eq(sql_exec(sql, &why, "%s", text), ERR_OK, "%s: %s", text, why.text);
    sql_close(sql);
}

void database_grant(const char *what, const char *user)
{
    const struct passwd *me = getpwuid(geteuid());
    struct sql *sql = NULL;
    struct why why;

    /* The owner of the data directory may do everything, by the socket's credentials. */
    cr_assert_eq(sql_connect(database_url(), me->pw_name, "", NULL, NULL, &sql, &why), ERR_OK, "%s",
                 why.text);
    cr_assert_eq(sql_exec(sql, &why, "GRANT %s ON `%s`.* TO %s@localhost", what,
                          database_url()->database, user),
                 ERR_OK, "%s", why.text);
    sql_close(sql);
}

const char *indexed_text(struct source *source, enum rpsl_class class, const char *key)
{
    const struct str canonical = rpsl_canonical_key(class, str_from(key), results());
    struct index_object found;

    if (index_find(source_index(source), class, canonical, results(), &found) != ERR_OK) {
        return NULL;
    }
    return arena_strdup(results(), found.text).at;
}

/* --- a user who can be locked out --- */
struct storage *database_open_locked_out(struct source **source_out)
{
    struct storage_conf conf = {.username = "locked_out", .password = "x"};
    struct storage *storage = database_open(source_out); /* Makes the database. */
    char url[1024];
    struct why why;

    storage_free(storage);
    database_exec("CREATE OR REPLACE USER locked_out@localhost IDENTIFIED BY 'x'");
    database_grant("ALL", "locked_out");
    snprintf(url, sizeof(url), "jdbc:mariadb://localhost/%s?localSocket=%s",
             database_url()->database, database_url()->socket);
    conf.master_url = url;
    storage = storage_new(&conf, &test_clock);
    *source_out = storage_add(storage, SOURCE_MAIN, "TEST", NULL, &why);
    cr_assert_eq(source_open(*source_out, &why), ERR_OK, "%s", why.text);
    return storage;
}

void database_lock_out(bool out)
{
    database_exec("SET PASSWORD FOR locked_out@localhost = PASSWORD('%s')", out ? "y" : "x");
}

/* --- faults --- */
void database_arm(const char *fault, const char *how)
{
    char armed[64];

    snprintf(armed, sizeof(armed), "%s=%s", fault, how);
    setenv("WHOISD_FAULT", armed, 1);
    fault_init();
}

void database_kill_at(const char *fault, void (*run)(struct source *source, const void *context),
                      const void *context)
{
    pid_t child;
    int status = 0;

    (void)test_id();
    child = fork();
    if (child == 0) {
        struct source *source;
        struct why why;

        (void)database_storage(&source);
        if (source_open(source, &why) == ERR_OK) {
            database_arm(fault, "kill");
            run(source, context);
        }
        _exit(1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it was not killed at %s", fault);
}

struct storage *database_open_when_free(struct source **source_out)
{
    struct storage *storage = database_storage(source_out);
    struct why why;
    enum err rc;

    while ((rc = source_open(*source_out, &why)) == ERR_BUSY) {
    }
    cr_assert_eq(rc, ERR_OK, "%s", why.text);
    return storage;
}

/** Memory and database must hold the same: a second opening finds what the first has. */
void check_against_reopened(struct source *source)
{
    struct source *again;
    struct storage *storage = database_open(&again);
    struct arena *arena = arena_new(1 << 24);
    struct source_status a, b;
    struct why why;

    source_get_status(source, &a);
    source_get_status(again, &b);
    cr_expect_eq(a.serial, b.serial);
    cr_expect_eq(a.hw, b.hw);
    cr_expect_eq(a.objects, b.objects, "%d and %d objects", (int)a.objects, (int)b.objects);
    cr_expect_eq(index_next_id(source_index(source)), index_next_id(source_index(again)));
    cr_expect(index_check(source_index(source), &why), "%s", why.text);
    for (uint32_t id = 1; id < index_next_id(source_index(again)); id++) {
        struct index_object ours, theirs;
        enum err rc = index_get(source_index(source), id, arena, &ours);

        cr_assert_eq(rc, index_get(source_index(again), id, arena, &theirs), "object_id %u", id);
        if (rc == ERR_OK) {
            cr_expect(str_eq(ours.text, theirs.text), "object_id %u", id);
            cr_expect_eq(ours.info.sequence, theirs.info.sequence, "object_id %u", id);
            cr_expect_eq(ours.info.timestamp, theirs.info.timestamp, "object_id %u", id);
        }
    }
    arena_free(arena);
    storage_free(storage);
}
