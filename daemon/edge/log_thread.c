/* The log's own thread: everything that may wait for the file system while records come in. Must
 * never hold the mutex across such a call. */
#include "log_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

int64_t log_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The segment that holds the head or the reader, or bytes that are not synced yet, stays. */
static bool can_go(const struct bs_log *log, const struct log_segment *s)
{
    const struct log_segment *next = log_segment_next(s);
    return s != log->current && s != log->unsynced && s != log->reader_in &&
           next->first <= log->release_to && log_segment_end(s) <= log->release_to;
}

static bool can_retired_go(const struct bs_log *log)
{
    const struct log_segment *s = log->retired;
    return s && s != log->reader_in && log_segment_end(s) <= log->release_to;
}

/* Takes the oldest released segment off its list; NULL where there is none. */
static struct log_segment *take_released(struct bs_log *log, bool *ret_retired)
{
    struct log_segment *s = NULL;
    pthread_mutex_lock(&log->mutex);
    *ret_retired = can_retired_go(log);
    if (*ret_retired) {
        s = log->retired;
        log->retired = s->retired_next;
    } else if (can_go(log, log->oldest)) {
        s = log->oldest;
        log->oldest = log_segment_next(s);
        atomic_store(&log->first, log->oldest->first);
    }
    log_unlock(log);
    return s;
}

static void delete_released(struct bs_log *log)
{
    struct log_segment *s;
    bool any = false, retired;
    while ((s = take_released(log, &retired))) {
        if (retired) {
            /* Its name belongs to the segment that replaced it. */
            atomic_fetch_sub(&log->bytes, s->bytes);
            log_segment_free(s);
        } else {
            log_segment_delete(log, s);
        }
        any = true;
    }
    if (!any)
        return;
    log_sync_folder(log);
    pthread_mutex_lock(&log->mutex);
    log->spare_due_ms = 0;
    log_unlock(log);
}

static int make_spare(struct bs_log *log, uint64_t first, struct log_segment **ret)
{
    int error = log_segment_create(log, first, log->options.segment_bytes, ret);
    if (error)
        return error;
    error = log_segment_publish(log, *ret);
    if (error) {
        log_segment_discard(log);
        log_segment_free(*ret);
        *ret = NULL;
    }
    return error;
}

/* A disk that was full is asked before it is filled again, up to the last block, four times a
 * second. */
static int try_spare(struct bs_log *log, uint64_t first, struct log_segment **ret)
{
    if (log_is_full_disk(log->spare_error) &&
        !log_has_space(log->folder_fd, log->options.segment_bytes))
        return log->spare_error;
    return make_spare(log, first, ret);
}

static void provide_spare(struct bs_log *log)
{
    struct log_segment *tail = log->current, *spare = NULL;
    uint64_t bytes = log->options.segment_bytes;
    bool at_bound = log_is_at_bound(log);
    int error = at_bound ? 0 : try_spare(log, log_segment_limit(tail), &spare);

    pthread_mutex_lock(&log->mutex);
    log->spare_error = error;
    log->at_bound = at_bound;
    if (spare) {
        atomic_store_explicit(&tail->next, spare, memory_order_release);
        atomic_fetch_add(&log->bytes, bytes);
    } else {
        log->spare_due_ms = log_now_ms() + LOG_RETRY_MS;
    }
    log_judge(log);
    pthread_cond_broadcast(&log->done);
    log_unlock(log);
}

/* An append failed where only writes can find what a disk takes; whoever appended may wait to be
 * told that it takes them again. */
static void probe_disk(struct bs_log *log)
{
    bool room = log_has_space(log->folder_fd, log->options.segment_bytes);
    pthread_mutex_lock(&log->mutex);
    log->probe_due_ms = log_now_ms() + LOG_RETRY_MS;
    if (room)
        log->write_error = log_append_probe(log);
    log_judge(log);
    log_unlock(log);
}

struct duties {
    bool rescue, trial, release, spare, probe, sync, report;
};

