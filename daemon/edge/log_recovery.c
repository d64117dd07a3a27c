/* What opening makes of the folder: which segments there are, where each one's records end, where
 * the log ends. Must never give a record twice, nor one behind damage in the last segment, and must
 * never delete what it could not read: that is set aside. */
#include "log_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the first segments there may be when max_bytes was larger before: enough for any folder, and
 * an end to what a folder full of rubbish can take. */
#define SEGMENTS_MAX 65536u

/* Of the end of the log, written again at each opening: a second of the fastest intake. */
#define TAIL_BYTES   (8u << 20)

struct found {
    struct log_segment *segment;
    uint64_t first;
    uint64_t limit; /* offset where the next segment's positions begin, or the file ends */
    uint64_t used;  /* offset behind the last byte that is not zero */
};

struct survey {
    struct found *found;
    size_t count;
    uint64_t beyond; /* no position below it may be given again: segments that were set aside */
};

void log_note(struct bs_log_recovery *r, const char *format, ...)
{
    size_t length = strlen(r->message);
    if (length > 0 && length < sizeof(r->message) - 1)
        length += (size_t)snprintf(r->message + length, sizeof(r->message) - length, "; ");
    if (length >= sizeof(r->message))
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->message + length, sizeof(r->message) - length, format, arguments);
    va_end(arguments);
}

static enum bs_status fail(struct bs_log *log, struct bs_log_recovery *r, const char *what,
                           uint64_t first, int error)
{
    char name[LOG_NAME_MAX];
    log_segment_name(log, first, name);
    log_note(r, "%s/%s: %s: %s", log->options.directory, name, what, strerror(error));
    return log_status_of(error);
}

static int by_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static enum bs_status add_found(struct survey *s, uint64_t first)
{
    if (s->count == SEGMENTS_MAX)
        return BS_FULL;
    if (s->count % 64 == 0) {
        struct found *more = realloc(s->found, (s->count + 64) * sizeof(*more));
        if (!more)
            return BS_NO_MEMORY;
        s->found = more;
    }
    s->found[s->count++] = (struct found){.first = first};
    return BS_OK;
}

static enum bs_status list_folder(struct bs_log *log, struct survey *s, struct bs_log_recovery *r)
{
    int fd = openat(log->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        log_note(r, "%s: %s", log->options.directory, strerror(errno));
        if (fd >= 0)
            close(fd);
        return BS_IO;
    }
    enum bs_status status = BS_OK;
    uint64_t first;
    for (struct dirent *e; status == BS_OK && (e = readdir(folder));)
        if (log_segment_parse_name(log, e->d_name, &first))
            status = add_found(s, first);
    closedir(folder);
    if (s->count > 0)
        qsort(s->found, s->count, sizeof(*s->found), by_first);
    return status;
}

/* A file whose header is bad: nothing in it can be trusted to be where it says. */
static enum bs_status put_aside(struct bs_log *log, struct survey *s, struct found *f,
                                struct bs_log_recovery *r)
{
    char name[LOG_NAME_MAX], aside[LOG_NAME_MAX + 16];
    log_segment_name(log, f->first, name);
    snprintf(aside, sizeof(aside), "%s.damaged", name);
    if (renameat(log->folder_fd, name, log->folder_fd, aside) != 0)
        return fail(log, r, "cannot be set aside", f->first, errno);
    log_note(r, "%s/%s: bad header, set aside", log->options.directory, aside);
    r->damaged_segments++;
    /* Its positions may have been given out, up to the end it would have had. */
    uint64_t beyond = f->first + log->options.segment_bytes - LOG_HEADER_BYTES;
    if (beyond > s->beyond)
        s->beyond = beyond;
    return BS_OK;
}

