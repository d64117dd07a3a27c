/* The outlet's transfers to InfluxDB: when a batch goes, what an answer changes, when all its lines
 * are settled. Must never have two under way, nor send a record before the batch in front of it is
 * settled. */
#include "outlet_parts.h"

#include "report.h"

#include "backstep/base/check.h"
#include "backstep/core/named_lines.h"

#include <stdio.h>

/* After so many batches twice as many lines are tried again: somebody may have raised the bound. */
enum { PART_GOOD_BATCHES = 256 };

/* The end of a batch ------------------------------------------------------------------------- */

static void learn_part_max(struct bs_outlet *o)
{
    uint32_t part_max = o->batch.search.part_max;
    if (part_max < o->part_max && !o->batch.search.part_grows) {
        o->part_max = part_max;
        o->part_good = 0;
        outlet_report_part_max(o);
    } else if (o->part_max < UINT32_MAX / 2 && ++o->part_good == PART_GOOD_BATCHES) {
        o->part_max *= 2;
        o->part_good = 0;
    }
}

/* The one place where lines count as settled; their dead letters are on the disk. */
static void pass_batch(struct bs_outlet *o)
{
    const struct outlet_batch *b = &o->batch;
    uint64_t lost = b->new_letters + b->new_expired;
    o->batch.at_hand = false;
    o->influx.at = b->until;
    o->marks[BS_OUTLET_DEAD_LETTERS] += b->letters;
    o->marks[BS_OUTLET_EXPIRED_POINTS] += b->new_expired;
    bs_delivery_pass(&o->delivery, b->until);
    outlet_report_bad(o, b->letters);
    outlet_report_expired(o, b->new_expired);
    if (b->until <= o->influx.high)
        return;
    o->influx.high = b->until;
    o->influx.waiting -= b->new_points;
    o->marks[BS_OUTLET_DELIVERED_POINTS] += b->new_points > lost ? b->new_points - lost : 0;
}

/* Answers ------------------------------------------------------------------------------------ */

static void note_expired(struct bs_outlet *o, uint32_t expired)
{
    uint32_t first = o->batch.first > o->batch.old_lines ? o->batch.first : o->batch.old_lines;
    uint32_t new_lines = o->batch.beyond > first ? o->batch.beyond - first : 0;
    o->batch.new_expired += expired < new_lines ? expired : new_lines;
}

/* True where the server means a line that we sent, behind those it named before. */
static bool is_sound(const struct bs_outlet *o, const struct bs_named_line *named)
{
    return named->number <= o->batch.beyond - o->batch.first &&
           o->batch.first + named->number - 1 >= o->batch.search.at;
}

/* What is named wrongly is not believed, and what is not named to the end is sent again. */
static enum bs_bisection_result take_names(struct bs_outlet *o, struct bs_slice body)
{
    struct bs_named_lines names;
    struct bs_named_line named;
    struct outlet_line_walk walk = outlet_walk_lines(o);
    bool any = false, sound = bs_named_lines_begin(&names, body);
    while (sound && bs_named_lines_next(&names, &named)) {
        uint32_t line = o->batch.first + named.number - 1;
        sound =
            is_sound(o, &named) && bs_named_line_is(named.original, outlet_walk_to(&walk, line));
        if (!sound)
            break;
        char message[BS_DELIVERY_ERROR_MAX + 1];
        bs_delivery_quote(named.message, message, sizeof message);
        outlet_add_letters(o, line, line + 1, false, message);
        bs_bisection_take_named(&o->batch.search, line);
        any = true;
        sound = outlet_write_letters(o);
    }
    if (!any)
        return BS_BISECTION_FAILED;
    return sound && names.whole ? BS_BISECTION_PASSED : BS_BISECTION_REST_UNKNOWN;
}

static void take_verdict(struct bs_outlet *o, struct bs_delivery_verdict verdict,
                         struct bs_slice body)
{
    struct bs_bisection *search = &o->batch.search;
    switch (verdict.outcome) {
    case BS_DELIVERY_AGAIN:
        if (bs_bisection_is_untouched(search))
            outlet_drop_batch(o);
        break;
    case BS_DELIVERY_EXPIRED:
        note_expired(o, verdict.expired);
        bs_bisection_take(search, BS_BISECTION_PASSED);
        break;
    case BS_DELIVERY_DELIVERED:
        bs_bisection_take(search, BS_BISECTION_PASSED);
        break;
    case BS_DELIVERY_BAD:
        bs_bisection_take(search, BS_BISECTION_FAILED);
        break;
    case BS_DELIVERY_TOO_LARGE:
        bs_bisection_take(search, BS_BISECTION_TOO_LARGE);
        break;
    case BS_DELIVERY_NAMED:
        bs_bisection_take(search, take_names(o, body));
        break;
    }
}

