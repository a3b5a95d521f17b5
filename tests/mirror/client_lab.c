/*
 * The suite's set-up, and that each test leaves nothing behind.
 */
#include "client_lab.h"

#include <unistd.h>

#include "../log_lines.h"

struct nrtm_client_conf conf;
struct nrtm_probes probes;
struct nrtm_client *client;
static char log_path[] = "/tmp/client_test.XXXXXX";

static void setup(void)
{
    int fd = mkstemp(log_path);

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(log_open(log_path, NULL), ERR_OK);
    fake_storage_reset(10);
    fake_net_reset();
    conf = (struct nrtm_client_conf){
        .host = "nrtm.example",
        .port = 4444,
        .version = 3,
        .poll_s = 60,
        .max_object = 1000000,
        .connect_timeout_s = 10,
        .start_timeout_s = 300,
        .idle_probe_s = 600,
        .heartbeat_s = 6 * 3600,
        .reset_grace_s = 1800,
        .probes = &probes,
    };
    client = nrtm_client_new(&conf, fake_source(), NULL, &fake_clock);
}

static void teardown(void)
{
    nrtm_client_free(client);
    cr_expect_eq(fake_conns_open(), 0, "a connection was left open");
    cr_expect_eq(fake_connects_pending(), 0);
    cr_expect_eq(fake_next_timer_ms(), -1, "a timer was left");
    cr_expect_eq(fake.begun, 0, "a batch was left open");
    unlink(log_path);
}

TestSuite(nrtm_client, .init = setup, .fini = teardown);

int logged(const char *text)
{
    return log_lines(log_path, text);
}

struct nrtm_client_status status(void)
{
    struct nrtm_client_status out;

    nrtm_client_get_status(client, &out);
    return out;
}

struct conn *start(void)
{
    nrtm_client_start(client);
    return fake_accept();
}

void expect_state(enum nrtm_state state)
{
    cr_expect_eq(status().state, state, "is in state %d", (int)status().state);
}
