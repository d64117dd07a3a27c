/* How the log is, and who is told. Must never call back with the mutex held. */
#include "log_internal.h"

#include <errno.h>

void log_unlock(struct bs_log *log)
{
    bool record = log->fire_record, change = log->fire_change;
    log->fire_record = log->fire_change = false;
    pthread_mutex_unlock(&log->mutex);
    if (record && log->options.on_record)
        log->options.on_record(log->options.context);
    if (change && log->options.on_change)
        log->options.on_change(log->options.context);
}

static struct bs_log_condition of_error(int error)
{
    return (struct bs_log_condition){log_is_full_disk(error) ? BS_LOG_DISK_FULL : BS_LOG_IO_ERROR,
                                     error};
}

static struct bs_log_condition work_out(const struct bs_log *log)
{
    uint64_t left = log_segment_limit(log->current) - log_segment_end(log->current);
    if (log->sync_error)
        return (struct bs_log_condition){BS_LOG_IO_ERROR, log->sync_error};
    if (log->reader_broken)
        return (struct bs_log_condition){BS_LOG_IO_ERROR, EBADMSG};
    if (log->write_error)
        return of_error(log->write_error);
    if (log->spare_error)
        return of_error(log->spare_error);
    if (log->marks_error)
        return of_error(log->marks_error);
    if (log->at_bound && left < log->options.reserve_bytes)
        return (struct bs_log_condition){BS_LOG_AT_BOUND, 0};
    return (struct bs_log_condition){BS_LOG_WELL, 0};
}

void log_judge(struct bs_log *log)
{
    struct bs_log_condition c = work_out(log);
    uint64_t packed = (uint64_t)c.trouble << 32 | (uint32_t)c.error;
    if (atomic_exchange(&log->condition, packed) != packed)
        log->fire_change = true;
}

struct bs_log_condition bs_log_condition(const struct bs_log *log)
{
    uint64_t packed = atomic_load(&log->condition);
    return (struct bs_log_condition){(enum bs_log_trouble)(packed >> 32), (int)(uint32_t)packed};
}

void bs_log_watch_sync(struct bs_log *log, uint64_t position)
{
    pthread_mutex_lock(&log->mutex);
    log->watching = true;
    log->watch = position;
    pthread_cond_signal(&log->work);
    log_unlock(log);
}
