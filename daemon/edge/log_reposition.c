/* Moving the log's end before a run begins: back, where another log has lost what these records
 * came of; on, where a snapshot knows more than a power loss left. Must never run beside the log's
 * thread, and leaves at each step what the next start can open. */
#include "log_internal.h"

#include "backstep/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct log_segment *segment_of(const struct bs_log *log, uint64_t position)
{
    struct log_segment *s = log->oldest, *next;
    while ((next = log_segment_next(s)) && next->first <= position)
        s = next;
    return s;
}

/* From the last one backwards, so that what stands between is a log at any time. */
static int delete_behind(struct bs_log *log, struct log_segment *s)
{
    int error = 0;
    while (log_segment_next(s)) {
        struct log_segment *before = s, *last = log_segment_next(s);
        for (struct log_segment *next; (next = log_segment_next(last)); last = next)
            before = last;
        atomic_store(&before->next, NULL);
        int failed = log_segment_delete(log, last);
        error = error ? error : failed;
    }
    int failed = log_sync_folder(log);
    return error ? error : failed;
}

static int cut_at(struct bs_log *log, struct log_segment *s, uint64_t position)
{
    int error = s->fd < 0 ? log_segment_reopen(log, s) : 0;
    if (error)
        return error;
    uint64_t from = log_segment_offset(s, position);
    return log_segment_zero(s, from, log_segment_used(s, from, s->bytes));
}

static enum bs_status go_on(struct bs_log *log, int error, uint64_t head)
{
    if (!error) {
        log->unsynced = log->current;
        log->records_dirty = false;
        log->spare_due_ms = 0;
        atomic_store(&log->synced, head);
        atomic_store(&log->head, head);
        if (log->reader_position > head)
            log->reader_position = head;
        bs_log_seek(log, log->reader_position);
        error = log_thread_start(log);
    }
    return error == 0 ? BS_OK : log_is_full_disk(error) ? BS_NO_SPACE : BS_IO;
}

enum bs_status bs_log_truncate(struct bs_log *log, uint64_t position)
{
    bs_check(!log->appended && position >= log->oldest->first);
    if (position >= atomic_load(&log->head))
        return BS_OK;
    log_thread_stop(log);
    struct log_segment *s = segment_of(log, position);
    int error = delete_behind(log, s);
    if (!error)
        error = cut_at(log, s, position);
    log->current = s;
    atomic_store(&s->end, position);
    return go_on(log, error, position);
}

enum bs_status bs_log_continue_at(struct bs_log *log, uint64_t position)
{
    bs_check(!log->appended && position % 8 == 0);
    if (position <= atomic_load(&log->head))
        return BS_OK;
    log_thread_stop(log);
    struct log_segment *s = log->current;
    int error = delete_behind(log, s);
    if (!error)
        error = log_begin_segment(log, position);
    return go_on(log, error, position);
}
