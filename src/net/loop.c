/*
 * A loop is a libev loop and a door for other threads: a locked queue of jobs with an ev_async to
 * ring. Jobs are taken out one by one, so that a job can still be unposted by the one that runs
 * before it.
 */
#include "net/loop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "net/internal.h"

static struct loop_job *take_job(struct loop *loop)
{
    struct loop_job *job;

    pthread_mutex_lock(&loop->lock);
    job = loop->first_job;
    if (job != NULL) {
        loop->first_job = job->next;
        job->is_queued = false;
    }
    pthread_mutex_unlock(&loop->lock);
    return job;
}

static void on_door(struct ev_loop *ev, struct ev_async *w, int revents)
{
    struct loop *loop = w->data;
    struct loop_job *job, *last;
    /* Asked first: what was posted before the stop is in the queue by now. */
    bool is_stopping = atomic_load(&loop->is_stopping);

    /* Up to the job that is last now: one that posts itself again must not keep others waiting. */
    pthread_mutex_lock(&loop->lock);
    last = loop->first_job != NULL ? loop->last_job : NULL;
    pthread_mutex_unlock(&loop->lock);
    do {
        job = take_job(loop);
        if (job != NULL) {
            job->run(job);
        }
    } while (job != NULL && job != last);
    if (is_stopping) {
        ev_break(ev, EVBREAK_ALL);
    }
}

static void on_iteration(struct ev_loop *ev, struct ev_check *w, int revents)
{
    struct loop *loop = w->data;

    loop->hook(loop->hook_context);
}

struct loop *loop_new(const char *name)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL) {
        return NULL;
    }
    loop->ev = ev_loop_new(EVFLAG_AUTO);
    if (loop->ev == NULL) {
        free(loop);
        return NULL;
    }
    snprintf(loop->name, sizeof(loop->name), "%s", name);
    pthread_mutex_init(&loop->lock, NULL);
    ev_async_init(&loop->door, on_door);
    loop->door.data = loop;
    ev_async_start(loop->ev, &loop->door);
    conn_group_init(loop);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    conn_group_fini(loop);
    ev_loop_destroy(loop->ev);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

void loop_run(struct loop *loop)
{
    /* A stop or a post before this rang the door already; libev remembers. */
    ev_run(loop->ev, 0);
}

int thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    /* The new thread inherits the mask. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void *run_thread(void *argument)
{
    struct loop *loop = argument;

    pthread_setname_np(pthread_self(), loop->name);
    if (loop->slice_us != 0) {
        (void)slice_ask(loop->slice_us); /* Without it the loop is as good, others may wait. */
    }
    loop_run(loop);
    return NULL;
}

void loop_set_slice(struct loop *loop, unsigned us)
{
    loop->slice_us = us;
}

enum err loop_start_thread(struct loop *loop, struct why *why)
{
    int rc = thread_start(&loop->thread, run_thread, loop);

    if (rc != 0) {
        return why_set(why, ERR_IO, "cannot start thread %s: %s", loop->name, strerror(rc));
    }
    loop->has_thread = true;
    return ERR_OK;
}

void loop_join(struct loop *loop)
{
    if (loop->has_thread) {
        pthread_join(loop->thread, NULL);
        loop->has_thread = false;
    }
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    ev_async_send(loop->ev, &loop->door);
}

void loop_post(struct loop *loop, struct loop_job *job)
{
    pthread_mutex_lock(&loop->lock);
    if (!job->is_queued) {
        job->is_queued = true;
        job->next = NULL;
        if (loop->first_job == NULL) {
            loop->first_job = job;
        } else {
            loop->last_job->next = job;
        }
        loop->last_job = job;
    }
    pthread_mutex_unlock(&loop->lock);
    ev_async_send(loop->ev, &loop->door);
}

void loop_unpost(struct loop *loop, struct loop_job *job)
{
    struct loop_job **link = &loop->first_job, *previous = NULL;

    pthread_mutex_lock(&loop->lock);
    while (*link != NULL && *link != job) {
        previous = *link;
        link = &previous->next;
    }
    if (*link != NULL) {
        *link = job->next;
        job->is_queued = false;
        if (loop->last_job == job) {
            loop->last_job = previous;
        }
    }
    pthread_mutex_unlock(&loop->lock);
}

void loop_wake(struct loop *loop)
{
    ev_async_send(loop->ev, &loop->door);
}

void loop_on_iteration(struct loop *loop, void (*hook)(void *context), void *context)
{
    loop->hook = hook;
    loop->hook_context = context;
    if (!ev_is_active(&loop->iteration)) {
        /* Check watchers run after the poll; with the highest priority, before every event. */
        ev_check_init(&loop->iteration, on_iteration);
        ev_set_priority(&loop->iteration, EV_MAXPRI);
        loop->iteration.data = loop;
        ev_check_start(loop->ev, &loop->iteration);
    }
}

struct ev_loop *loop_ev(struct loop *loop)
{
    return loop->ev;
}

static void on_timer(struct ev_loop *ev, struct ev_timer *w, int revents)
{
    struct loop_timer *timer = w->data;

    timer->fire(timer->context);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, double after_s, double repeat_s,
                      void (*fire)(void *context), void *context)
{
    loop_timer_stop(timer);
    timer->loop = loop;
    timer->fire = fire;
    timer->context = context;
    ev_timer_init(&timer->ev, on_timer, after_s, repeat_s);
    timer->ev.data = timer;
    ev_timer_start(loop->ev, &timer->ev);
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (timer->loop != NULL) {
        ev_timer_stop(timer->loop->ev, &timer->ev);
    }
}
