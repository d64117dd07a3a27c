/* When the rows of bouts are written. Must never write one that its member did not consent to. */
#include "bout_parts.h"

/* Dirt. */

void bs_bout_mark_dirty(struct bs_bouts *b, struct bs_bout_member *m, struct bs_tick_ms now,
                        bool soon)
{
    if (m->dirty_since >= 0 && (m->dirty_soon || !soon))
        return;
    bs_bout_mark_clean(b, m);
    struct bs_bout_queue *q = &b->queues[soon];
    m->dirty_since = now.ms;
    m->dirty_soon = soon;
    m->dirty_next = NULL;
    m->dirty_previous = q->last;
    if (q->last)
        q->last->dirty_next = m;
    else
        q->first = m;
    q->last = m;
}

void bs_bout_mark_clean(struct bs_bouts *b, struct bs_bout_member *m)
{
    if (m->dirty_since < 0)
        return;
    struct bs_bout_queue *q = &b->queues[m->dirty_soon];
    m->dirty_since = -1;
    if (m->dirty_previous)
        m->dirty_previous->dirty_next = m->dirty_next;
    else
        q->first = m->dirty_next;
    if (m->dirty_next)
        m->dirty_next->dirty_previous = m->dirty_previous;
    else
        q->last = m->dirty_previous;
}

static int64_t due(const struct bs_bouts *b, bool soon)
{
    int64_t delay_ms = b->settings->refresh_s * 1000 * (soon ? 1 : BS_BOUT_REFRESHES);
    return b->queues[soon].first ? b->queues[soon].first->dirty_since + delay_ms : BS_NEVER_MS;
}

struct bs_tick_ms bs_bouts_deadline(const struct bs_bouts *b)
{
    int64_t soon = due(b, true), later = due(b, false);
    return (struct bs_tick_ms){soon < later ? soon : later};
}

void bs_bouts_fire(struct bs_bouts *b, struct bs_tick_ms now, const struct bs_effects *effects)
{
    for (int soon = 1; soon >= 0; soon--)
        while (due(b, soon) <= now.ms) {
            struct bs_bout_member *m = b->queues[soon].first;
            if (!m->bout.open)
                bs_bout_carry_close(b, m);
            bs_bout_write(b, m, effects);
        }
}

/* Rows. */

static struct bs_slice bout_line(struct bs_bouts *b, const struct bs_bout *bout)
{
    struct bs_totals totals = {0};
    if (bout->before)
        totals = *bout->before;
    bs_totals_add(&totals, &bout->sums);
    struct bs_gait_bout row = {.tags = bout->tags,
                               .direction = bout->direction,
                               .open = bout->open,
                               .first_ms = bout->first_ms,
                               .duration_halves =
                                   2 * (bout->last_ms - bout->first_ms) + bout->first_time_halves,
                               .strays = bout->strays,
                               .totals = &totals,
                               .sketches = bout->sketches};
    return bs_gait_bout_write(&row, &b->line);
}

static struct bs_slice carry_line(struct bs_bouts *b, const struct bs_bout_member *m)
{
    const struct bs_carry_over *c = m->bout.carry_over;
    struct bs_carry_over_row row = {.tags = m->bout.tags,
                                    .first_ms = m->bout.first_ms,
                                    .back_steps = m->carry.back.steps,
                                    .block_steps = c->block_steps,
                                    .slips = c->slips,
                                    .first_slip_step = c->first_slip_step,
                                    .figures = &c->figures};
    return bs_carry_over_write(&row, &b->line);
}

void bs_bout_write(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_effects *effects)
{
    struct bs_bout *bout = &m->bout;
    bs_bout_mark_clean(b, m);
    if (bs_bout_is_named(m)) {
        if (bout->row_dirty)
            effects->line(effects->context, bout_line(b, bout), bout->open);
        if (bout->carry_dirty)
            effects->line(effects->context, carry_line(b, m), bout->open);
    }
    bout->shown = true;
    bout->shown_open = bout->open;
    bout->row_dirty = bout->carry_dirty = false;
}

void bs_bout_write_slip(struct bs_bouts *b, struct bs_bout_member *m,
                        const struct bs_slip_news *news, const struct bs_effects *effects)
{
    if (!news->named)
        return;
    struct bs_slip_row row = {.tags = news->tags,
                              .metric = news->metric,
                              .up = news->up,
                              .deviation = news->deviation,
                              .step = m->bout.steps,
                              .time_ms = news->time_ms};
    effects->line(effects->context, bs_slip_write(&row, &b->line), false);
}
