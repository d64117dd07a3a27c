/* What happens every ten seconds: the service document, the clock, what was turned away. Must never
 * change the engine but by a record. */
#include "runtime_parts.h"

#include "backstep/edge/notify.h"
#include "report.h"
#include "service.h"

#include <stdio.h>

#define REPORT_EVERY_NS (60 * UINT64_C(1000000000))

static int64_t age_ms(uint64_t now_ns, uint64_t then_ns)
{
    return now_ns > then_ns ? (int64_t)((now_ns - then_ns) / 1000000) : 0;
}

static void fill_view(struct bs_runtime *rt, const char *state, struct bs_service_view *v)
{
    uint64_t now = bs_clock_mono().ns;
    struct bs_tick_ms tick = bs_clock_tick(&rt->clock);
    *v = (struct bs_service_view){.state = state,
                                  .reason = rt->reason,
                                  .broker = rt->conf->mqtt.uri,
                                  .uptime_ms = age_ms(now, rt->started.ns),
                                  .books = bs_engine_books(rt->engine),
                                  .lag_bytes = bs_log_head(rt->intake) - rt->fold.folded,
                                  .slowest_turn_ns = rt->slowest_turn_ns};
    bs_engine_get_held(rt->engine, &v->held);
    v->absent_count = bs_runtime_find_absent(rt);
    v->absent = bs_buffer_slice(&rt->absent);
    bs_mqtt_get_state(rt->mqtt, &v->mqtt);
    bs_outlet_get_state(rt->outlet, &v->outlet);
    v->last_message_age_ms =
        v->mqtt.last_message_ns ? age_ms(now, v->mqtt.last_message_ns) : (int64_t)-1;
    v->lag_ms = v->lag_bytes ? tick.ms - rt->fold.folded_tick.ms : 0;
    v->outbox_oldest_age_ms =
        v->outlet.oldest.ms == BS_NEVER_MS ? 0 : tick.ms - v->outlet.oldest.ms;
}

void bs_runtime_tell(struct bs_runtime *rt, const char *state)
{
    if (!rt->mqtt || !rt->outlet) /* at the end: a reload could open none, and said offline */
        return;
    struct bs_service_view view;
    fill_view(rt, state, &view);
    bs_service_write(&view, &rt->document);
    rt->slowest_turn_ns = 0;
    struct bs_publication p = {.topic = bs_buffer_slice(&rt->service_topic),
                               .payload = bs_buffer_slice(&rt->document),
                               .qos = 1,
                               .retained = true};
    if (!rt->document.failed)
        bs_runtime_publish(rt, &p, BS_PUBLICATION_STATE);
    bs_service_sentence(&view, &rt->sentence);
    bs_buffer_add_char(&rt->sentence, 0);
    if (!rt->sentence.failed)
        bs_notify_status(rt->sentence.at);
}

/* The machine's clock. */

static void look_at_clock(struct bs_runtime *rt)
{
    /* An earlier clock record may still wait to be folded: what is in force is not known yet. */
    if (bs_clock_tick(&rt->clock).ms - rt->fold.folded_tick.ms > BS_TIMEKEEPER_LOOK_MS / 2 &&
        bs_log_head(rt->intake) != rt->fold.folded)
        return;
    struct bs_timekeeper_look look = {.tick = bs_clock_tick(&rt->clock),
                                      .machine = bs_clock_wall(),
                                      .offset_ms = bs_engine_offset_ms(rt->engine)};
    look.has_median = bs_engine_median_delay(rt->engine, look.tick, &look.median_delay_ms);
    struct bs_clock_body body;
    enum bs_timekeeper_advice advice = bs_timekeeper_judge(&rt->timekeeper, &look, &body.offset_ms);
    if (advice == BS_CLOCK_KEEP)
        return;
    body.stepped = advice == BS_CLOCK_STEP;
    if (body.stepped)
        bs_report(BS_LOG_WARNING,
                  "the clock was wrong by %.3f s and is set; windows that were open are final",
                  (double)(body.offset_ms - look.offset_ms) / 1000);
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    bs_clock_body_write(&body, bytes);
    struct bs_slice part = bs_slice_of(bytes, sizeof bytes);
    bs_log_append(rt->intake, BS_RECORD_CLOCK, 0, &part, 1, NULL);
}

