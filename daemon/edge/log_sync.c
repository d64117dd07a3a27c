/* Making appended bytes durable, and what follows when that fails. Must never count a byte as
 * synced because a later sync of the same file succeeded: the kernel reports a failed write-back
 * once and then takes the lost pages for clean. */
#include "log_internal.h"

#include <errno.h>
#include <unistd.h>

#define FAILING_MS 60000
#define TRIAL_MS   1000
#define TRIAL_MOST 30

/* Under the mutex. */
static void advance(struct bs_log *log, uint64_t synced)
{
    atomic_store_explicit(&log->synced, synced, memory_order_release);
    pthread_cond_broadcast(&log->done);
}

/* Under the mutex. One failure is made good, and that is all; one that comes again within a minute
 * is a disk's that must not be trusted at once: each would cost a segment. */
static void note_failure(struct bs_log *log)
{
    int64_t first_ms = log->options.trial_ms ? log->options.trial_ms : TRIAL_MS;
    int64_t now_ms = log_now_ms(), longer_ms = 2 * log->trial_wait_ms;
    bool again = log->failed_ms > 0 && now_ms - log->failed_ms < FAILING_MS;
    if (longer_ms < first_ms)
        longer_ms = first_ms;
    if (longer_ms > TRIAL_MOST * first_ms)
        longer_ms = TRIAL_MOST * first_ms;
    log->trial_wait_ms = again ? longer_ms : 0;
    log->trial_due_ms = now_ms + log->trial_wait_ms;
    log->failed_ms = now_ms;
}

static void fail(struct bs_log *log, int error)
{
    pthread_mutex_lock(&log->mutex);
    note_failure(log);
    log->sync_error = error;
    log->rescue_due_ms = 0;
    log_judge(log);
    log_unlock(log);
}

/* One segment, as far as it was written when the sync began. True where there is another one. */
static bool sync_one(struct bs_log *log)
{
    pthread_mutex_lock(&log->mutex);
    struct log_segment *s = log->unsynced;
    uint64_t end = log_segment_end(s);
    bool closed = s != log->current;
    bool due = end > atomic_load_explicit(&log->synced, memory_order_relaxed);
    if (!closed)
        log->records_dirty = false;
    log_unlock(log);

    int error = due ? log_sync_file(s->fd) : 0;
    if (error) {
        fail(log, error);
        return false;
    }
    if (closed) {
        close(s->fd);
        s->fd = -1;
    }
    pthread_mutex_lock(&log->mutex);
    if (due)
        advance(log, end);
    if (closed)
        log->unsynced = log_segment_next(s);
    log_unlock(log);
    return closed;
}

void log_sync(struct bs_log *log)
{
    while (sync_one(log))
        continue;
    log_marks_sync(log);
}

/* A segment that holds what s has from `from` on, in s's own positions and up to its limit, so that
 * what is behind s, and the arithmetic, stay as they are. On disk it cuts s short: a segment ends
 * where its successor's positions begin. */
static int copy_segment(struct bs_log *log, const struct log_segment *s, uint64_t from,
                        struct log_segment **ret)
{
    struct log_segment *copy;
    uint64_t end = log_segment_end(s);
    int error =
        log_segment_create(log, from, LOG_HEADER_BYTES + (log_segment_limit(s) - from), &copy);
    if (error)
        return error;
    error =
        log_write_all(copy->fd, s->at + log_segment_offset(s, from), end - from, LOG_HEADER_BYTES);
    if (!error)
        error = log_sync_file(copy->fd);
    if (!error)
        error = log_segment_publish(log, copy);
    if (error) {
        log_segment_discard(log);
        log_segment_free(copy);
        return error;
    }
    atomic_store(&copy->end, end);
    *ret = copy;
    return 0;
}

/* Under the mutex. The reader may stand in s and hold bodies in its map: s leads on to the copy,
 * and stays mapped until it is released. */
static void splice(struct bs_log *log, struct log_segment *s, struct log_segment *copy)
{
    atomic_store(&copy->next, log_segment_next(s));
    if (copy->first == s->first) {
        struct log_segment *before = NULL;
        for (struct log_segment *i = log->oldest; i != s; i = log_segment_next(i))
            before = i;
        if (before)
            atomic_store(&before->next, copy);
        else
            log->oldest = copy;
        s->retired_next = log->retired;
        log->retired = s;
    }
    atomic_store(&s->next, copy);
    if (log->current == s)
        log->current = copy;
    log->unsynced = copy;
    atomic_fetch_add(&log->bytes, copy->bytes);
}

/* Nothing is appended while sync_error stands, so the unsynced records stand still. */
void log_rescue(struct bs_log *log)
{
    struct log_segment *s = log->unsynced, *copy;
    uint64_t synced = atomic_load(&log->synced);
    int error = copy_segment(log, s, synced > s->first ? synced : s->first, &copy);

    pthread_mutex_lock(&log->mutex);
    if (error) {
        log->rescue_failed = true;
        log->rescue_due_ms = log_now_ms() + LOG_RETRY_MS;
        pthread_cond_broadcast(&log->done);
    } else {
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        splice(log, s, copy);
        log->on_trial = log->trial_wait_ms > 0;
        if (!log->on_trial)
            log->sync_error = 0;
        log->rescue_failed = false;
        advance(log, log_segment_end(copy));
        /* Segments behind it have had no sync yet. */
        log->records_dirty = true;
        log->sync_due_ms = 0;
        log_judge(log);
    }
    log_unlock(log);
}

/* On a file of its own, so that a failure tells nothing away of those that hold records. */
void log_try_disk(struct bs_log *log)
{
    struct log_segment *trial;
    int error = log_segment_create(log, 0, BS_LOG_SEGMENT_BYTES_MIN, &trial);
    if (!error) {
        log_segment_discard(log);
        log_segment_free(trial);
    }
    pthread_mutex_lock(&log->mutex);
    if (error) {
        note_failure(log);
    } else {
        log->on_trial = false;
        log->sync_error = 0;
        log_judge(log);
    }
    log_unlock(log);
}