static bool later(int64_t due_ms, int64_t now_ms, int64_t *ret_next_ms)
{
    if (due_ms <= now_ms)
        return false;
    if (due_ms < *ret_next_ms)
        *ret_next_ms = due_ms;
    return true;
}

static bool sync_is_due(struct bs_log *log, int64_t now_ms, int64_t *ret_next_ms)
{
    if (log->sync_error)
        return false;
    if (!log->records_dirty && (!log->marks_dirty || later(log->marks_due_ms, now_ms, ret_next_ms)))
        return false;
    if (log->stopping)
        return true;
    if (log->sync_due_ms < 0)
        log->sync_due_ms = now_ms + log->options.sync_ms;
    return !later(log->sync_due_ms, now_ms, ret_next_ms);
}

/* What is to be done now; under the mutex. */
static struct duties look(struct bs_log *log, int64_t now_ms, int64_t *ret_next_ms)
{
    struct duties d = {0};
    d.release = can_go(log, log->oldest) || can_retired_go(log);
    d.rescue = log->sync_error && !log->on_trial && !later(log->rescue_due_ms, now_ms, ret_next_ms);
    d.trial = log->on_trial && !log->stopping && !later(log->trial_due_ms, now_ms, ret_next_ms);
    d.spare = !log->stopping && !log_segment_next(log->current) &&
              !later(log->spare_due_ms, now_ms, ret_next_ms);
    d.probe = log->write_error && !later(log->probe_due_ms, now_ms, ret_next_ms);
    d.sync = sync_is_due(log, now_ms, ret_next_ms);
    d.report = log->watching && atomic_load(&log->synced) >= log->watch;
    return d;
}

/* Under the mutex, which it leaves. */
static void fulfil(struct bs_log *log, struct duties d)
{
    if (d.report) {
        log->watching = false;
        log->fire_change = true;
    }
    if (d.sync)
        log->sync_due_ms = -1;
    log_unlock(log);
    if (d.rescue)
        log_rescue(log);
    if (d.trial)
        log_try_disk(log);
    if (d.release)
        delete_released(log);
    if (d.spare)
        provide_spare(log);
    if (d.probe)
        probe_disk(log);
    if (d.sync)
        log_sync(log);
}

static void sleep_until(struct bs_log *log, int64_t next_ms)
{
    if (next_ms == INT64_MAX) {
        pthread_cond_wait(&log->work, &log->mutex);
        return;
    }
    struct timespec at = {next_ms / 1000, next_ms % 1000 * 1000000};
    pthread_cond_timedwait(&log->work, &log->mutex, &at);
}

static void *run(void *argument)
{
    struct bs_log *log = argument;
    for (;;) {
        int64_t next_ms = INT64_MAX;
        pthread_mutex_lock(&log->mutex);
        struct duties d = look(log, log_now_ms(), &next_ms);
        if (d.rescue || d.trial || d.release || d.spare || d.probe || d.sync || d.report) {
            fulfil(log, d);
            continue;
        }
        bool stopping = log->stopping;
        if (!stopping)
            sleep_until(log, next_ms);
        log_unlock(log);
        if (stopping)
            return NULL;
    }
}

int log_thread_start(struct bs_log *log)
{
    sigset_t all, before;
    char name[16];
    snprintf(name, sizeof(name), "log %s", log->options.name);
    log->stopping = false;
    log->sync_due_ms = -1;
    /* Signals belong to the program's own loop. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&log->thread, NULL, run, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return error;
    pthread_setname_np(log->thread, name);
    log->running = true;
    return 0;
}

void log_thread_stop(struct bs_log *log)
{
    if (!log->running)
        return;
    pthread_mutex_lock(&log->mutex);
    log->stopping = true;
    log->rescue_due_ms = 0; /* one more try */
    pthread_cond_signal(&log->work);
    log_unlock(log);
    pthread_join(log->thread, NULL);
    log->running = false;
}
