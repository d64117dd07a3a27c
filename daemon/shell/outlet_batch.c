/* Which lines go to InfluxDB together: records of the outbox into a batch, lines of a batch into a
 * request. Must never take a record whose origin is not on the disk, nor change a batch at hand. */
#include "outlet_parts.h"

#include "backstep/base/check.h"

static uint32_t count_lines(struct bs_slice text)
{
    uint32_t count = 0;
    while (text.length > 0) {
        const char *end = memchr(text.at, '\n', text.length);
        if (!end)
            break;
        count++;
        text = bs_slice_after(text, (size_t)(end - text.at) + 1);
    }
    return count;
}

static uint32_t lines_wanted(const struct bs_outlet *o)
{
    uint32_t points = o->options.conf->influxdb.batch_points;
    return points < o->part_max ? points : o->part_max;
}

static void add_record(struct bs_outlet *o, const struct outlet_record *record)
{
    uint32_t lines = count_lines(record->lines);
    o->batch.lines += lines;
    if (record->position >= o->influx.high)
        o->batch.new_points += record->points;
    else
        o->batch.old_lines += lines;
    o->batch.until = record->next;
}

/* Put together afresh for every try as long as nothing of it is settled: what came meanwhile goes
 * with it, and no slice is kept over a dropped segment. */
enum outlet_collected outlet_collect(struct bs_outlet *o)
{
    uint64_t bytes = 0;
    size_t records = 0;
    enum outlet_collected end = OUTLET_END;
    struct outlet_record record;
    bs_check(!o->batch.at_hand);
    o->batch = (struct outlet_batch){.from = o->influx.at, .until = o->influx.at};
    while (o->batch.until < o->counted && outlet_read(o, o->batch.until, &record)) {
        if (!outlet_may_leave(o, &record)) {
            end = OUTLET_UNSYNCED;
            break;
        }
        if (records == o->parts_max ||
            (records > 0 && bytes + record.lines.length > OUTLET_BATCH_BYTES)) {
            end = OUTLET_BOUND;
            break;
        }
        records += record.lines.length > 0;
        bytes += record.lines.length;
        add_record(o, &record);
        if (o->batch.lines >= lines_wanted(o)) {
            end = o->batch.until < o->counted ? OUTLET_BOUND : OUTLET_END;
            break;
        }
    }
    return o->batch.until == o->batch.from ? OUTLET_NOTHING : end;
}

/* Lines ------------------------------------------------------------------------------------- */

struct outlet_line_walk outlet_walk_lines(struct bs_outlet *o)
{
    return (struct outlet_line_walk){.outlet = o, .at = o->batch.from};
}

static void open_record(struct outlet_line_walk *walk)
{
    bool found =
        walk->at < walk->outlet->batch.until && outlet_read(walk->outlet, walk->at, &walk->record);
    bs_check(found);
    walk->rest = walk->record.lines;
    walk->at = walk->record.next;
}

/* The rest of the record from that line on, which is not behind the batch. */
static struct bs_slice walk_near(struct outlet_line_walk *walk, uint32_t number)
{
    bs_check(number >= walk->number);
    for (;;) {
        while (walk->rest.length == 0)
            open_record(walk);
        if (walk->number == number)
            return walk->rest;
        const char *end = memchr(walk->rest.at, '\n', walk->rest.length);
        bs_check(end);
        walk->rest = bs_slice_after(walk->rest, (size_t)(end - walk->rest.at) + 1);
        walk->number++;
    }
}

struct bs_slice outlet_walk_to(struct outlet_line_walk *walk, uint32_t number)
{
    struct bs_slice rest = walk_near(walk, number);
    const char *end = memchr(rest.at, '\n', rest.length);
    bs_check(end);
    return bs_slice_of(rest.at, (size_t)(end - rest.at) + 1);
}

/* How much of the text its first `count` lines take, or all of it; ret_count: how many it has. */
static size_t length_of_lines(struct bs_slice text, uint32_t count, uint32_t *ret_count)
{
    size_t length = 0;
    for (*ret_count = 0; *ret_count < count && length < text.length; ++*ret_count) {
        const char *end = memchr(text.at + length, '\n', text.length - length);
        bs_check(end);
        length = (size_t)(end - text.at) + 1;
    }
    return length;
}

size_t outlet_collect_part(struct bs_outlet *o, uint32_t first, uint32_t beyond)
{
    struct outlet_line_walk walk = outlet_walk_lines(o);
    size_t parts = 0;
    bs_check(first < beyond && beyond <= o->batch.lines);
    while (first < beyond) {
        struct bs_slice rest = walk_near(&walk, first);
        uint32_t count;
        size_t length = length_of_lines(rest, beyond - first, &count);
        bs_check(parts < o->parts_max);
        o->parts[parts++] = bs_slice_of(rest.at, length);
        walk.rest = bs_slice_after(rest, length);
        walk.number = first += count;
    }
    return parts;
}
