/* The outlet's transfers to InfluxDB: what a batch is, when it goes, what its answer changes. Must
 * never have two under way, nor send a record before the one in front of it was delivered. */
#include "outlet_parts.h"

#include "report.h"

#include "backstep/base/check.h"

enum {
    /* The most one transfer carries: at 25 MB InfluxDB 1 refuses a body. */
    BATCH_BYTES = 8 << 20,
    REPORT_AGAIN_MS = 60000,
};

enum collected { NOTHING_MAY_LEAVE, REACHED_END, REACHED_UNSYNCED, REACHED_BOUND };

/* The batch is put together afresh for every try: what came meanwhile goes with it, and no slice
 * is kept over a dropped segment. */
static enum collected collect(struct bs_outlet *o, size_t *ret_parts)
{
    uint64_t lines = 0, bytes = 0;
    size_t parts = 0;
    uint64_t at = o->influx.at;
    enum collected end = REACHED_END;
    struct outlet_record record;
    o->batch_new_points = 0;
    while (at < o->counted && outlet_read(o, at, &record)) {
        if (!outlet_may_leave(o, &record)) {
            end = REACHED_UNSYNCED;
            break;
        }
        if (parts == o->parts_max || (parts > 0 && bytes + record.lines.length > BATCH_BYTES)) {
            end = REACHED_BOUND;
            break;
        }
        if (record.lines.length > 0)
            o->parts[parts++] = record.lines;
        bytes += record.lines.length;
        lines += record.points;
        if (record.position >= o->influx.high)
            o->batch_new_points += record.points;
        at = record.next;
        if (lines >= o->options.conf->influxdb.batch_points) {
            end = at < o->counted ? REACHED_BOUND : REACHED_END;
            break;
        }
    }
    o->batch = (struct bs_delivery_batch){o->influx.at, at};
    *ret_parts = parts;
    return at == o->influx.at ? NOTHING_MAY_LEAVE : end;
}

static void pass_batch(struct bs_outlet *o)
{
    o->influx.at = o->batch.until;
    if (o->batch.until <= o->influx.high)
        return;
    o->influx.high = o->batch.until;
    o->influx.waiting -= o->batch_new_points;
    o->marks[BS_OUTLET_DELIVERED_POINTS] += o->batch_new_points;
}

static void report_delivery(struct bs_outlet *o, enum bs_delivery_state before)
{
    const struct bs_delivery *d = &o->delivery;
    uint64_t now_ms = outlet_now_ms(o);
    if (d->state == BS_DELIVERY_OK) {
        if (before != BS_DELIVERY_OK)
            bs_report(BS_LOG_INFO, "influxdb: delivering again");
        return;
    }
    if (d->state == before && now_ms - o->error_report_ms < REPORT_AGAIN_MS)
        return;
    o->error_report_ms = now_ms;
    if (d->state == BS_DELIVERY_RETRYING)
        bs_report(BS_LOG_WARNING, "influxdb: %s; everything is kept and tried again", d->error);
    else
        bs_report(BS_LOG_ERROR, "influxdb refuses: %s; everything is kept, tried every 30 s",
                  d->error);
}

static void take_answer(struct bs_outlet *o, const struct bs_delivery_answer *answer)
{
    enum bs_delivery_state before = o->delivery.state;
    o->in_flight = false;
    o->transfers++;
    if (bs_delivery_take(&o->delivery, answer, o->batch, outlet_now_ms(o),
                         bs_random_next(&o->random)) == BS_DELIVERY_DELIVERED)
        pass_batch(o);
    report_delivery(o, before);
    if (o->delivery.state != before)
        outlet_changed(o);
}

static void on_answer(void *context, const struct bs_influx_answer *answer)
{
    struct bs_outlet *o = context;
    take_answer(o, &(struct bs_delivery_answer){
                       .http_status = answer->http_status,
                       .sent = answer->sent_bytes > 0,
                       .error = answer->error,
                       .body = answer->body,
                       .retry_after_s = answer->retry_after_s,
                   });
    outlet_turn(o);
}

static bool is_backlog_due(const struct bs_outlet *o)
{
    return o->finishing || o->delivery.state != BS_DELIVERY_OK || o->influx.at < o->influx.high ||
           o->influx.waiting >= o->options.conf->influxdb.batch_points ||
           o->counted - o->influx.at >= BATCH_BYTES;
}

uint64_t outlet_send_due_ms(const struct bs_outlet *o)
{
    if (!o->influx.used || o->in_flight)
        return OUTLET_NEVER_MS;
    uint64_t due_ms = OUTLET_NEVER_MS;
    if (o->influx.at < o->counted && !o->influx_unsynced) {
        due_ms = is_backlog_due(o) || o->first_wait_ms == OUTLET_NEVER_MS
                     ? 0
                     : o->first_wait_ms + o->options.conf->influxdb.flush_ms;
        if (due_ms < o->delivery.again_ms)
            due_ms = o->delivery.again_ms;
    }
    uint64_t back_ms = bs_delivery_go_back_ms(&o->delivery);
    return back_ms < due_ms ? back_ms : due_ms;
}

static void go_back_if_due(struct bs_outlet *o)
{
    uint64_t from;
    if (!bs_delivery_go_back(&o->delivery, o->influx.high, outlet_now_ms(o), &from))
        return;
    uint64_t first = bs_log_first(o->options.outbox);
    o->influx.at = from > first ? from : first;
    bs_report(BS_LOG_INFO,
              "influxdb: sending %llu bytes once more, a transfer of them had no answer",
              (unsigned long long)(o->influx.high - o->influx.at));
}

static void post(struct bs_outlet *o, size_t parts)
{
    /* From here to the answer nobody knows what becomes of it: also not after we are killed. */
    o->in_flight = true;
    outlet_store_marks(o);
    enum bs_status status = bs_influx_post(o->poster, o->parts, parts, on_answer, o);
    if (status != BS_OK)
        take_answer(o, &(struct bs_delivery_answer){.error = bs_slice_text(bs_status_text(status)),
                                                    .retry_after_s = -1});
}

void outlet_send(struct bs_outlet *o)
{
    if (!o->influx.used || o->in_flight)
        return;
    o->influx_unsynced = false;
    go_back_if_due(o);
    if (outlet_now_ms(o) < outlet_send_due_ms(o))
        return;
    size_t parts;
    enum collected end = collect(o, &parts);
    if (end == NOTHING_MAY_LEAVE) {
        o->influx_unsynced = true;
        return;
    }
    /* What is not synced yet came a moment ago and has its own flush_ms; what did not fit is due.
     */
    if (end == REACHED_END)
        o->first_wait_ms = OUTLET_NEVER_MS;
    else if (end == REACHED_UNSYNCED)
        o->first_wait_ms = outlet_now_ms(o);
    if (parts > 0)
        post(o, parts);
    else
        pass_batch(o);
}