static enum bs_status open_all(struct bs_log *log, struct survey *s, struct bs_log_recovery *r)
{
    size_t kept = 0;
    enum bs_status status = BS_OK;
    for (size_t i = 0; i < s->count && status == BS_OK; i++) {
        struct found f = s->found[i];
        int error = 0;
        status = log_segment_open(log, f.first, &f.segment, &error);
        if (status == BS_OK)
            s->found[kept++] = f;
        else if (status == BS_CORRUPT)
            status = put_aside(log, s, &f, r);
        else
            fail(log, r, status == BS_INVALID ? "written by another version" : "cannot be opened",
                 f.first, status == BS_INVALID ? EPROTONOSUPPORT : error);
    }
    s->count = kept;
    return status;
}

/* Where a segment was replaced from some position on (a sync had failed), what the older file still
 * holds from there on counts no more: its successor begins inside it. */
static void set_limits(struct survey *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct found *f = &s->found[i];
        f->limit = f->segment->bytes;
        if (i + 1 < s->count && s->found[i + 1].first < log_segment_limit(f->segment))
            f->limit = log_segment_offset(f->segment, s->found[i + 1].first);
    }
}

static void scan(struct bs_log *log, struct found *f)
{
    struct log_segment *s = f->segment;
    struct bs_record record;
    size_t at = LOG_HEADER_BYTES;
    madvise(s->at, s->bytes, MADV_SEQUENTIAL);
    while (bs_log_scan(bs_slice_of(s->at, (size_t)f->limit), at, s->first, &record, &at) == BS_OK) {
        atomic_store_explicit(&s->end, record.next, memory_order_relaxed);
        if (record.tick.ms > log->last_tick.ms)
            log->last_tick = record.tick;
    }
    madvise(s->at, s->bytes, MADV_NORMAL);
    f->used = log_segment_used(s, at, f->limit);
}

static uint64_t end_offset(const struct found *f)
{
    return log_segment_offset(f->segment, log_segment_end(f->segment));
}

/* What stands behind the last good record is zeroed, so that it can never be taken for records
 * once new ones have been written up to it. In any but the last segment it may be records that
 * were synced once, so that file is kept as it was found, too. */
static enum bs_status cut(struct bs_log *log, struct found *f, bool last, struct bs_log_recovery *r)
{
    uint64_t end = end_offset(f), lost = f->used - end;
    if (lost == 0)
        return BS_OK;
    char name[LOG_NAME_MAX];
    log_segment_name(log, f->first, name);
    r->lost_bytes += lost;
    log_note(r, "%s/%s: bad record at byte %llu, %llu bytes from there on %s",
             log->options.directory, name, (unsigned long long)end, (unsigned long long)lost,
             last ? "cut" : "lost, set aside");
    if (!last) {
        r->damaged_segments++;
        int error = log_segment_set_aside(log, f->segment);
        if (error) {
            /* Found again at the next start; until then the records before it are read. */
            fail(log, r, "cannot be copied", f->first, error);
            return BS_OK;
        }
    }
    int error = log_segment_zero(f->segment, end, f->used);
    return error ? fail(log, r, "cannot be cut", f->first, error) : BS_OK;
}

/* The last segment that anything was ever written to; behind it stands at most the spare. */
static size_t find_last(const struct survey *s)
{
    size_t last = 0;
    for (size_t i = 0; i < s->count; i++)
        if (log_segment_end(s->found[i].segment) > s->found[i].first ||
            s->found[i].used > end_offset(&s->found[i]))
            last = i;
    return last;
}

/* Links what stays; empty segments behind the last one are deleted but for its spare. */
static void link_segments(struct bs_log *log, struct survey *s, size_t last)
{
    struct log_segment *tail = NULL;
    for (size_t i = 0; i < s->count; i++) {
        struct log_segment *segment = s->found[i].segment;
        s->found[i].segment = NULL;
        atomic_fetch_add(&log->bytes, segment->bytes);
        bool spare = i == last + 1 && segment->first == log_segment_limit(tail) &&
                     segment->bytes == log->options.segment_bytes && segment->first >= s->beyond;
        if (i > last && !spare) {
            log_segment_delete(log, segment);
            continue;
        }
        if (tail)
            atomic_store(&tail->next, segment);
        else
            log->oldest = segment;
        if (i <= last)
            log->current = segment;
        tail = segment;
    }
}

