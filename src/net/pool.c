/*
 * One lock guards the queue and the list of all jobs that are out. A job that has run goes back
 * through its loop's door; the list is what pool_free() still finds after the loops have ended.
 */
#include "net/pool.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/internal.h"

struct pool {
    char name[16];
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct pool_job *queue_first, *queue_last;
    size_t queued, queue_max;
    struct pool_job *out; /* Handed in, not back yet. */
    pthread_t *threads;
    size_t thread_count;
    bool is_stopping;
};

/* --- under the lock --- */

static void enqueue(struct pool *pool, struct pool_job *job)
{
    job->queue_next = NULL;
    if (pool->queue_first == NULL) {
        pool->queue_first = job;
    } else {
        pool->queue_last->queue_next = job;
    }
    pool->queue_last = job;
    pool->queued++;
    job->is_queued = true;
}

static void dequeue(struct pool *pool, struct pool_job *job)
{
    struct pool_job **link = &pool->queue_first, *before = NULL;

    while (*link != job) {
        before = *link;
        link = &before->queue_next;
    }
    *link = job->queue_next;
    if (pool->queue_last == job) {
        pool->queue_last = before;
    }
    pool->queued--;
    job->is_queued = false;
}

static void hand_out(struct pool *pool, struct pool_job *job)
{
    job->next = pool->out;
    job->link = &pool->out;
    if (job->next != NULL) {
        job->next->link = &job->next;
    }
    pool->out = job;
}

static void take_back(struct pool_job *job)
{
    *job->link = job->next;
    if (job->next != NULL) {
        job->next->link = job->link;
    }
}

/* --- a job's way --- */

static void on_back(struct loop_job *back)
{
    struct pool_job *job = (struct pool_job *)((char *)back - offsetof(struct pool_job, back));

    pthread_mutex_lock(&job->pool->lock);
    take_back(job);
    pthread_mutex_unlock(&job->pool->lock);
    job->done(job);
}

static void *run_thread(void *argument)
{
    struct pool *pool = argument;

    pthread_setname_np(pthread_self(), pool->name);
    pthread_mutex_lock(&pool->lock);
    while (!pool->is_stopping) {
        struct pool_job *job = pool->queue_first;

        if (job == NULL) {
            pthread_cond_wait(&pool->has_work, &pool->lock);
            continue;
        }
        dequeue(pool, job);
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
        loop_post(job->loop, &job->back);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

bool pool_submit(struct pool *pool, struct loop *loop, struct pool_job *job)
{
    bool has_room;

    pthread_mutex_lock(&pool->lock);
    has_room = pool->queued < pool->queue_max;
    if (has_room) {
        job->pool = pool;
        job->loop = loop;
        job->back = (struct loop_job){.run = on_back};
        enqueue(pool, job);
        hand_out(pool, job);
        pthread_cond_signal(&pool->has_work);
    }
    pthread_mutex_unlock(&pool->lock);
    return has_room;
}

bool pool_cancel(struct pool_job *job)
{
    struct pool *pool = job->pool;
    bool was_queued;

    pthread_mutex_lock(&pool->lock);
    was_queued = job->is_queued;
    if (was_queued) {
        dequeue(pool, job);
        take_back(job);
    }
    pthread_mutex_unlock(&pool->lock);
    return was_queued;
}

/* --- life --- */

enum err pool_new(const char *name, size_t threads, size_t queue_max, struct pool **out,
                  struct why *why)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    int rc = 0;

    if (pool == NULL || (pool->threads = calloc(threads, sizeof(*pool->threads))) == NULL) {
        abort();
    }
    snprintf(pool->name, sizeof(pool->name), "%s", name);
    pool->queue_max = queue_max;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    while (pool->thread_count < threads && rc == 0) {
        rc = thread_start(&pool->threads[pool->thread_count], run_thread, pool);
        pool->thread_count += rc == 0;
    }
    if (rc != 0) {
        pool_free(pool);
        return why_set(why, ERR_IO, "cannot start thread %s: %s", name, strerror(rc));
    }
    *out = pool;
    return ERR_OK;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->thread_count; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    while (pool->out != NULL) {
        struct pool_job *job = pool->out;

        loop_unpost(job->loop, &job->back);
        take_back(job);
        job->done(job);
    }
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->has_work);
    free(pool->threads);
    free(pool);
}
