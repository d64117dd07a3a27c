/* Members' steps on their way from the verdict to everything that counts them: held in order,
 * passed when their time comes. Must never pass a step before it is in the books. */
#include "engine_parts.h"

static struct bs_order_rules rules_of(const struct bs_engine *e)
{
    const struct bs_settings *s = bs_config_settings(e->config);
    return (struct bs_order_rules){.reorder_ms = s->reorder_ms, .fuse_ms = s->fuse_ms};
}

/* Room. */

/* An order has bouts to pass to: they come first. */
bool bs_engine_ready_member(struct bs_member *m)
{
    if (!m->bouts)
        m->bouts = bs_bouts_add_member(m);
    if (m->bouts && !m->order)
        m->order = bs_order_new();
    if (!m->order)
        return false;
    bs_bouts_withhold(m->bouts, m->windows.withheld);
    m->quiet = false;
    return true;
}

void bs_engine_release_member(void *context, struct bs_member *m)
{
    struct bs_engine *e = context;
    bs_order_free(m->order);
    bs_bouts_free_member(e->bouts, m->bouts);
}

struct bs_order_place bs_engine_find_step(struct bs_engine *e, const struct bs_member *m,
                                          const struct bs_order_event *event)
{
    struct bs_order_rules rules = rules_of(e);
    return bs_order_find(m->order, event, &rules);
}

bool bs_engine_reserve_step(struct bs_engine *e, struct bs_member *m,
                            const struct bs_order_event *event)
{
    return bs_order_reserve(m->order, event) && bs_heap_reserve(&e->timers);
}

/* Passing. */

static void pass(struct bs_engine *e, struct bs_member *m, struct bs_passed *p, uint32_t row)
{
    p->tags = bs_windows_tags(e->windows, row);
    bs_windows_add(e->windows, row, &p->sample, e->now);
    bs_summaries_add(e->summaries, p, e->now);
    if (p->in_order) {
        bs_bouts_take(e->bouts, m->bouts, p, e->now, bs_engine_wall(e), e->effects);
        bs_engine_show_step(e, m, p);
    }
    bs_summary_drop(p->summary);
}

static void pass_waiting(struct bs_engine *e, struct bs_member *m, bool all)
{
    struct bs_order_rules rules = rules_of(e);
    struct bs_passed passed;
    struct bs_order_errand errand;
    while (bs_order_pass(m->order, &rules, bs_engine_wall(e).ms, all, &passed, &errand)) {
        e->books.steps_waiting--;
        pass(e, m, &passed, errand.row);
    }
}

/* An old timer that is later stays where it is, and means nothing when its time comes. */
static void arm(struct bs_engine *e, struct bs_member *m)
{
    struct bs_order_rules rules = rules_of(e);
    int64_t due = m->order ? bs_order_due(m->order, &rules) : INT64_MAX;
    int64_t silent = bs_bouts_silent_at(e->bouts, m->bouts);
    due = silent < due ? silent : due;
    if (due >= m->timer_ms || !bs_heap_reserve(&e->timers))
        return;
    bs_heap_push(&e->timers, due, m);
    m->timer_ms = due;
    m->timers++;
}

static void note(struct bs_engine *e, struct bs_member *m, const struct bs_order_event *event)
{
    if (event->stored)
        return;
    bs_order_note(m->order, event->step->time_ms);
    pass_waiting(e, m, false);
    arm(e, m);
}

void bs_engine_take_event(struct bs_engine *e, struct bs_member *m,
                          const struct bs_order_event *event, const struct bs_order_place *join)
{
    struct bs_order_errand *turned = bs_order_join(m->order, event, join);
    if (turned)
        turned->row = bs_windows_turn(e->windows, &m->windows, turned->row, event->step->direction);
    e->books.steps_fused++;
    note(e, m, event);
}

void bs_engine_take_step(struct bs_engine *e, struct bs_member *m,
                         const struct bs_order_event *event, const struct bs_order_errand *errand)
{
    struct bs_passed passed;
    e->books.steps_counted++;
    if (bs_order_add(m->order, event, errand, bs_engine_wall(e).ms, &passed))
        e->books.steps_waiting++;
    else
        pass(e, m, &passed, errand->row);
    note(e, m, event);
}

void bs_engine_settle_member(struct bs_engine *e, struct bs_member *m)
{
    if (!m->order)
        return;
    pass_waiting(e, m, true);
    bs_bouts_end(e->bouts, m->bouts, e->effects);
}

/* Time. */

struct bs_wall_ms bs_engine_timers_deadline(const struct bs_engine *e)
{
    return (struct bs_wall_ms){bs_heap_least(&e->timers)};
}

void bs_engine_fire_timers(struct bs_engine *e)
{
    while (bs_heap_least(&e->timers) <= bs_engine_wall(e).ms) {
        int64_t due = bs_heap_least(&e->timers);
        struct bs_member *m = bs_heap_pop(&e->timers);
        m->timers--;
        if (due != m->timer_ms)
            continue;
        m->timer_ms = INT64_MAX;
        if (m->order)
            pass_waiting(e, m, false);
        bs_bouts_fire_silence(e->bouts, m->bouts, bs_engine_wall(e), e->effects);
        arm(e, m);
    }
}

static void rearm(void *context, struct bs_member *m)
{
    if (m->bouts)
        arm(context, m);
}

void bs_engine_rearm_timers(struct bs_engine *e)
{
    bs_roster_each_member(e->roster, rearm, e);
}

static void restart(void *context, struct bs_member *m)
{
    bs_engine_settle_member(context, m);
    if (m->order)
        bs_order_restart(m->order);
}

void bs_engine_restart_order(struct bs_engine *e)
{
    bs_roster_each_member(e->roster, restart, e);
}

/* What no step that is still accepted, or waits, can go on with. Nothing is written that stays as
 * it is: while a snapshot is taken each page of a member that is written to is copied. */
static void quieten(void *context, struct bs_member *m)
{
    struct bs_engine *e = context;
    if (m->order && bs_order_waiting(m->order) > 0)
        return;
    bool still = !m->bouts || bs_bouts_settle(e->bouts, m->bouts, bs_engine_settled(e), e->effects);
    if (still && m->order && !m->windows.rows[0] && !m->windows.rows[1]) {
        bs_order_free(m->order);
        m->order = NULL;
    }
    bool quiet = still && !m->order && m->timers == 0;
    if (m->quiet != quiet)
        m->quiet = quiet;
}

void bs_engine_quieten_members(struct bs_engine *e)
{
    bs_roster_each_member(e->roster, quieten, e);
}
