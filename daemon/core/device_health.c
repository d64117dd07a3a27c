/* From what is kept of a device to the fields of its row. Must never tell whose the device is. */
#include "backstep/core/device_health.h"

#include "backstep/core/snapshot.h"

void bs_device_counts_reject(struct bs_device_counts *c, enum bs_step_reason reason)
{
    if (reason == BS_STEP_DUPLICATE || reason == BS_STEP_STALE_SEQ)
        c->duplicate++;
    else
        c->rejected++;
}

void bs_device_counts_add(struct bs_device_counts *c, const struct bs_device_counts *more)
{
    c->received += more->received;
    c->duplicate += more->duplicate;
    c->rejected += more->rejected;
    c->lost += more->lost;
}

static void add_clock(struct bs_line *line, const struct bs_device_clock_reading *clock)
{
    if (clock->has_offset)
        bs_line_float(line, BS_SLICE("clock_offset_ms"), clock->offset_ms);
    if (clock->has_skew)
        bs_line_float(line, BS_SLICE("clock_skew_ppm"), clock->skew_ppm);
}

struct bs_slice bs_device_health_write(const struct bs_device_health_row *row, struct bs_line *line)
{
    /* Both match the grammar of ids: nothing in them needs escaping. */
    bs_line_begin(line, BS_SLICE("device_health,device="));
    bs_line_add(line, row->device);
    bs_line_add(line, BS_SLICE(",site="));
    bs_line_add(line, row->site);
    bs_line_integer(line, BS_SLICE("received"), row->counts->received);
    bs_line_integer(line, BS_SLICE("duplicate"), row->counts->duplicate);
    bs_line_integer(line, BS_SLICE("lost"), row->counts->lost);
    bs_line_integer(line, BS_SLICE("rejected"), row->counts->rejected);
    if (row->battery_pct >= 0)
        bs_line_float(line, BS_SLICE("battery_pct"), row->battery_pct);
    add_clock(line, &row->clock);
    bs_line_float(line, BS_SLICE("last_seen_age_s"), (double)row->last_seen_age_ms / 1000);
    return bs_line_end(line, row->at.ms);
}

/* A row can tell it, and what is added to it. */
static uint64_t keep_count(struct bs_snapshot *s, uint64_t count)
{
    count = bs_snapshot_u64(s, count, UINT64_MAX);
    bs_snapshot_require(s, !bs_snapshot_loads(s) || count <= INT64_MAX / 2);
    return count;
}

void bs_device_health_snapshot(struct bs_snapshot *s, struct bs_device_health *h)
{
    h->counts.received = keep_count(s, h->counts.received);
    h->counts.duplicate = keep_count(s, h->counts.duplicate);
    h->counts.rejected = keep_count(s, h->counts.rejected);
    h->counts.lost = keep_count(s, h->counts.lost);
    bs_device_clock_snapshot(s, &h->clock);
    h->last_seen.ms = bs_snapshot_moment(s, h->last_seen.ms);
    h->said_offline = bs_snapshot_flag(s, h->said_offline);
}
