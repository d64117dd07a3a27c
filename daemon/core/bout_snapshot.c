/* Members' bouts, to a snapshot and back. Must never let in a row that is to be written of a bout
 * that is not there. */
#include "bout_parts.h"

#include "backstep/core/snapshot.h"

#include <stdlib.h>

/* Counts go on: what is loaded leaves them as much as anybody can walk. */
static uint32_t keep_count(struct bs_snapshot *s, uint32_t count)
{
    count = bs_snapshot_u32(s, count, UINT32_MAX);
    bs_snapshot_require(s, !bs_snapshot_loads(s) || count <= INT32_MAX);
    return count;
}

/* Tags and summary of a step; loaded ones are held, both or none. */
static void keep_labels(struct bs_snapshot *s, struct bs_tags **tags, struct bs_summary **summary)
{
    struct bs_tags *t = bs_snapshot_refer_some(s, BS_SNAPSHOT_TAGS, *tags);
    struct bs_summary *of = bs_snapshot_refer(s, BS_SNAPSHOT_SUMMARY, *summary);
    if (!bs_snapshot_loads(s) || s->failed)
        return;
    bs_tags_hold(t);
    bs_summary_hold(of);
    *tags = t;
    *summary = of;
}

/* Steps that are not settled. */

/* Unknown, or what sketches have a bin for. */
static bool is_measured(uint16_t halves)
{
    return !halves || halves >= BS_SKETCH_MIN;
}

static void keep_step(struct bs_snapshot *s, struct bs_bout_step *step)
{
    bs_step_snapshot(s, &step->step);
    bs_sample_snapshot(s, &step->sample);
    bs_snapshot_require(s, is_measured(step->sample.step_time_halves) &&
                               is_measured(step->sample.step_length_halves));
    step->follows = bs_snapshot_flag(s, step->follows);
    keep_labels(s, &step->tags, &step->summary);
}