/* What was turned away: a line at most once a minute a reason. */

static void report_reason(struct bs_runtime *rt, size_t slot, const char *what, const char *reason,
                          uint64_t count)
{
    uint64_t now = bs_clock_mono().ns;
    if (count == rt->reported_rejects[slot] || now < rt->report_due_ns[slot])
        return;
    bs_report(BS_LOG_WARNING, "%llu %s%s rejected: %s",
              (unsigned long long)(count - rt->reported_rejects[slot]), what,
              count - rt->reported_rejects[slot] == 1 ? "" : "s", reason);
    rt->reported_rejects[slot] = count;
    rt->report_due_ns[slot] = now + REPORT_EVERY_NS;
}

static void report_rejects(struct bs_runtime *rt)
{
    const struct bs_books *books = bs_engine_books(rt->engine);
    for (size_t i = 0; i < BS_MESSAGE_REASON_COUNT; i++)
        report_reason(rt, i, "message", bs_message_reason_name((enum bs_message_reason)i),
                      books->messages_rejected[i]);
    for (size_t i = 0; i < BS_STEP_REASON_COUNT; i++)
        if (i != BS_STEP_DUPLICATE)
            report_reason(rt, BS_MESSAGE_REASON_COUNT + i, "step",
                          bs_step_reason_name((enum bs_step_reason)i), books->steps_rejected[i]);
    bs_answers_sum_up(&rt->answers);
}

/* Subscriptions that are granted and yet bring nothing look like a quiet evening. */
static void report_silence(struct bs_runtime *rt)
{
    struct bs_mqtt_state state;
    bs_mqtt_get_state(rt->mqtt, &state);
    uint64_t since = state.phase == BS_MQTT_ONLINE ? state.connected_ns : 0;
    switch (bs_silence_judge(&rt->silence, bs_clock_mono().ns, since, state.last_message_ns)) {
    case BS_SILENCE_AT_ONCE:
        bs_report(BS_LOG_WARNING,
                  "connected to %s for %d min and nothing has come, no document and no birth: may "
                  "this client read %s/%s/config/# and device/# there?",
                  rt->conf->mqtt.uri, BS_SILENCE_AT_ONCE_MIN, rt->conf->mqtt.topic_root,
                  rt->conf->site.id);
        break;
    case BS_SILENCE_SINCE:
        bs_report(BS_LOG_INFO, "nothing has come for %d min, though %s is connected",
                  BS_SILENCE_SINCE_MIN, rt->conf->mqtt.uri);
        break;
    case BS_SILENCE_NONE:
        break;
    }
}

/* Rows of our own go the way of all rows: a database that is away is noticed though nobody walks.
 */
static void add_own_row(struct bs_runtime *rt)
{
    struct bs_service_view view;
    struct bs_line line;
    fill_view(rt, "online", &view);
    int64_t wall_ms = bs_clock_tick(&rt->clock).ms + bs_engine_offset_ms(rt->engine);
    bs_fold_add_row(&rt->fold, bs_service_write_row(&view, rt->conf->site.id,
                                                    rt->conf->site.instance, wall_ms, &line));
    bs_outlet_wake(rt->outlet);
}

void bs_runtime_beat(struct bs_runtime *rt)
{
    if (rt->reload != BS_RELOAD_NONE)
        return; /* neither broker nor database are there to be told */
    bs_runtime_look_around(rt);
    add_own_row(rt);
    look_at_clock(rt);
    report_rejects(rt);
    report_silence(rt);
    if (!bs_books_balance(bs_engine_books(rt->engine)))
        bs_report(BS_LOG_ERROR, "the books do not balance: this is a fault of the program");
    bs_runtime_tell(rt, rt->reason[0] ? "stalled" : "online");
}

/* Fed while the loop turns and either nothing waits, or some of it was folded, or it is known and
 * told why not. */
void bs_runtime_watchdog(struct bs_runtime *rt)
{
    bool idle = bs_log_head(rt->intake) == rt->fold.folded;
    if (idle || rt->fold.folded != rt->watched_position || rt->reason[0])
        bs_notify_alive();
    rt->watched_position = rt->fold.folded;
}
