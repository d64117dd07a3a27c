/* The loop's turns: fold what has arrived, let time pass by tick records. Must never block, and
 * never read the clock for the engine: a tick record's stamp is all that the fold sees of time. */
#include "runtime_parts.h"

#include "report.h"

/* One async per message would cost twice what the client library does: after a turn that found
 * something, the next look comes this much later, and only a look that finds nothing sleeps. */
#define PAUSE_MS          5

#define RETRY_MS          250
#define TURN_NS           (10 * UINT64_C(1000000))
#define RECORDS_PER_LOOK  64
#define DEADLINE_ROUND_MS 100

enum turn_end { NOTHING_THERE, ALL_FOLDED, MORE_THERE, OUTBOX_STUCK };

static enum turn_end fold_for_a_while(struct bs_runtime *rt, uint64_t began)
{
    for (uint64_t count = 1;; count++) {
        if (!bs_fold_next(&rt->fold))
            return rt->fold.backlog ? OUTBOX_STUCK : count == 1 ? NOTHING_THERE : ALL_FOLDED;
        bs_runtime_note_unknown(rt);
        if (count % RECORDS_PER_LOOK == 0 && bs_clock_mono().ns - began > TURN_NS)
            return MORE_THERE;
    }
}

/* Deadlines are rounded up, so that a thousand rows make one tick record and not a thousand. */
static void arm_deadline(struct bs_runtime *rt)
{
    uv_timer_t *timer = &rt->timers[BS_TIMER_DEADLINE];
    int64_t due = bs_engine_deadline(rt->engine).ms;
    if (due == BS_NEVER_MS) {
        uv_timer_stop(timer);
        return;
    }
    int64_t late = due % DEADLINE_ROUND_MS;
    int64_t rounded = late ? due - late + DEADLINE_ROUND_MS : due;
    int64_t wait = rounded - bs_clock_tick(&rt->clock).ms;
    uv_update_time(&rt->loop);
    uv_timer_start(timer, bs_runtime_on_timer, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void arrange_next_turn(struct bs_runtime *rt, enum turn_end end)
{
    uv_timer_t *pause = &rt->timers[BS_TIMER_PAUSE];
    switch (end) {
    case MORE_THERE:
        uv_idle_start(&rt->busy, bs_runtime_on_busy);
        return;
    case ALL_FOLDED:
        uv_timer_start(pause, bs_runtime_on_timer, PAUSE_MS, 0);
        break;
    case OUTBOX_STUCK:
        /* No deadline: its tick would not be folded, the next one no more, and the intake is long.
         */
        uv_timer_start(pause, bs_runtime_on_timer, RETRY_MS, 0);
        uv_idle_stop(&rt->busy);
        uv_timer_stop(&rt->timers[BS_TIMER_DEADLINE]);
        return;
    case NOTHING_THERE:
        if (!bs_log_sleep(rt->intake))
            uv_timer_start(pause, bs_runtime_on_timer, 0, 0);
        break;
    }
    uv_idle_stop(&rt->busy);
    arm_deadline(rt);
}

void bs_runtime_note_turn(struct bs_runtime *rt, uint64_t began_ns)
{
    uint64_t took = bs_clock_mono().ns - began_ns;
    rt->slowest_turn_ns = took > rt->slowest_turn_ns ? took : rt->slowest_turn_ns;
}

void bs_runtime_turn(struct bs_runtime *rt)
{
    if (rt->reload != BS_RELOAD_NONE || atomic_load(&rt->stopping))
        return;
    uint64_t began = bs_clock_mono().ns;
    enum bs_status trouble = rt->fold.trouble;
    enum turn_end end = fold_for_a_while(rt, began);
    if (end != NOTHING_THERE)
        bs_outlet_wake(rt->outlet);
    if (rt->fold.trouble != trouble)
        bs_runtime_look_around(rt);
    arrange_next_turn(rt, end);
    bs_runtime_note_turn(rt, began);
}

static void on_deadline(struct bs_runtime *rt)
{
    bool is_due = bs_engine_deadline(rt->engine).ms <= bs_clock_tick(&rt->clock).ms;
    if (is_due && bs_log_append(rt->intake, BS_RECORD_TICK, 0, NULL, 0, NULL) != BS_OK) {
        /* What has no room for a tick has none in the next moment either. */
        uv_timer_start(&rt->timers[BS_TIMER_DEADLINE], bs_runtime_on_timer, RETRY_MS, 0);
        return;
    }
    bs_runtime_turn(rt);
}

void bs_runtime_on_wake(uv_async_t *wake)
{
    struct bs_runtime *rt = wake->data;
    if (rt->reload == BS_RELOAD_READY)
        bs_runtime_finish_reload(rt);
    if (rt->reload != BS_RELOAD_NONE || atomic_load(&rt->stopping))
        return;
    if (atomic_exchange(&rt->look_around, false)) {
        bs_runtime_look_around(rt);
        bs_outlet_wake(rt->outlet);
    }
    if (!uv_is_active((uv_handle_t *)&rt->timers[BS_TIMER_PAUSE]))
        bs_runtime_turn(rt);
}

void bs_runtime_on_busy(uv_idle_t *busy)
{
    bs_runtime_turn(busy->data);
}

void bs_runtime_on_timer(uv_timer_t *timer)
{
    struct bs_runtime *rt = timer->data;
    switch (timer - rt->timers) {
    case BS_TIMER_DEADLINE:
        on_deadline(rt);
        break;
    case BS_TIMER_BEAT:
        bs_runtime_beat(rt);
        break;
    case BS_TIMER_DOCUMENTS:
        bs_runtime_look_for_documents(rt);
        break;
    case BS_TIMER_SNAPSHOT:
        bs_runtime_look_at_snapshots(rt);
        break;
    case BS_TIMER_WATCHDOG:
        bs_runtime_watchdog(rt);
        break;
    default:
        bs_runtime_turn(rt);
    }
}
