/* The outlet's reading of the outbox, and the local file. Must never let a record out whose origin
 * is not on the disk. */
#include "outlet_parts.h"

#include "report.h"

#include "backstep/base/check.h"

#include <errno.h>
#include <string.h>

enum {
    /* Counting and writing run at about 1 GB/s: 10 ms at most before the loop turns. */
    TURN_BYTES = 8 << 20,
    FILE_AGAIN_MS = 1000,
    /* A pipe's reader sets the pace: 64 KiB each time; one that reads nothing so long is a fault.
     */
    PIPE_AGAIN_MS = 10,
    PIPE_STUCK_MS = 5000,
};

bool outlet_read(struct bs_outlet *o, uint64_t at, struct outlet_record *ret)
{
    struct bs_log *log = o->options.outbox;
    if (o->reader != at) {
        bs_log_seek(log, at);
        o->reader = at;
    }
    struct bs_record record;
    if (!bs_log_read(log, &record))
        return false;
    o->reader = record.next;
    *ret = (struct outlet_record){
        .position = record.position, .next = record.next, .tick = record.tick};
    struct bs_points_body body;
    if (record.type == BS_RECORD_POINTS && bs_points_body_read(record.body, &body) == BS_OK &&
        body.lines.length > 0 && body.lines.at[body.lines.length - 1] == '\n') {
        ret->origin = body.origin;
        ret->points = body.points;
        ret->lines = body.lines;
    }
    return true;
}

static void count_for(struct outlet_sink *sink, const struct outlet_record *record)
{
    if (sink->used && record->position >= sink->high)
        sink->waiting += record->points;
}

bool outlet_count(struct bs_outlet *o)
{
    uint64_t start = o->counted;
    struct outlet_record record;
    while (outlet_read(o, o->counted, &record)) {
        count_for(&o->file, &record);
        count_for(&o->influx, &record);
        o->counted = record.next;
        if (o->first_wait_ms == OUTLET_NEVER_MS)
            o->first_wait_ms = outlet_now_ms(o);
        if (o->counted - start >= TURN_BYTES)
            return true;
    }
    return false;
}

bool outlet_sleep(struct bs_outlet *o)
{
    if (o->reader != o->counted) {
        bs_log_seek(o->options.outbox, o->counted);
        o->reader = o->counted;
    }
    return bs_log_sleep(o->options.outbox);
}

bool outlet_may_leave(struct bs_outlet *o, const struct outlet_record *record)
{
    if (record->lines.length == 0 || record->origin < bs_log_synced(o->options.intake))
        return true;
    bs_log_watch_sync(o->options.intake, record->origin + 1);
    return false;
}

static void note_file_error(struct bs_outlet *o, int error)
{
    if (error == o->file_error)
        return;
    o->file_error = error;
    outlet_report_file(o);
    outlet_changed(o);
}

static void take_file_error(struct bs_outlet *o, int error)
{
    uint64_t now_ms = outlet_now_ms(o);
    bool paced = error == EAGAIN;
    if (paced && o->file_full_since_ms == OUTLET_NEVER_MS)
        o->file_full_since_ms = now_ms;
    o->file_again_ms = now_ms + (paced ? PIPE_AGAIN_MS : FILE_AGAIN_MS);
    if (!paced || now_ms - o->file_full_since_ms >= PIPE_STUCK_MS)
        note_file_error(o, error);
}

static bool write_record(struct bs_outlet *o, const struct outlet_record *record)
{
    int error = 0;
    if (record->lines.length > 0 &&
        bs_points_file_write(o->points_file, record->lines, &error) != BS_OK) {
        take_file_error(o, error);
        return false;
    }
    o->file_full_since_ms = OUTLET_NEVER_MS;
    note_file_error(o, 0);
    o->file.at = o->file.high = record->next;
    o->file.waiting -= record->points;
    if (!o->influx.used)
        o->marks[BS_OUTLET_DELIVERED_POINTS] += record->points;
    return true;
}

bool outlet_feed_file(struct bs_outlet *o)
{
    if (!o->file.used || outlet_now_ms(o) < o->file_again_ms)
        return false;
    uint64_t start = o->file.at;
    struct outlet_record record;
    while (o->file.at < o->counted && outlet_read(o, o->file.at, &record) &&
           outlet_may_leave(o, &record) && write_record(o, &record)) {
        if (o->file.at - start >= TURN_BYTES)
            return true;
    }
    return false;
}
