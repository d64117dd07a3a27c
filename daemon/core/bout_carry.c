/* The carry-over and the slips of a running forward bout. Must never judge a step by a block that
 * it is in. */
#include "bout_parts.h"

#include <stdlib.h>

_Static_assert(BS_SETTINGS_CARRY_OVER_GAP_S_MAX * 1000 <= BS_VISIT_GAP_MS,
               "both bouts are of one visit, whose habit is told with the backward one");

void bs_bout_carry_begin(struct bs_bouts *b, struct bs_bout_member *m)
{
    const struct bs_carry_back *back = &m->carry.back;
    if (!back->steps || back->has_partner || !m->carry.habit_told ||
        m->bout.first_ms - back->last_ms > b->settings->carry_over_gap_s * 1000)
        return;
    struct bs_carry_over *c = calloc(1, sizeof *c);
    if (c && bs_carry_block_init(&c->block, (uint16_t)b->settings->carry_over_steps))
        m->bout.carry_over = c;
    else
        free(c);
}

void bs_bout_carry_free(struct bs_bout_member *m)
{
    struct bs_carry_over *c = m->bout.carry_over;
    if (!c)
        return;
    bs_windows_leave_retention(&c->in_group);
    bs_carry_block_fini(&c->block);
    for (unsigned i = 0; i < BS_SLIP_METRICS; i++)
        bs_slip_watch_fini(&c->watches[i]);
    free(c);
    m->bout.carry_over = NULL;
}

/* Figures. */

/* Compares the block as it is now, and tells. */
static void compare(struct bs_bouts *b, struct bs_bout_member *m)
{
    struct bs_carry_over *c = m->bout.carry_over;
    struct bs_carry_over_news news = {.tags = m->bout.tags,
                                      .summary = m->bout.summary,
                                      .time_ms = m->bout.first_ms,
                                      .first = !c->told,
                                      .in_group = &c->in_group};
    news.had_retention = c->told && bs_carry_retention(&c->figures, &news.old_retention_pct);
    bs_carry_compare(&m->carry, &c->block, &c->figures);
    c->block_steps = c->block.count;
    c->told = true;
    news.has_retention = bs_carry_retention(&c->figures, &news.retention_pct);
    b->listener.carried(b->listener.context, m->owner, &news);
    m->bout.carry_dirty = true;
}

static void watch(struct bs_carry_over *c)
{
    for (unsigned i = 0; i < BS_SLIP_METRICS; i++) {
        struct bs_middle reference = bs_carry_block_middle(&c->block, i);
        c->watched[i] = bs_carry_block_tells(&c->block, reference.count) &&
                        (i == BS_SLIP_TRUNK_PITCH || reference.value > 0);
        bs_slip_watch_init(&c->watches[i], reference.value);
    }
}

static void fill(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_carry_value *value)
{
    struct bs_carry_over *c = m->bout.carry_over;
    if (c->block.count < c->block.room)
        c->block.values[c->block.count++] = *value;
    if (!c->has_partner || c->block.count < c->block.room)
        return;
    compare(b, m);
    watch(c);
    c->full = true;
    bs_carry_block_fini(&c->block);
}

void bs_bout_carry_close(struct bs_bouts *b, struct bs_bout_member *m)
{
    struct bs_carry_over *c = m->bout.carry_over;
    if (c && c->has_partner && !c->full)
        compare(b, m);
}

/* Slips. */

static struct bs_slip_rule rule_of(const struct bs_slip_settings *s, enum bs_slip_metric metric)
{
    bool relative = metric != BS_SLIP_TRUNK_PITCH;
    return (struct bs_slip_rule){.relative = relative,
                                 .drift = relative ? s->drift_pct : s->drift_deg,
                                 .threshold = relative ? s->threshold_pct : s->threshold_deg,
                                 .hold_off_steps = (uint16_t)s->hold_off_steps};
}

static void slip(struct bs_bouts *b, struct bs_bout_member *m, struct bs_slip_news *news,
                 const struct bs_effects *effects)
{
    struct bs_carry_over *c = m->bout.carry_over;
    if (c->slips++ == 0)
        c->first_slip_step = m->bout.steps;
    m->bout.carry_dirty = true;
    news->tags = m->bout.tags;
    news->summary = m->bout.summary;
    news->time_ms = m->bout.last_ms;
    news->named = bs_bout_is_named(m);
    bs_bout_write_slip(b, m, news, effects);
    b->listener.slipped(b->listener.context, m->owner, news);
}

static void judge(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_carry_value *value,
                  const struct bs_effects *effects)
{
    struct bs_carry_over *c = m->bout.carry_over;
    for (unsigned i = 0; i < BS_SLIP_METRICS; i++) {
        int16_t x;
        if (!c->watched[i] || !bs_carry_value_get(value, i, &x))
            continue;
        struct bs_slip_rule rule = rule_of(&b->settings->slip, i);
        struct bs_slip_news news = {.metric = i};
        enum bs_slip_sign sign = bs_slip_take(&c->watches[i], &rule, x, &news.deviation);
        news.up = sign == BS_SLIP_UP;
        if (sign != BS_SLIP_NONE)
            slip(b, m, &news, effects);
    }
}

void bs_bout_carry_step(struct bs_bouts *b, struct bs_bout_member *m,
                        const struct bs_sample *sample, const struct bs_effects *effects)
{
    struct bs_carry_value value = bs_carry_value_of(sample);
    bs_carry_take_forward(&m->carry, &value);
    if (!m->bout.carry_over)
        return;
    if (m->bout.carry_over->full)
        judge(b, m, &value, effects);
    else
        fill(b, m, &value);
}
