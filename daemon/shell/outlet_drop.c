/* What happens when the outbox is full: its oldest segment goes, and what was in it is counted.
 * Must never give up what is in flight, nor more than is needed. */
#include "outlet_parts.h"

enum { ROOM_COMING_MS = 1000 };

/* What stands in the oldest segment for those who have not had it, or are not through with sending
 * it once more: older rows that went again may stand where its newer ones were. */
struct survey {
    uint64_t points, file_points, influx_points;
};

static struct survey survey_before(struct bs_outlet *o, uint64_t position)
{
    struct survey s = {0};
    struct outlet_record record;
    uint64_t from = outlet_slowest(o);
    if (o->influx.used && o->influx.at < from)
        from = o->influx.at;
    for (uint64_t at = from; at < position && outlet_read(o, at, &record); at = record.next) {
        if (record.position >= position)
            break;
        s.points += record.points;
        s.file_points += o->file.used && record.position >= o->file.high ? record.points : 0;
        s.influx_points += o->influx.used && record.position >= o->influx.high ? record.points : 0;
    }
    return s;
}

static void move_past(struct outlet_sink *sink, uint64_t position, uint64_t points)
{
    sink->waiting -= points;
    if (sink->at < position)
        sink->at = position;
    if (sink->high < position)
        sink->high = position;
}

/* The log's own thread deletes the segment and then makes a new one: until both are done a second
 * drop would give up more than is needed. */
static bool is_room_coming(const struct bs_outlet *o, uint64_t second)
{
    return second <= o->released || (bs_log_bytes(o->options.outbox) < o->full_bytes &&
                                     outlet_now_ms(o) - o->drop_ms < ROOM_COMING_MS);
}

bool bs_outlet_drop_oldest(struct bs_outlet *outlet)
{
    struct bs_outlet *o = outlet;
    uint64_t second = bs_log_second(o->options.outbox);
    if (o->closing || second == 0 || second > bs_log_head(o->options.outbox) ||
        is_room_coming(o, second) || (o->in_flight && o->batch.from < second))
        return false;
    /* Lines of it may have been settled one by one, between two tries of a request. */
    if (o->batch.from < second)
        outlet_drop_batch(o);
    while (o->counted < second && outlet_count(o))
        ;
    o->full_bytes = bs_log_bytes(o->options.outbox);
    o->drop_ms = outlet_now_ms(o);
    struct survey s = survey_before(o, second);
    move_past(&o->file, second, s.file_points);
    move_past(&o->influx, second, s.influx_points);
    if (o->counted < second)
        o->counted = second;
    bs_delivery_forget_before(&o->delivery, second);
    o->marks[BS_OUTLET_DROPPED_POINTS] += s.points;
    if (s.points > 0)
        outlet_report_dropped(o, s.points);
    outlet_store_marks(o);
    outlet_release(o);
    bs_outlet_wake(o);
    return true;
}
