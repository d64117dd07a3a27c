/* Appending. Must never wait for the file system but where it was asked to (sync_ms 0), and must
 * never let the reader see a record that is not whole. */
#include "log_internal.h"

#include "backstep/base/check.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#define PARTS_MAX 8

struct addition {
    struct log_record_head head;
    const struct bs_slice *parts;
    size_t part_count;
};

static uint64_t room_in(const struct log_segment *s)
{
    return log_segment_limit(s) - log_segment_end(s);
}

/* A segment is left only when all of it is on the disk. Else a power cut could take its end and
 * leave records of the next one, and nobody could tell such a hole: rows would stay that tell of
 * what is gone, or be missing that are taken for written. True where it waited: look again. */
static bool wait_for_whole(struct bs_log *log)
{
    if (atomic_load_explicit(&log->synced, memory_order_relaxed) >= log_segment_end(log->current))
        return false;
    log->sync_due_ms = 0;
    pthread_cond_signal(&log->work);
    pthread_cond_wait(&log->done, &log->mutex);
    return true;
}

/* Of the last room that there is, messages leave some to records of our own: without one nothing
 * more could happen that ever gave room. */
static uint64_t kept_from(const struct bs_log *log, enum bs_record_type type)
{
    bool last = !log_segment_next(log->current) && (log->spare_error || log->at_bound);
    return last && type == BS_RECORD_MESSAGE ? BS_LOG_OWN_BYTES : 0;
}

/* Moves on to the spare where the record does not fit. Waits only while the log's thread is at work
 * on a spare (that is a burst faster than the disk, not a full one), and once a segment for a sync.
 */
static enum bs_status make_room(struct bs_log *log, enum bs_record_type type, uint64_t bytes)
{
    for (;;) {
        if (log->sync_error)
            return BS_IO;
        if (bytes + kept_from(log, type) <= room_in(log->current))
            return BS_OK;
        struct log_segment *spare = log_segment_next(log->current);
        if (spare && wait_for_whole(log))
            continue;
        if (spare) {
            log->current = spare;
            log->at_bound = log_is_at_bound(log);
            pthread_cond_signal(&log->work);
        } else if (log->spare_error) {
            return log_is_full_disk(log->spare_error) ? BS_NO_SPACE : BS_IO;
        } else if (log->at_bound) {
            return BS_FULL;
        } else {
            pthread_cond_wait(&log->done, &log->mutex);
        }
    }
}

static void put_mapped(const struct addition *a, char *at)
{
    char *body = at + LOG_RECORD_HEAD_BYTES;
    log_record_head_write(&a->head, at);
    for (size_t i = 0; i < a->part_count; i++) {
        if (a->parts[i].length > 0)
            memcpy(body, a->parts[i].at, a->parts[i].length);
        body += a->parts[i].length;
    }
    log_record_seal(at, a->head.length);
}

static ssize_t write_parts(int fd, const struct iovec *v, int count, uint64_t offset)
{
    ssize_t n;
    do
        n = pwritev(fd, v, count, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Zeros where zeros are; a block of them, or what is left. */
int log_append_probe(struct bs_log *log)
{
    static char zeros[4096];
    const struct log_segment *s = log->current;
    uint64_t left = log_segment_limit(s) - log_segment_end(s);
    struct iovec v = {zeros, left < sizeof(zeros) ? (size_t)left : sizeof(zeros)};
    ssize_t n = write_parts(s->fd, &v, 1, log_segment_offset(s, log_segment_end(s)));
    return n < 0 ? errno : 0;
}

/* The CRC goes over what the caller holds; nothing is copied. */
static int put_written(const struct addition *a, int fd, uint64_t offset)
{
    char head[LOG_RECORD_HEAD_BYTES];
    struct iovec v[1 + PARTS_MAX] = {{head, sizeof(head)}};
    log_record_head_write(&a->head, head);
    uint32_t crc = log_crc(0, head + 4, sizeof(head) - 4);
    for (size_t i = 0; i < a->part_count; i++) {
        crc = log_crc(crc, a->parts[i].at, a->parts[i].length);
        v[1 + i] = (struct iovec){(void *)(uintptr_t)a->parts[i].at, a->parts[i].length};
    }
    log_record_put_crc(head, crc);
    ssize_t n = write_parts(fd, v, 1 + (int)a->part_count, offset);
    if (n < 0)
        return errno;
    /* A part of it stands there now; the next append writes over it, recovery cuts it. */
    return (uint64_t)n == sizeof(head) + a->head.length ? 0 : ENOSPC;
}

static enum bs_status put(struct bs_log *log, struct addition *a)
{
    struct log_segment *s = log->current;
    a->head.position = log_segment_end(s);
    a->head.tick = log->options.stamp(log->options.context);
    bs_check(a->head.tick.ms >= log->last_tick.ms);
    uint64_t offset = log_segment_offset(s, a->head.position);
    if (log->pwrites) {
        int error = put_written(a, s->fd, offset);
        if (error != log->write_error) {
            log->write_error = error;
            log->probe_due_ms = log_now_ms() + LOG_RETRY_MS;
            pthread_cond_signal(&log->work);
            log_judge(log);
        }
        if (error)
            return log_is_full_disk(error) ? BS_NO_SPACE : BS_IO;
    } else {
        put_mapped(a, s->at + offset);
    }
    log->last_tick = a->head.tick;
    return BS_OK;
}

static void publish(struct bs_log *log, uint64_t end)
{
    atomic_store_explicit(&log->current->end, end, memory_order_relaxed);
    atomic_store_explicit(&log->head, end, memory_order_release);
    log->appended = true;
    log->fire_record = log->asleep;
    log->asleep = false;
    if (!log->records_dirty) {
        log->records_dirty = true;
        pthread_cond_signal(&log->work);
    }
    if (log->at_bound)
        log_judge(log);
}

static enum bs_status wait_for_sync(struct bs_log *log, uint64_t position)
{
    pthread_mutex_lock(&log->mutex);
    while (atomic_load_explicit(&log->synced, memory_order_relaxed) < position &&
           !log->rescue_failed)
        pthread_cond_wait(&log->done, &log->mutex);
    bool safe = atomic_load_explicit(&log->synced, memory_order_relaxed) >= position;
    log_unlock(log);
    return safe ? BS_OK : BS_IO;
}

enum bs_status bs_log_append(struct bs_log *log, enum bs_record_type type, uint8_t flags,
                             const struct bs_slice *parts, size_t part_count,
                             uint64_t *ret_position)
{
    struct addition a = {.parts = parts, .part_count = part_count};
    size_t length = 0;
    for (size_t i = 0; i < part_count; i++)
        length += parts[i].length;
    bs_check(type != 0 && length <= BS_RECORD_BODY_MAX && part_count <= PARTS_MAX);
    uint64_t bytes = log_record_bytes(length), end = 0;
    if (bytes > log->options.segment_bytes - LOG_HEADER_BYTES)
        return BS_INVALID;
    a.head.length = (uint32_t)length;
    a.head.type = (uint8_t)type;
    a.head.flags = flags;

    pthread_mutex_lock(&log->mutex);
    enum bs_status status = make_room(log, type, bytes);
    if (status == BS_OK)
        status = put(log, &a);
    if (status == BS_OK) {
        end = a.head.position + bytes;
        publish(log, end);
    }
    log_unlock(log);
    if (status == BS_OK && log->options.sync_ms == 0)
        status = wait_for_sync(log, end);
    if (status == BS_OK && ret_position)
        *ret_position = end;
    return status;
}
