/* The simulated log: its life, reading, marks. Must never give a record that the real one would not
 * give. */
#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/base/little.h"
#include "log_parts.h"
#include "log_places.h"
#include "outlet.h"
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* 0 u64 generation  8 u64 marks  136 u32 sum; two of them, a page apart. */
#define SLOT_BYTES 140u

void log_note(struct bs_log_recovery *r, const char *format, ...)
{
    size_t length = strlen(r->message);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->message + length, sizeof r->message - length, format, arguments);
    va_end(arguments);
}

enum bs_status log_status_of(int error)
{
    return error == 0 ? BS_OK : log_is_full_disk(error) ? BS_NO_SPACE : BS_IO;
}

/* Condition ---------------------------------------------------------------------------------- */

static struct bs_log_condition work_out(const struct bs_log *log)
{
    uint64_t left = log_limit(log->current) - log->current->end;
    if (log->sync_error)
        return (struct bs_log_condition){BS_LOG_IO_ERROR, log->sync_error};
    if (log->reader_broken)
        return (struct bs_log_condition){BS_LOG_IO_ERROR, EBADMSG};
    if (log->spare_error)
        return (struct bs_log_condition){log_is_full_disk(log->spare_error) ? BS_LOG_DISK_FULL
                                                                            : BS_LOG_IO_ERROR,
                                         log->spare_error};
    if (log->marks_error)
        return (struct bs_log_condition){log_is_full_disk(log->marks_error) ? BS_LOG_DISK_FULL
                                                                            : BS_LOG_IO_ERROR,
                                         log->marks_error};
    if (log->at_bound && left < log->options.reserve_bytes)
        return (struct bs_log_condition){BS_LOG_AT_BOUND, 0};
    return (struct bs_log_condition){BS_LOG_WELL, 0};
}

void log_judge(struct bs_log *log)
{
    struct bs_log_condition c = work_out(log);
    bool same = c.trouble == log->condition.trouble && c.error == log->condition.error;
    log->condition = c;
    if (same)
        return;
    sim_trace("%s: condition %d, error %d", log->options.name, (int)c.trouble, c.error);
    if (log->options.on_change)
        log->options.on_change(log->options.context);
}

struct bs_log_condition bs_log_condition(const struct bs_log *log)
{
    return log->condition;
}

/* Marks -------------------------------------------------------------------------------------- */

int log_store_marks(struct bs_log *log)
{
    char slot[SLOT_BYTES];
    bs_little_put_u64(slot, log->generation);
    for (size_t i = 0; i < BS_LOG_MARKS; i++)
        bs_little_put_u64(slot + 8 + 8 * i, log->marks[i]);
    bs_little_put_u32(slot + 136, (uint32_t)bs_hash_bytes(1, bs_slice_of(slot, 136)));
    return sim_disk_write(log->marks_file, log->generation % 2 * SIM_PAGE_BYTES,
                          bs_slice_of(slot, sizeof slot));
}

static void read_slot(struct bs_log *log, uint64_t at)
{
    const char *slot = log->marks_file->cached + at;
    if (at + SLOT_BYTES > log->marks_file->size ||
        bs_little_u32(slot + 136) != (uint32_t)bs_hash_bytes(1, bs_slice_of(slot, 136)) ||
        bs_little_u64(slot) < log->generation)
        return;
    log->generation = bs_little_u64(slot);
    for (size_t i = 0; i < BS_LOG_MARKS; i++)
        log->marks[i] = bs_little_u64(slot + 8 + 8 * i);
}

static int open_marks(struct bs_log *log)
{
    char name[SIM_NAME_MAX];
    snprintf(name, sizeof name, "%s.marks", log->options.name);
    struct sim_file *f = sim_disk_find(name);
    if (f && f->size >= 2 * SIM_PAGE_BYTES) {
        sim_disk_open(f);
        log->marks_file = f;
        read_slot(log, 0);
        read_slot(log, SIM_PAGE_BYTES);
        return 0;
    }
    int error = sim_disk_create(name, &f);
    if (error)
        return error;
    log->marks_file = f;
    error = sim_disk_allocate(f, 2 * SIM_PAGE_BYTES);
    if (!error)
        error = sim_disk_sync(f);
    return error ? error : sim_disk_sync_folder();
}