static void take_answer(struct bs_outlet *o, const struct bs_delivery_answer *answer)
{
    enum bs_delivery_state before = o->delivery.state;
    char error[BS_DELIVERY_ERROR_MAX + 1];
    snprintf(error, sizeof error, "%s", o->delivery.error);
    o->in_flight = false;
    o->transfers++;
    struct bs_delivery_transfer transfer = {o->batch.from, o->batch.until,
                                            o->batch.beyond - o->batch.first};
    struct bs_delivery_verdict verdict = bs_delivery_take(
        &o->delivery, answer, transfer, outlet_now_ms(o), bs_random_next(&o->random));
    take_verdict(o, verdict, answer->body);
    outlet_report_delivery(o);
    if (o->delivery.state != before ||
        (before == BS_DELIVERY_REFUSED && strcmp(error, o->delivery.error) != 0))
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

/* Sending ------------------------------------------------------------------------------------ */

static bool is_backlog_due(const struct bs_outlet *o)
{
    return o->finishing || o->delivery.state != BS_DELIVERY_OK || o->influx.at < o->influx.high ||
           o->influx.waiting >= o->options.conf->influxdb.batch_points ||
           o->counted - o->influx.at >= OUTLET_BATCH_BYTES;
}

static uint64_t fresh_batch_due_ms(const struct bs_outlet *o)
{
    if (o->influx.at >= o->counted || o->influx_unsynced)
        return OUTLET_NEVER_MS;
    return is_backlog_due(o) || o->first_wait_ms == OUTLET_NEVER_MS
               ? 0
               : o->first_wait_ms + o->options.conf->influxdb.flush_ms;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t outlet_send_due_ms(const struct bs_outlet *o)
{
    if (!o->influx.used || o->in_flight)
        return OUTLET_NEVER_MS;
    uint64_t may_ms = later(o->delivery.again_ms, o->letters.again_ms);
    if (o->batch.at_hand)
        return may_ms;
    uint64_t due_ms = later(fresh_batch_due_ms(o), may_ms);
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

static void post(struct bs_outlet *o, struct bs_bisection_step step)
{
    size_t parts = outlet_collect_part(o, step.first, step.beyond);
    o->batch.first = step.first;
    o->batch.beyond = step.beyond;
    /* From here to the answer nobody knows what becomes of it: also not after we are killed. */
    o->in_flight = true;
    outlet_store_marks(o);
    enum bs_status status = bs_influx_post(o->poster, o->parts, parts, on_answer, o);
    if (status != BS_OK)
        take_answer(o, &(struct bs_delivery_answer){.error = bs_slice_text(bs_status_text(status)),
                                                    .retry_after_s = -1});
}

static bool finish_batch(struct bs_outlet *o)
{
    if (!outlet_sync_letters(o))
        return false;
    learn_part_max(o);
    pass_batch(o);
    return true;
}

/* Goes on with the batch at hand; true where there is none any more. */
static bool settle(struct bs_outlet *o)
{
    while (o->batch.at_hand) {
        if (!outlet_write_letters(o))
            return false;
        struct bs_bisection_step step = bs_bisection_next(&o->batch.search);
        switch (step.action) {
        case BS_BISECTION_SEND:
            post(o, step);
            return false;
        case BS_BISECTION_BLAME:
        case BS_BISECTION_SUSPECT:
            outlet_add_letters(o, step.first, step.beyond, step.action == BS_BISECTION_SUSPECT,
                               o->delivery.complaint);
            break;
        case BS_BISECTION_DONE:
            if (!finish_batch(o))
                return false;
        }
    }
    return true;
}

static void begin_batch(struct bs_outlet *o)
{
    enum outlet_collected end = outlet_collect(o);
    if (end == OUTLET_NOTHING) {
        o->influx_unsynced = true;
        return;
    }
    /* What is not synced yet came a moment ago and has its own flush_ms; what did not fit is due.
     */
    if (end == OUTLET_END)
        o->first_wait_ms = OUTLET_NEVER_MS;
    else if (end == OUTLET_UNSYNCED)
        o->first_wait_ms = outlet_now_ms(o);
    if (o->batch.lines == 0) {
        pass_batch(o);
        return;
    }
    bs_bisection_init(&o->batch.search, o->batch.lines, o->part_max);
    o->batch.at_hand = true;
    settle(o);
}

void outlet_send(struct bs_outlet *o)
{
    o->influx_unsynced = false; /* whoever wakes us may have synced it */
    if (!o->influx.used || o->in_flight || outlet_now_ms(o) < outlet_send_due_ms(o) || !settle(o))
        return;
    go_back_if_due(o);
    if (outlet_now_ms(o) >= outlet_send_due_ms(o))
        begin_batch(o);
}