static void keep_run(struct bs_snapshot *s, struct bs_bout_member *m)
{
    unsigned count = bs_snapshot_u32(s, m->run ? m->run->count : 0, BS_BOUT_RUN_MAX);
    if (!count)
        return;
    if (bs_snapshot_loads(s)) {
        bs_snapshot_require(s, bs_bout_has_direction(m->run_direction));
        m->run = calloc(1, sizeof *m->run);
        if (!m->run) {
            bs_snapshot_fail(s, BS_NO_MEMORY);
            return;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        keep_step(s, &m->run->steps[i]);
        bs_snapshot_require(s, s->failed || m->run->steps[i].step.direction == m->run_direction);
        if (bs_snapshot_loads(s) && m->run->steps[i].tags)
            m->run->count = i + 1;
    }
}

/* Carry-over. */

/* What of it is told elsewhere, where it may change: in the group's row, in the summary. */
static void keep_retention(struct bs_snapshot *s, struct bs_bout *bout)
{
    struct bs_carry_over *c = bout->carry_over;
    struct bs_group_retention *r = bs_snapshot_refer(s, BS_SNAPSHOT_RETENTION, c->in_group);
    double pct;
    if (!bs_snapshot_loads(s) || s->failed)
        return;
    if (r)
        bs_snapshot_require(s, bs_windows_join_retention(r, &c->in_group));
    if (bs_carry_retention(&c->figures, &pct))
        bs_snapshot_require(s, bs_summary_claim_retention(bout->summary));
}

static void keep_slips(struct bs_snapshot *s, struct bs_bout *bout)
{
    struct bs_carry_over *c = bout->carry_over;
    c->slips = keep_count(s, c->slips);
    if (c->slips) {
        c->first_slip_step = bs_snapshot_u32(s, c->first_slip_step, bout->steps);
        bs_snapshot_require(s, c->first_slip_step > c->block_steps);
    }
    for (unsigned i = 0; i < BS_SLIP_METRICS; i++) {
        c->watched[i] = bs_snapshot_flag(s, c->watched[i]);
        if (c->watched[i])
            bs_slip_watch_snapshot(s, &c->watches[i], i != BS_SLIP_TRUNK_PITCH);
    }
}

/* Once the block is full, nothing but the figures and what is watched is left of it. */
static void keep_carry_over(struct bs_snapshot *s, struct bs_bout *bout)
{
    struct bs_carry_over *c = bout->carry_over;
    c->has_partner = bs_snapshot_flag(s, c->has_partner);
    c->full = bs_snapshot_flag(s, c->full);
    c->told = bs_snapshot_flag(s, c->told);
    bs_snapshot_require(s, (c->has_partner || !c->told) && (c->told || !c->full));
    if (!c->full)
        bs_carry_block_snapshot(s, &c->block);
    if (!c->told)
        return;
    c->block_steps = bs_snapshot_u16(s, c->block_steps, BS_CARRY_VALUES_MAX);
    bs_carry_figures_snapshot(s, &c->figures);
    keep_retention(s, bout);
    if (c->full)
        keep_slips(s, bout);
}

/* It compares with a habit that is told. */
static void keep_carry(struct bs_snapshot *s, struct bs_bout_member *m)
{
    struct bs_bout *bout = &m->bout;
    if (!bs_snapshot_flag(s, bout->carry_over != NULL))
        return;
    bs_snapshot_require(s, bout->direction == BS_DIRECTION_FORWARD && m->carry.habit_told &&
                               m->carry.back.steps);
    if (bs_snapshot_loads(s))
        bout->carry_over = calloc(1, sizeof *bout->carry_over);
    if (bout->carry_over)
        keep_carry_over(s, bout);
    else
        bs_snapshot_fail(s, BS_NO_MEMORY);
}

/* Bouts. */

static void keep_before(struct bs_snapshot *s, struct bs_bout *bout)
{
    if (!bs_snapshot_flag(s, bout->before != NULL))
        return;
    if (bs_snapshot_loads(s))
        bout->before = calloc(1, sizeof *bout->before);
    if (bout->before)
        bs_totals_snapshot(s, bout->before);
    else
        bs_snapshot_fail(s, BS_NO_MEMORY);
}

static void keep_figures(struct bs_snapshot *s, struct bs_bout *bout)
{
    bout->first_ms = bs_snapshot_moment(s, bout->first_ms);
    bout->last_ms = bs_snapshot_moment(s, bout->last_ms);
    bout->first_time_halves = bs_snapshot_u16(s, bout->first_time_halves, BS_SKETCH_MAX);
    bout->steps = keep_count(s, bout->steps);
    bout->strays = keep_count(s, bout->strays);
    bs_sums_snapshot(s, &bout->sums);
    keep_before(s, bout);
    for (unsigned i = 0; i < BS_BOUT_SKETCHES; i++)
        bs_sketch_snapshot(s, &bout->sketches[i]);
}

/* After the carry: a carry-over hangs on it. */
static void keep_bout(struct bs_snapshot *s, struct bs_bout_member *m)
{
    struct bs_bout *bout = &m->bout;
    uint8_t direction = bs_snapshot_u8(s, bout->direction, BS_DIRECTION_COUNT - 1);
    bool runs = bs_bout_has_direction(direction);
    bs_snapshot_require(s, runs || direction == BS_DIRECTION_UNKNOWN);
    if (!runs)
        return;
    keep_labels(s, &bout->tags, &bout->summary);
    if (s->failed)
        return;
    bout->direction = direction;
    bout->open = bs_snapshot_flag(s, bout->open);
    bout->written = bs_snapshot_flag(s, bout->written);
    bout->shown = bs_snapshot_flag(s, bout->shown);
    bout->shown_open = bs_snapshot_flag(s, bout->shown_open);
    bout->row_dirty = bs_snapshot_flag(s, bout->row_dirty);
    bout->carry_dirty = bs_snapshot_flag(s, bout->carry_dirty);
    keep_figures(s, bout);
    keep_carry(s, m);
    bs_snapshot_require(s, s->failed || !bout->carry_dirty ||
                               (bout->carry_over && bout->carry_over->told));
}

static void keep_course(struct bs_snapshot *s, struct bs_bout_member *m)
{
    m->withheld = bs_snapshot_flag(s, m->withheld);
    m->any = bs_snapshot_flag(s, m->any);
    if (m->any)
        m->last_ms = bs_snapshot_moment(s, m->last_ms);
    m->last_is_own = bs_snapshot_flag(s, m->last_is_own);
    m->last_is_run = bs_snapshot_flag(s, m->last_is_run);
    m->foreign = bs_snapshot_u8(s, m->foreign, BS_BOUT_FOREIGN_MAX - 1);
    m->strays = bs_snapshot_u8(s, m->strays, m->foreign);
    m->run_direction = bs_snapshot_u8(s, m->run_direction, BS_DIRECTION_COUNT - 1);
    keep_run(s, m);
}

void bs_bouts_member_snapshot(struct bs_snapshot *s, struct bs_bout_member **m, void *owner)
{
    if (!bs_snapshot_flag(s, *m != NULL))
        return;
    if (bs_snapshot_loads(s))
        *m = bs_bouts_add_member(owner);
    if (!*m) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    keep_course(s, *m);
    bs_carry_snapshot(s, &(*m)->carry);
    keep_bout(s, *m);
    bs_snapshot_define(s, BS_SNAPSHOT_BOUT_MEMBER, *m);
}

/* Dirt. */

static size_t count_dirty(const struct bs_bout_queue *q)
{
    size_t count = 0;
    for (const struct bs_bout_member *m = q->first; m; m = m->dirty_next)
        count++;
    return count;
}

static void keep_queue(struct bs_snapshot *s, struct bs_bouts *b, bool soon)
{
    size_t count = bs_snapshot_count(s, count_dirty(&b->queues[soon]), UINT32_MAX);
    struct bs_bout_member *m = NULL;
    for (size_t i = 0; i < count; i++) {
        struct bs_bout_member *next = m ? m->dirty_next : b->queues[soon].first;
        m = bs_snapshot_refer_some(s, BS_SNAPSHOT_BOUT_MEMBER, next);
        struct bs_tick_ms since = {bs_snapshot_moment(s, m ? m->dirty_since : 0)};
        bs_snapshot_require(s, s->failed || since.ms >= 0);
        if (!bs_snapshot_loads(s))
            continue;
        bs_snapshot_require(s, s->failed || (m->dirty_since < 0 && m->bout.tags));
        if (s->failed)
            return;
        bs_bout_mark_dirty(b, m, since, soon);
    }
}

void bs_bouts_snapshot(struct bs_snapshot *s, struct bs_bouts *b)
{
    keep_queue(s, b, false);
    keep_queue(s, b, true);
}