void bs_log_marks_load(const struct bs_log *log, uint64_t ret[BS_LOG_MARKS])
{
    memcpy(ret, log->marks, sizeof log->marks);
}

static uint64_t grown(const struct bs_log *log, const uint64_t marks[BS_LOG_MARKS], size_t mark)
{
    return marks[mark] > log->marks[mark] ? marks[mark] - log->marks[mark] : 0;
}

void bs_log_marks_store(struct bs_log *log, const uint64_t marks[BS_LOG_MARKS])
{
    if (world->process.dead)
        return;
    world->history.dropped += grown(log, marks, BS_OUTLET_DROPPED_POINTS);
    world->history.letters += grown(log, marks, BS_OUTLET_DEAD_LETTERS);
    world->history.expired += grown(log, marks, BS_OUTLET_EXPIRED_POINTS);
    memcpy(log->marks, marks, sizeof log->marks);
    log->generation++;
    int error = log_store_marks(log);
    if (error) { /* they are written again before the sync */
        log->marks_error = error;
        log_judge(log);
    }
    if (!log->marks_dirty) {
        log->marks_dirty = true;
        log_wake(log);
    }
}

void log_sync_marks(struct bs_log *log)
{
    if (!log->marks_dirty)
        return;
    int error = log_store_marks(log);
    if (!error)
        error = sim_disk_sync(log->marks_file);
    log->marks_error = error;
    log->marks_dirty = error != 0;
    if (error)
        log->marks_due_ns = sim_in_ms(LOG_RETRY_MS);
    log_judge(log);
}

/* Life --------------------------------------------------------------------------------------- */

static void apply_settings(struct bs_log *log)
{
    const struct sim_settings *s = &world->settings;
    struct bs_log_options *o = &log->options;
    uint32_t segment = log->is_intake ? s->intake_segment_bytes : s->outbox_segment_bytes;
    uint32_t most = log->is_intake ? s->intake_max_bytes : s->outbox_max_bytes;
    o->segment_bytes = segment ? segment : o->segment_bytes;
    o->max_bytes = most ? most : o->max_bytes;
    if (o->reserve_bytes > o->segment_bytes / 2)
        o->reserve_bytes = o->segment_bytes / 2;
}

static void free_segments(struct bs_log *log)
{
    for (int i = 0; i < 2; i++)
        for (struct log_segment *s = i ? log->retired : log->oldest, *next; s; s = next) {
            next = i ? s->retired_next : s->next;
            log_segment_free(log, s, false);
        }
}

static void destroy(struct bs_log *log)
{
    free_segments(log);
    if (log->marks_file)
        sim_disk_close(log->marks_file);
    if (world->process.intake == log)
        world->process.intake = NULL;
    if (world->process.outbox == log)
        world->process.outbox = NULL;
    free(log);
}

static bool next_record(void *context, struct bs_record *ret)
{
    return bs_log_read(context, ret);
}

static void tell_history(struct bs_log *log)
{
    if (!log->is_intake) {
        sim_history_cut_points(&world->history, log->head);
        return;
    }
    sim_history_recover(&world->history, log->oldest->first, next_record, log);
    sim_truth_note_opened(&world->truth);
    bs_log_seek(log, log->oldest->first);
}

static enum bs_status prepare(struct bs_log *log, struct bs_log_recovery *r)
{
    int error = open_marks(log);
    if (error) {
        log_note(r, "%s.marks: error %d", log->options.name, error);
        return log_status_of(error);
    }
    enum bs_status status = log_recover(log, r);
    if (status != BS_OK)
        return status;
    log->reader_segment = log->oldest;
    log->reader = log->oldest->first;
    tell_history(log);
    log_begin_thread(log);
    return BS_OK;
}

enum bs_status bs_log_open(struct bs_log **ret, const struct bs_log_options *options,
                           struct bs_log_recovery *r)
{
    *r = (struct bs_log_recovery){0};
    if (world->process.dead)
        return BS_IO;
    struct bs_log *log = calloc(1, sizeof *log);
    bs_check(log);
    log->options = *options;
    log->is_intake = strcmp(options->name, "intake") == 0;
    apply_settings(log);
    bs_check(log->options.max_bytes / 3 >= log->options.segment_bytes);
    enum bs_status status = prepare(log, r);
    if (status != BS_OK) {
        sim_trace("%s: cannot be opened: %s", options->name, r->message);
        destroy(log);
        return status;
    }
    if (r->message[0])
        sim_trace("%s: %s", options->name, r->message);
    *(log->is_intake ? &world->process.intake : &world->process.outbox) = log;
    *ret = log;
    return BS_OK;
}

