/* Reading, the owner's thread alone. Must never take the mutex for a record that is there, nor
 * check again what was checked: records were scanned at open or written by this process. */
#include "log_internal.h"

#include "backstep/base/check.h"

#include <errno.h>

/* Under the mutex. The segment the place is in; one that was replaced leads on to its successor as
 * one that is read to its end does, only that the place then stands in the middle of that. */
static void settle(struct bs_log *log)
{
    struct log_segment *s = log->reader_segment, *next;
    while ((next = log_segment_next(s)) && log->reader_position >= next->first)
        s = next;
    log->reader_segment = s;
    log->reader_in = s;
}

static bool broken(struct bs_log *log)
{
    pthread_mutex_lock(&log->mutex);
    log->reader_broken = true;
    log_judge(log);
    log_unlock(log);
    return false;
}

bool bs_log_read(struct bs_log *log, struct bs_record *ret)
{
    uint64_t head = atomic_load_explicit(&log->head, memory_order_acquire);
    if (log->reader_position >= head || log->reader_broken)
        return false;
    struct log_segment *s = log->reader_segment;
    while (log->reader_position >= log_segment_end(s)) {
        s = log_segment_next(s);
        bs_check(s != NULL);
        log->reader_segment = s;
        if (log->reader_position < s->first)
            log->reader_position = s->first;
        /* A segment that was begun behind a gap, and nothing in it yet. */
        if (log->reader_position >= head)
            return false;
    }
    uint64_t position = log->reader_position;
    if (!log_record_read(s->at + log_segment_offset(s, position), position,
                         log_segment_end(s) - position, ret))
        return broken(log);
    log->reader_position = ret->next;
    return true;
}

bool bs_log_sleep(struct bs_log *log)
{
    pthread_mutex_lock(&log->mutex);
    log->asleep = log->reader_position >= atomic_load_explicit(&log->head, memory_order_relaxed);
    bool asleep = log->asleep;
    log_unlock(log);
    return asleep;
}

void bs_log_seek(struct bs_log *log, uint64_t position)
{
    pthread_mutex_lock(&log->mutex);
    bs_check(position >= log->oldest->first && position <= atomic_load(&log->head));
    log->reader_segment = log->oldest;
    log->reader_position = position;
    settle(log);
    log_unlock(log);
}

void bs_log_release(struct bs_log *log, uint64_t position)
{
    bs_check(position <= atomic_load_explicit(&log->head, memory_order_acquire));
    if (log->reader_position < position)
        log->reader_position = position;
    pthread_mutex_lock(&log->mutex);
    settle(log);
    if (log->release_to < position)
        log->release_to = position;
    const struct log_segment *second = log_segment_next(log->oldest);
    if (log->retired || (second && second->first <= position))
        pthread_cond_signal(&log->work);
    log_unlock(log);
}