/* A process that saw a sync fail may have died of it: since then the kernel takes the pages that
 * were lost for clean, and no sync brings them to the disk but after they were written again.
 * Nothing is appended after a failed sync, so it is a tail of what sync_ms and one sync let
 * through. */
static enum bs_status write_tail_again(struct bs_log *log, struct bs_log_recovery *r)
{
    uint64_t head = log_segment_end(log->current);
    uint64_t from = head > TAIL_BYTES ? head - TAIL_BYTES : 0;
    for (struct log_segment *s = log->oldest;; s = log_segment_next(s)) {
        uint64_t end = log_segment_end(s), begin = from > s->first ? from : s->first;
        int error = end > begin ? log_write_all(s->fd, s->at + log_segment_offset(s, begin),
                                                end - begin, log_segment_offset(s, begin))
                                : 0;
        /* Where writing anew takes new room, there may be none: as good as it was, then. */
        if (error && !log_is_full_disk(error))
            return fail(log, r, "cannot be written", s->first, error);
        if (s == log->current)
            return BS_OK;
    }
}

/* What was appended by a process that died may be in the kernel's memory only. */
static enum bs_status sync_all(struct bs_log *log, struct bs_log_recovery *r)
{
    for (struct log_segment *s = log->oldest; s; s = log_segment_next(s)) {
        int error = log_sync_file(s->fd);
        if (error)
            return fail(log, r, "cannot be synced", s->first, error);
        if (s->first < log->current->first) {
            close(s->fd);
            s->fd = -1;
        }
    }
    return BS_OK;
}

int log_begin_segment(struct bs_log *log, uint64_t first)
{
    struct log_segment *s, *spare = log->current ? log_segment_next(log->current) : NULL;
    if (spare) {
        atomic_store(&log->current->next, NULL);
        log_segment_delete(log, spare);
    }
    int error = log_segment_create(log, first, log->options.segment_bytes, &s);
    if (error)
        return error;
    error = log_segment_publish(log, s);
    if (error) {
        log_segment_free(s);
        return error;
    }
    if (log->current)
        atomic_store(&log->current->next, s);
    else
        log->oldest = s;
    log->current = s;
    atomic_fetch_add(&log->bytes, s->bytes);
    return 0;
}

static enum bs_status build(struct bs_log *log, struct survey *s, struct bs_log_recovery *r)
{
    set_limits(s);
    for (size_t i = 0; i < s->count; i++)
        scan(log, &s->found[i]);
    size_t last = find_last(s);
    enum bs_status status = BS_OK;
    for (size_t i = 0; i < s->count && status == BS_OK; i++)
        status = cut(log, &s->found[i], i == last, r);
    if (status != BS_OK)
        return status;
    link_segments(log, s, last);
    /* A log without segments, or one whose newest was set aside, goes on in a new one. */
    if (!log->current || s->beyond > log_segment_end(log->current)) {
        int error = log_begin_segment(log, s->beyond);
        if (error)
            return fail(log, r, "cannot be created", s->beyond, error);
    }
    enum bs_status written = write_tail_again(log, r);
    return written == BS_OK ? sync_all(log, r) : written;
}

enum bs_status log_recover(struct bs_log *log, struct bs_log_recovery *r)
{
    struct survey s = {0};
    log_segment_discard(log);
    enum bs_status status = list_folder(log, &s, r);
    if (status == BS_FULL)
        log_note(r, "%s: more than %u segments", log->options.directory, SEGMENTS_MAX);
    if (status == BS_OK)
        status = open_all(log, &s, r);
    if (status == BS_OK)
        status = build(log, &s, r);
    for (size_t i = 0; i < s.count; i++)
        if (s.found[i].segment)
            log_segment_free(s.found[i].segment);
    free(s.found);
    if (status != BS_OK)
        return status;
    log->unsynced = log->current;
    atomic_store(&log->first, log->oldest->first);
    atomic_store(&log->head, log_segment_end(log->current));
    atomic_store(&log->synced, log_segment_end(log->current));
    r->first = log->oldest->first;
    r->head = log_segment_end(log->current);
    r->last_tick = log->last_tick;
    return BS_OK;
}
