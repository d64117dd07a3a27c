/* Opening what an earlier run left, and moving the end before a new one begins. Must never give a
 * record behind damage in the last segment. */
#include "backstep/base/check.h"
#include "backstep/base/little.h"
#include "log_parts.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SEGMENTS_MAX = 1024, TAIL_BYTES = 8 << 20 };

struct survey {
    struct log_segment *found[SEGMENTS_MAX];
    uint64_t used[SEGMENTS_MAX]; /* position behind the last byte that is not zero */
    size_t count;
};

static bool is_ours(const struct bs_log *log, const struct sim_file *f, uint64_t *ret_first)
{
    size_t stem = strlen(log->options.name);
    if (strncmp(f->name, log->options.name, stem) != 0 || f->name[stem] != '-' ||
        strlen(f->name) != stem + 21 || strcmp(f->name + stem + 17, ".seg") != 0)
        return false;
    *ret_first = strtoull(f->name + stem + 1, NULL, 16);
    return true;
}

static int by_first(const void *a, const void *b)
{
    const struct log_segment *x = *(struct log_segment *const *)a;
    const struct log_segment *y = *(struct log_segment *const *)b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static bool has_good_header(const struct sim_file *f, uint64_t first)
{
    const char *at = f->cached;
    return f->size >= LOG_HEADER_BYTES && bs_little_u64(at + 8) == first &&
           bs_little_u32(at + 60) == (uint32_t)crc32_z(0, (const Bytef *)at, 60);
}

static enum bs_status list(struct bs_log *log, struct survey *s, struct bs_log_recovery *r)
{
    for (struct sim_file *f = world->disk.files; f; f = f->next) {
        uint64_t first;
        if (!is_ours(log, f, &first))
            continue;
        if (!has_good_header(f, first)) { /* it is synced before it gets its name */
            sim_violation("%s has a bad header", f->name);
            continue;
        }
        bs_check(s->count < SEGMENTS_MAX);
        struct log_segment *segment = calloc(1, sizeof *segment);
        bs_check(segment);
        segment->first = segment->end = first;
        segment->bytes = bs_little_u64(f->cached + 16);
        segment->file = f;
        sim_disk_open(f);
        s->found[s->count++] = segment;
    }
    (void)r;
    if (s->count > 0)
        qsort(s->found, s->count, sizeof s->found[0], by_first);
    return BS_OK;
}

/* Positions from there on belong to the next one, or are none. */
static uint64_t limit_of(const struct survey *s, size_t i)
{
    uint64_t own = log_limit(s->found[i]);
    return i + 1 < s->count && s->found[i + 1]->first < own ? s->found[i + 1]->first : own;
}

static uint64_t find_used(const struct log_segment *s, uint64_t from, uint64_t to)
{
    uint64_t known =
        s->first + (s->file->used > LOG_HEADER_BYTES ? s->file->used - LOG_HEADER_BYTES : 0);
    uint64_t used = to < known ? to : known;
    while (used > from && *log_at(s, used - 1) == 0)
        used--;
    return used > from ? used : from;
}

static void scan(struct bs_log *log, struct survey *s, size_t i)
{
    struct log_segment *segment = s->found[i];
    uint64_t limit = limit_of(s, i);
    struct bs_record record;
    while (segment->end < limit && log_read_at(segment, segment->end, limit, true, &record)) {
        segment->end = record.next;
        if (record.tick.ms > log->last_tick.ms)
            log->last_tick = record.tick;
    }
    s->used[i] = find_used(segment, segment->end, limit);
}

static void zero(struct log_segment *s, uint64_t from, uint64_t to)
{
    memset(log_at(s, from), 0, (size_t)(to - from));
    sim_disk_touch(s->file, LOG_HEADER_BYTES + (from - s->first), to - from);
}

static void cut(struct survey *s, size_t i, bool last, struct bs_log_recovery *r)
{
    struct log_segment *segment = s->found[i];
    uint64_t lost = s->used[i] - segment->end;
    if (lost == 0)
        return;
    r->lost_bytes += lost;
    r->damaged_segments += last ? 0 : 1;
    log_note(r, "%llu bytes lost from %llu on; ", (unsigned long long)lost,
             (unsigned long long)segment->end);
    zero(segment, segment->end, s->used[i]);
}

static size_t find_last(const struct survey *s)
{
    size_t last = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->used[i] > s->found[i]->first)
            last = i;
    return last;
}

static void link_segments(struct bs_log *log, struct survey *s, size_t last)
{
    struct log_segment *tail = NULL;
    for (size_t i = 0; i < s->count; i++) {
        struct log_segment *segment = s->found[i];
        bool spare = i == last + 1 && segment->first == log_limit(tail) &&
                     segment->bytes == log->options.segment_bytes;
        if (i > last && !spare) {
            log_segment_free(log, segment, true);
            continue;
        }
        log->bytes += segment->bytes;
        *(tail ? &tail->next : &log->oldest) = segment;
        if (i <= last)
            log->current = segment;
        tail = segment;
    }
}