void bs_log_close(struct bs_log *log)
{
    log_end_thread(log);
    destroy(log);
}

/* Reading ------------------------------------------------------------------------------------ */

static void settle(struct bs_log *log)
{
    struct log_segment *s = log->reader_segment;
    while (s->next && log->reader >= s->next->first)
        s = s->next;
    log->reader_segment = s;
}

bool bs_log_read(struct bs_log *log, struct bs_record *ret)
{
    if (log->reader >= log->head || log->reader_broken || (world->process.dead && log->is_intake))
        return false;
    struct log_segment *s = log->reader_segment;
    while (log->reader >= s->end) {
        s = s->next;
        bs_check(s);
        log->reader_segment = s;
        if (log->reader < s->first)
            log->reader = s->first;
        if (log->reader >= log->head)
            return false;
    }
    if (!log_read_at(s, log->reader, s->end, false, ret)) {
        log->reader_broken = true;
        log_judge(log);
        return false;
    }
    log->reader = ret->next;
    return true;
}

bool bs_log_sleep(struct bs_log *log)
{
    log->asleep = log->reader >= log->head;
    return log->asleep || world->process.dead;
}

void bs_log_seek(struct bs_log *log, uint64_t position)
{
    bs_check(position >= log->oldest->first && position <= log->head);
    log->reader_segment = log->oldest;
    log->reader = position;
    settle(log);
    log->reader_in = log->reader_segment;
}

void bs_log_release(struct bs_log *log, uint64_t position)
{
    bs_check(position <= log->head);
    if (log->reader < position)
        log->reader = position;
    settle(log);
    log->reader_in = log->reader_segment;
    if (log->release_to >= position || world->process.dead)
        return;
    log->release_to = position;
    if (log->is_intake)
        sim_truth_check_release(&world->truth, position);
    else
        sim_history_release_points(&world->history, position, log_is_at_bound(log));
    log_wake(log);
}

void bs_log_watch_sync(struct bs_log *log, uint64_t position)
{
    log->watching = true;
    log->watch = position;
    log_wake(log);
}

/* Numbers ------------------------------------------------------------------------------------ */

uint64_t bs_log_first(const struct bs_log *log)
{
    return log->oldest->first;
}

uint64_t bs_log_second(struct bs_log *log)
{
    return log->oldest == log->current ? 0 : log->oldest->next->first;
}

uint64_t bs_log_head(const struct bs_log *log)
{
    return log->head;
}

uint64_t bs_log_synced(const struct bs_log *log)
{
    return log->synced;
}

uint64_t bs_log_bytes(const struct bs_log *log)
{
    return log->bytes;
}

/* For the world ------------------------------------------------------------------------------ */

uint64_t sim_log_position_of(const struct bs_log *log, const char *at)
{
    for (int i = 0; i < 2; i++)
        for (const struct log_segment *s = i ? log->retired : log->oldest; s;
             s = i ? s->retired_next : s->next)
            if (at >= s->file->cached && at < s->file->cached + s->bytes)
                return s->first + (uint64_t)(at - s->file->cached) - LOG_HEADER_BYTES;
    return UINT64_MAX;
}

bool sim_log_rests(const struct bs_log *log)
{
    return log->asleep && log->reader >= log->head;
}

bool sim_log_marks_are_lost(const struct bs_log *log)
{
    return log->marks_error != 0;
}

bool sim_log_is_safe(const struct bs_log *log)
{
    return log->synced >= log->head && !log->marks_dirty && !log->sync_error;
}

uint64_t sim_log_mark(const struct bs_log *log, size_t mark)
{
    return log->marks[mark];
}

uint64_t sim_log_max_bytes(const struct bs_log *log)
{
    return log->options.max_bytes;
}

void sim_log_freeze(struct bs_log *log)
{
    sim_events_cancel(&world->events, &log->work);
    log->doing = LOG_IDLE;
}
