/*
 * The inside of the NRTM client, shared by nrtm_client.c (the way of a session) and nrtm_end.c
 * (what follows from its end). Nobody else includes this.
 */
#pragma once

#include "mirror/nrtm_client.h"

enum client_event {
    EVENT_NONE,
    EVENT_RUN,      /* Started by the owner. */
    EVENT_DUE,      /* The time for the next attempt has come. */
    EVENT_POSITION, /* We know where we are. */
    EVENT_CONNECTED,
    EVENT_START,   /* %START was read. */
    EVENT_FULL,    /* There is no room for an operation. */
    EVENT_ROOM,    /* There is again. */
    EVENT_REFUSED, /* The reason may follow. */
    EVENT_OVER,    /* The session is over; client->outcome says how. */
    EVENT_MOVED,   /* The position was edited. */
    EVENT_STOP,    /* Stopped by the owner. */
};

struct nrtm_client {
    struct nrtm_client_conf conf;
    char *host, *aliases; /* What conf points at. */
    struct source *source;
    const char *name;
    struct loop *loop;
    const struct clock *clock;
    enum nrtm_state state;

    /* Of the session. */
    struct nrtm_request request;
    struct nrtm_session *session;
    struct conn_request *connecting;
    struct conn *conn;
    struct nrtm_probe *probe;
    bool said_connected;      /* "Connected to" was logged for this connection. */
    bool arrived;             /* Bytes since `quiet` fired last. */
    int64_t pending_since_ms; /* Since when something waits for its commit. */
    int64_t last_byte_ms, connected_ms;
    int64_t probed_ms; /* The probe said that the upstream is ahead of us; 0: it did not. */
    enum nrtm_outcome outcome;
    char why[600]; /* Explains the outcome; "" when there is nothing to say. */

    struct loop_timer due;      /* WAITING: the next attempt. */
    struct loop_timer deadline; /* REQUESTED: %START. RECEIVING: a look at it. REFUSED: why. */
    struct loop_timer quiet;    /* Nothing more has arrived: commit. */
    struct loop_timer room;     /* HELD: is there room now? */

    /* From session to session. */
    struct nrtm_retry retry;
    bool was_connected;  /* Since the start. */
    bool closes_ranges;  /* Mode auto: the server does not push. */
    bool wants_range;    /* Ask for a closed range next: heartbeat. */
    int64_t range_limit; /* Serials per request; 0: all. */
    bool knows_newest;   /* status.upstream_max is what the upstream said its newest is, and nothing
                            has shown since that it is far beyond. */
    bool is_narrow;      /* Around a serial that the server cannot send: grows again. */
    int64_t cut_position, cut_serial; /* Where the server broke off last; serial -1: not known. */
    int cuts;                         /* So often in a row. */
    int64_t careful_until;            /* See nrtm_session_conf. */
    int64_t hw_moved_ms;              /* When status.position moved last. */
    int64_t behind_since_ms; /* The upstream's newest serial is below ours since; 0: it is not. */
    int64_t alarm_ms;        /* Last loud line of a lasting failure. */
    struct source_bond bond; /* As of the start of the session. */
    struct nrtm_client_status status;
};

/** The one place where the state changes. */
void client_event(struct nrtm_client *client, enum client_event event);
int64_t client_now_ms(const struct nrtm_client *client);
/** @param standing  STANDING_COUNT: as it is. */
void client_set_standing(struct nrtm_client *client, enum nrtm_standing standing);
void client_note_position(struct nrtm_client *client, int64_t position);
/** Whether there is no stream to come back to soon. */
bool client_is_polling(const struct nrtm_client *client);
/** The server that answers is the one that our position is of. */
void client_bind(struct nrtm_client *client);

/* --- nrtm_end.c --- */
/** client->outcome and why say how: draw the consequences, log, wait for the next session. */
enum client_event client_end_session(struct nrtm_client *client);
