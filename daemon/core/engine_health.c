/* When a device is active, and its `device_health` row once a minute while it is. Must never write
 * one of a device whose wearer did not consent to rows of the own, nor count for one what came
 * meanwhile. */
#include "engine_parts.h"

/* Silent so long, a device is not worn any more: a visit ends so, too. */
#define ACTIVE_MS     600000

/* Rows that one record writes at most, but for those of the last 100 ms of the minute: after a
 * standstill all are due at once, and the loop has other things to do. */
#define ROWS_A_RECORD 256

static bool may_have_rows(const struct bs_engine *e, struct bs_device *d)
{
    const struct bs_member *m = bs_device_wearer(d);
    bool guests = bs_config_settings(e->config)->unknown_devices == BS_UNKNOWN_GUEST;
    return m && m->consent == BS_CONSENT_MEMBER && (guests || !m->is_guest);
}

void bs_engine_hear_device(struct bs_engine *e, struct bs_device *d,
                           const struct bs_device_counts *counts)
{
    struct bs_device_health *h = bs_device_health(d);
    h->last_seen = e->now;
    h->said_offline = false;
    if (!may_have_rows(e, d))
        return;
    if (counts)
        bs_device_counts_add(&h->counts, counts);
    struct bs_minute_place *place = bs_device_place(d);
    if (!place->minute)
        bs_minute_enter(&e->minute, place, e->now);
}

/* A device that is not known has no row to end; one that is says the rest with its steps. */
void bs_engine_take_state(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload, bool retained)
{
    bool online = bs_slice_equal(payload, BS_SLICE("online"));
    bool offline = bs_slice_equal(payload, BS_SLICE("offline"));
    e->books.state_received++;
    if (!topic->valid || (!online && !offline && payload.length)) {
        e->books.state_rejected++;
        return;
    }
    struct bs_device *d = bs_roster_find(e->roster, topic->id);
    if (d && offline)
        bs_device_health(d)->said_offline = true;
    else if (d && online && !retained) /* else it tells of some time ago */
        bs_engine_hear_device(e, d, NULL);
}

static void write_row(struct bs_engine *e, struct bs_device *d, struct bs_tick_ms due)
{
    struct bs_device_health *h = bs_device_health(d);
    int64_t age_ms = due.ms - h->last_seen.ms;
    struct bs_device_health_row row = {
        .site = bs_roster_site(e->roster),
        .device = bs_device_id(d),
        .counts = &h->counts,
        .battery_pct = bs_device_birth(d)->battery_pct,
        .last_seen_age_ms = age_ms > 0 ? age_ms : 0, /* heard between the turn and the record */
        .at = {due.ms + e->offset_ms}};
    bs_device_clock_read(&h->clock, &row.clock);
    e->effects->line(e->effects->context, bs_device_health_write(&row, &e->line), false);
}

/* Its turn at `due`; whether a row was written. One that said that it goes has a last one, with
 * what came before. */
static bool take_turn(struct bs_engine *e, struct bs_minute_place *place, struct bs_tick_ms due)
{
    struct bs_device *d = bs_device_at(place);
    const struct bs_device_health *h = bs_device_health(d);
    bool shown = may_have_rows(e, d) && due.ms - h->last_seen.ms <= ACTIVE_MS;
    if (shown)
        write_row(e, d, due);
    if (!shown || h->said_offline)
        bs_minute_leave(place);
    return shown;
}

void bs_engine_fire_health(struct bs_engine *e)
{
    unsigned rows = 0;
    while (bs_minute_deadline(&e->minute).ms <= e->now.ms && rows < ROWS_A_RECORD) {
        struct bs_tick_ms due = bs_minute_deadline(&e->minute);
        for (struct bs_minute_place *p = bs_minute_turn(&e->minute), *next; p; p = next) {
            next = p->next;
            rows += take_turn(e, p, due);
        }
        bs_minute_advance(&e->minute);
    }
}
