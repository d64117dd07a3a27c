/* Making appended bytes durable, and what follows when that fails. Must never count a byte as
 * synced because a later sync of the same file succeeded: the kernel reports a failed write-back
 * once and then takes the lost pages for clean. */
#include "log_internal.h"

#include <errno.h>
#include <unistd.h>

/* Under the mutex. */
static void advance(struct bs_log *log, uint64_t synced)
{
    atomic_store_explicit(&log->synced, synced, memory_order_release);
    pthread_cond_broadcast(&log->done);
}

static void fail(struct bs_log *log, int error)
{
    pthread_mutex_lock(&log->mutex);
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
