/*
 * Sockets, timers and a clock that only move when the test says so; linked in place of libnet.a.
 */
#pragma once

#include "base/clock.h"
#include "net/conn.h"

extern const struct clock fake_clock;
extern int64_t fake_now_ms;

/** Let time pass, firing timers as they come due. */
void fake_advance(int64_t ms);
/** Let the timers of this moment fire, as an iteration of the loop does. */
void fake_settle(void);
/** Milliseconds until the next timer; -1: none runs. */
int64_t fake_next_timer_ms(void);

int fake_connects_pending(void); /* conn_connect() calls without an answer. */
/** Answer the oldest conn_connect(). @return The connection. */
struct conn *fake_accept(void);
void fake_refuse(const char *text);
/** What the client has sent since the last call; NUL-terminated, valid until the next. */
const char *fake_sent(struct conn *conn);
void fake_receive(struct conn *conn, const char *bytes);
void fake_eof(struct conn *conn);
bool fake_is_paused(const struct conn *conn); /* It takes no bytes. */
int fake_conns_open(void);
void fake_net_reset(void);
