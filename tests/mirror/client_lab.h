/*
 * A client on a fake clock, fake sockets and a fake storage, made anew for each test of the suite
 * nrtm_client.
 */
#pragma once

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_net.h"
#include "fake_storage.h"
#include "mirror/nrtm_client.h"

#define HEAD      "%START Version: 3 RIPE 11-12\n\n"
#define OP(n)     "ADD " #n "\n\nperson: A\n\n"
#define OPERATION "ADD 11\n\nperson: A\n\n"
#define REFUSED   "%ERROR:201: access denied for 192.0.2.1\n"
#define CURRENT   "%ERROR:401: invalid range: Not within 1-10\n\n"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

extern struct nrtm_client_conf conf;
extern struct nrtm_probes probes;
extern struct nrtm_client *client;

int logged(const char *text); /* Lines of the log that contain it. */
struct nrtm_client_status status(void);
struct conn *start(void); /* Up to the accepted connection. */
void expect_state(enum nrtm_state state);
