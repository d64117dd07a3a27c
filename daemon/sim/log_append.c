/* Appending to the simulated log. Must never wait but where the real one does: for a spare that is
 * being made, and for the sync with sync_ms 0. */
#include "backstep/base/check.h"
#include "log_parts.h"
#include "world.h"

#include <string.h>

#define PARTS_MAX 8

struct room_wait {
    struct bs_log *log;
    uint64_t bytes;
    bool message;
};

/* Messages leave some of the last room. */
static bool fits(const struct room_wait *w)
{
    const struct log_segment *s = w->log->current;
    bool last = !s->next && (w->log->spare_error || w->log->at_bound);
    return w->bytes + (last && w->message ? BS_LOG_OWN_BYTES : 0) <= log_limit(s) - s->end;
}

/* Whether there is anything to say: the room is there, or a spare, or there will be none. */
static bool has_spare_or_none(void *argument)
{
    const struct room_wait *w = argument;
    const struct bs_log *log = w->log;
    return log->sync_error || fits(w) || log->current->next || log->spare_error || log->at_bound;
}

static bool is_whole(void *argument)
{
    const struct room_wait *w = argument;
    const struct bs_log *log = w->log;
    return log->sync_error || fits(w) || log->synced >= log->current->end;
}

/* A segment is left only when all of it is on the disk. */
static bool wait_for_whole(struct room_wait *w)
{
    if (is_whole(w))
        return true;
    w->log->sync_due_ns = 0;
    log_wake(w->log);
    return sim_block(is_whole, w);
}

static enum bs_status make_room(struct bs_log *log, enum bs_record_type type, uint64_t bytes)
{
    struct room_wait wait = {log, bytes, type == BS_RECORD_MESSAGE};
    for (;;) {
        if (!sim_block(has_spare_or_none, &wait))
            return BS_IO;
        if (!log->sync_error && !fits(&wait) && log->current->next && !wait_for_whole(&wait))
            return BS_IO;
        if (log->sync_error)
            return BS_IO;
        if (fits(&wait))
            return BS_OK;
        if (!log->current->next)
            return log->spare_error ? log_status_of(log->spare_error) : BS_FULL;
        log->current = log->current->next;
        log->at_bound = log_is_at_bound(log);
        log_wake(log);
    }
}

static void put(struct bs_log *log, struct bs_record *r, const struct bs_slice *parts, size_t count)
{
    struct log_segment *s = log->current;
    char *at = log_at(s, r->position), *body = at + LOG_HEAD_BYTES;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].length > 0)
            memcpy(body, parts[i].at, parts[i].length);
        body += parts[i].length;
    }
    r->body = bs_slice_of(at + LOG_HEAD_BYTES, (size_t)(body - at) - LOG_HEAD_BYTES);
    log_seal(at, r);
    sim_disk_touch(s->file, LOG_HEADER_BYTES + (r->position - s->first), r->next - r->position);
}

static void publish(struct bs_log *log, uint64_t end)
{
    bool wake = log->asleep;
    log->current->end = log->head = end;
    log->appended = true;
    log->asleep = false;
    if (!log->records_dirty) {
        log->records_dirty = true;
        log_wake(log);
    }
    if (log->at_bound)
        log_judge(log);
    if (wake && log->options.on_record)
        log->options.on_record(log->options.context);
}

struct sync_wait {
    struct bs_log *log;
    uint64_t position;
};

static bool is_synced(void *argument)
{
    const struct sync_wait *w = argument;
    return w->log->synced >= w->position || w->log->rescue_failed;
}

static enum bs_status wait_for_sync(struct bs_log *log, uint64_t position)
{
    struct sync_wait wait = {log, position};
    return sim_block(is_synced, &wait) && log->synced >= position ? BS_OK : BS_IO;
}

static size_t length_of(const struct bs_slice *parts, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += parts[i].length;
    return length;
}

enum bs_status bs_log_append(struct bs_log *log, enum bs_record_type type, uint8_t flags,
                             const struct bs_slice *parts, size_t part_count,
                             uint64_t *ret_position)
{
    size_t length = length_of(parts, part_count);
    uint64_t bytes = log_record_bytes(length);
    bs_check(type != 0 && length <= BS_RECORD_BODY_MAX && part_count <= PARTS_MAX);
    if (world->process.dead)
        return BS_IO;
    if (bytes > log->options.segment_bytes - LOG_HEADER_BYTES)
        return BS_INVALID;
    enum bs_status status = make_room(log, type, bytes);
    if (status != BS_OK)
        return status;
    struct bs_record r = {
        .position = log->current->end,
        .next = log->current->end + bytes,
        .type = (uint8_t)type,
        .flags = flags,
        .tick = log->options.stamp(log->options.context),
    };
    bs_check(r.tick.ms >= log->last_tick.ms);
    put(log, &r, parts, part_count);
    log->last_tick = r.tick;
    if (log->is_intake)
        sim_history_add(&world->history, &r, sim_broker_message_in_hand(&world->broker));
    else
        sim_history_add_points(&world->history, &r);
    publish(log, r.next);
    if (ret_position)
        *ret_position = r.next;
    return log->options.sync_ms == 0 ? wait_for_sync(log, r.next) : BS_OK;
}