int log_begin_segment(struct bs_log *log, uint64_t first)
{
    struct log_segment *s;
    if (log->current && log->current->next) {
        log->bytes -= log->current->next->bytes;
        log_segment_free(log, log->current->next, true);
        log->current->next = NULL;
    }
    int error = log_segment_make(log, first, log->options.segment_bytes, &s);
    if (error)
        return error;
    *(log->current ? &log->current->next : &log->oldest) = s;
    log->current = s;
    log->bytes += s->bytes;
    return 0;
}

/* A sync may have failed before: the end of the log is written again. */
static int write_tail_again(struct bs_log *log)
{
    uint64_t from = log->head > TAIL_BYTES ? log->head - TAIL_BYTES : 0;
    for (struct log_segment *s = log->oldest; s; s = s == log->current ? NULL : s->next) {
        uint64_t begin = from > s->first ? from : s->first;
        if (s->end <= begin)
            continue;
        int error = sim_disk_write(s->file, LOG_HEADER_BYTES + (begin - s->first),
                                   bs_slice_of(log_at(s, begin), (size_t)(s->end - begin)));
        if (error && !log_is_full_disk(error))
            return error;
    }
    return 0;
}

static int sync_all(struct bs_log *log)
{
    for (struct log_segment *s = log->oldest; s; s = s->next) {
        int error = sim_disk_sync(s->file);
        if (error)
            return error;
    }
    return 0;
}

static void discard_new(struct bs_log *log)
{
    char name[SIM_NAME_MAX];
    snprintf(name, sizeof name, "%s.new", log->options.name);
    struct sim_file *f = sim_disk_find(name);
    if (f)
        sim_disk_unlink(f);
}

enum bs_status log_recover(struct bs_log *log, struct bs_log_recovery *r)
{
    struct survey s = {.count = 0};
    discard_new(log);
    enum bs_status status = list(log, &s, r);
    if (status != BS_OK)
        return status;
    for (size_t i = 0; i < s.count; i++)
        scan(log, &s, i);
    size_t last = find_last(&s);
    for (size_t i = 0; i < s.count; i++)
        cut(&s, i, i == last, r);
    link_segments(log, &s, last);
    int error = log->current ? 0 : log_begin_segment(log, 0);
    log->head = error ? 0 : log->current->end;
    if (!error)
        error = write_tail_again(log);
    if (!error)
        error = sync_all(log);
    if (error) {
        log_note(r, "error %d", error);
        return log_status_of(error);
    }
    log->unsynced = log->current;
    log->head = log->synced = log->current->end;
    r->first = log->oldest->first;
    r->head = log->head;
    r->last_tick = log->last_tick;
    return BS_OK;
}

/* Moving the end ----------------------------------------------------------------------------- */

static enum bs_status go_on(struct bs_log *log, int error, uint64_t head)
{
    if (error)
        return log_status_of(error);
    log->unsynced = log->current;
    log->records_dirty = false;
    log->spare_due_ns = 0;
    log->synced = log->head = head;
    if (log->reader > head)
        log->reader = head;
    bs_log_seek(log, log->reader);
    log_begin_thread(log);
    return BS_OK;
}

static void delete_behind(struct bs_log *log, struct log_segment *s)
{
    while (s->next) {
        struct log_segment *next = s->next;
        s->next = next->next;
        log->bytes -= next->bytes;
        log_segment_free(log, next, true);
    }
}

enum bs_status bs_log_truncate(struct bs_log *log, uint64_t position)
{
    bs_check(!log->appended && position >= log->oldest->first);
    if (world->process.dead || position >= log->head)
        return BS_OK;
    sim_trace("%s: cut from %llu to %llu", log->options.name, (unsigned long long)log->head,
              (unsigned long long)position);
    log_end_thread(log);
    struct log_segment *s = log->oldest;
    while (s->next && s->next->first <= position)
        s = s->next;
    delete_behind(log, s);
    zero(s, position, s->end);
    s->end = position;
    log->current = s;
    int error = sim_disk_sync(s->file);
    if (!error)
        error = sim_disk_sync_folder();
    if (!log->is_intake)
        sim_history_cut_points(&world->history, position);
    return go_on(log, error, position);
}

enum bs_status bs_log_continue_at(struct bs_log *log, uint64_t position)
{
    bs_check(!log->appended && position % 8 == 0);
    if (world->process.dead || position <= log->head)
        return BS_OK;
    log_end_thread(log);
    delete_behind(log, log->current);
    int error = log_begin_segment(log, position);
    return go_on(log, error, position);
}
