/* The course of a member's bouts: which direction is confirmed, and which steps are settled. Must
 * never count a step in a bout before its direction is confirmed. */
#include "bout_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

/* Runs. */

static struct bs_bout_run *take_run(struct bs_bouts *b)
{
    struct bs_bout_run *run = b->spare_runs;
    if (run)
        b->spare_runs = run->next_spare;
    else
        run = malloc(sizeof *run);
    if (run)
        run->count = 0;
    return run;
}

static void drop_run(struct bs_bouts *b, struct bs_bout_member *m)
{
    struct bs_bout_run *run = m->run;
    m->run = NULL;
    m->last_is_run = false;
    if (!run)
        return;
    for (unsigned i = 0; i < run->count; i++) {
        bs_tags_drop(run->steps[i].tags);
        bs_summary_drop(run->steps[i].summary);
    }
    run->next_spare = b->spare_runs;
    b->spare_runs = run;
}

void bs_bout_course_forget(struct bs_bouts *b, struct bs_bout_member *m)
{
    drop_run(b, m);
    m->foreign = m->strays = 0;
    m->last_is_own = false;
}

/* Settling. */

static void add_to_sketches(struct bs_bouts *b, struct bs_bout *bout, const struct bs_sample *s)
{
    if (s->step_time_halves)
        bs_sketch_add(&bout->sketches[BS_BOUT_STEP_TIME], &b->scale, s->step_time_halves);
    if (s->step_length_halves)
        bs_sketch_add(&bout->sketches[BS_BOUT_STEP_LENGTH], &b->scale, s->step_length_halves);
    if (bs_step_has(s->step, BS_FIELD_STRIDE_MS))
        bs_sketch_add(&bout->sketches[BS_BOUT_STRIDE_TIME], &b->scale,
                      2 * s->step->value[BS_FIELD_STRIDE_MS]);
    if (bs_step_has(s->step, BS_FIELD_CONTACT_MS))
        bs_sketch_add(&bout->sketches[BS_BOUT_CONTACT], &b->scale,
                      2 * s->step->value[BS_FIELD_CONTACT_MS]);
}

/* Where the sums are full and no memory is to be had, they begin again. */
static void add_to_sums(struct bs_bout *bout, const struct bs_sample *sample)
{
    if (bout->sums.steps == BS_SUMS_STEPS_MAX) {
        if (!bout->before)
            bout->before = calloc(1, sizeof *bout->before);
        if (bout->before)
            bs_totals_add(bout->before, &bout->sums);
        bout->sums = (struct bs_sums){0};
    }
    bs_sums_add(&bout->sums, sample);
}

static void reach_written(struct bs_bouts *b, struct bs_bout_member *m)
{
    m->bout.written = true;
    if (m->bout.direction == BS_DIRECTION_BACKWARD)
        bs_carry_tell_habit(&m->carry);
    if (m->bout.carry_over) {
        m->bout.carry_over->has_partner = true;
        m->carry.back.has_partner = true;
    }
    b->listener.written(b->listener.context, m->owner, m->bout.summary);
}

/* A step time that does not begin in the bout is none of it. */
static void settle(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_sample *sample,
                   bool follows, const struct bs_effects *effects)
{
    struct bs_bout *bout = &m->bout;
    struct bs_sample own = *sample;
    own.late = false;
    own.lost = 0;
    if (!follows) {
        own.step_time_halves = 0;
        own.step_time_exact = false;
    }
    bout->steps++;
    bout->last_ms = own.step->time_ms;
    add_to_sums(bout, &own);
    add_to_sketches(b, bout, &own);
    if (bout->direction == BS_DIRECTION_BACKWARD) {
        struct bs_carry_value value = bs_carry_value_of(&own);
        bs_carry_take_backward(&m->carry, &value);
    }
    if (!bout->written && bout->steps >= b->settings->bout_min_steps)
        reach_written(b, m);
    if (bout->direction == BS_DIRECTION_FORWARD)
        bs_bout_carry_step(b, m, &own, effects);
}

/* Beginning and ending. */

static void begin(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_bout_step *first)
{
    struct bs_bout *bout = &m->bout;
    bout->direction = first->step.direction;
    bout->tags = first->tags;
    bs_tags_hold(bout->tags);
    bout->summary = first->summary;
    bs_summary_hold(bout->summary);
    bout->first_ms = first->step.time_ms;
    bout->first_time_halves = first->sample.step_time_halves;
    b->listener.began(b->listener.context, m->owner);
    if (bout->direction == BS_DIRECTION_FORWARD)
        bs_bout_carry_begin(b, m);
}

static void clear(struct bs_bouts *b, struct bs_bout_member *m)
{
    struct bs_bout *bout = &m->bout;
    bs_bout_mark_clean(b, m);
    bs_bout_carry_free(m);
    bs_tags_drop(bout->tags);
    bs_summary_drop(bout->summary);
    free(bout->before);
    for (unsigned i = 0; i < BS_BOUT_SKETCHES; i++)
        bs_sketch_clear(&bout->sketches[i]);
    struct bs_bout empty = {0};
    memcpy(empty.sketches, bout->sketches, sizeof empty.sketches);
    *bout = empty;
}

void bs_bout_end(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_effects *effects)
{
    struct bs_bout *bout = &m->bout;
    if (bout->direction == BS_DIRECTION_UNKNOWN)
        return;
    bout->open = false;
    bout->row_dirty = bout->written;
    bs_bout_carry_close(b, m);
    bout->carry_dirty = bout->carry_over && bout->carry_over->told;
    bs_bout_write(b, m, effects);
    if (bout->direction == BS_DIRECTION_BACKWARD)
        bs_carry_end_backward(&m->carry, bout->written, bout->steps, bout->last_ms);
    clear(b, m);
    m->last_is_own = false;
}

/* The course. */

/* Of a backlog the bout is silent already. */
static void touch(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_bout_moment *moment)
{
    m->bout.open = moment->wall.ms < bs_bout_silent_from(b, m->bout.last_ms);
    if (!m->bout.written)
        return;
    m->bout.row_dirty = true;
    bool as_shown = m->bout.shown && m->bout.shown_open == m->bout.open;
    bs_bout_mark_dirty(b, m, moment->now, !as_shown || m->bout.carry_dirty);
}

static void take_own(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_passed *passed,
                     const struct bs_bout_moment *moment)
{
    if (m->foreign > 0) {
        m->bout.strays += m->strays;
        drop_run(b, m);
        m->foreign = m->strays = 0;
    }
    settle(b, m, &passed->sample, m->last_is_own, moment->effects);
    m->last_is_own = true;
    touch(b, m, moment);
}

/* The run is long enough with this step: its direction is the bout's. */
static void confirm(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_bout_step *last,
                    const struct bs_bout_moment *moment)
{
    struct bs_bout_run *run = m->run;
    bs_bout_end(b, m, moment->effects);
    begin(b, m, run && run->count ? &run->steps[0] : last);
    for (unsigned i = 0; run && i < run->count; i++) {
        struct bs_bout_step *s = &run->steps[i];
        s->sample.step = &s->step;
        settle(b, m, &s->sample, i > 0 && s->follows, moment->effects);
    }
    settle(b, m, &last->sample, run && run->count && last->follows, moment->effects);
    bs_bout_course_forget(b, m);
    m->last_is_own = true;
    touch(b, m, moment);
}

/* Where no memory is to be had the step is none of any bout. */
static void append(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_bout_step *step)
{
    if (!m->run)
        m->run = take_run(b);
    if (!m->run)
        return;
    bs_check(m->run->count < BS_BOUT_RUN_MAX);
    m->run->steps[m->run->count++] = *step;
    bs_tags_hold(step->tags);
    bs_summary_hold(step->summary);
    m->last_is_run = true;
}

static void count_foreign(struct bs_bouts *b, struct bs_bout_member *m, bool stray,
                          const struct bs_effects *effects)
{
    if (m->bout.direction == BS_DIRECTION_UNKNOWN)
        return;
    m->foreign++;
    m->strays = (uint8_t)(m->strays + stray);
    m->last_is_own = false;
    if (m->foreign < BS_BOUT_FOREIGN_MAX)
        return;
    bs_bout_end(b, m, effects);
    m->foreign = m->strays = 0;
}

static void take_other(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_passed *passed,
                       const struct bs_bout_moment *moment)
{
    uint8_t direction = passed->sample.step->direction;
    if (direction != m->run_direction)
        drop_run(b, m);
    m->run_direction = direction;
    struct bs_bout_step step = {.step = *passed->sample.step,
                                .sample = passed->sample,
                                .tags = passed->tags,
                                .summary = passed->summary,
                                .follows = m->last_is_run};
    step.sample.step = &step.step;
    unsigned before = m->run ? m->run->count : 0;
    if (before + 1 >= b->settings->direction_confirm_steps) {
        confirm(b, m, &step, moment);
        return;
    }
    append(b, m, &step);
    count_foreign(b, m, true, moment->effects);
}

void bs_bout_course_take(struct bs_bouts *b, struct bs_bout_member *m,
                         const struct bs_passed *passed, const struct bs_bout_moment *moment)
{
    uint8_t direction = passed->sample.step->direction;
    if (!bs_bout_has_direction(direction)) {
        m->last_is_run = false;
        count_foreign(b, m, false, moment->effects);
        m->last_is_own = false;
    } else if (direction == m->bout.direction) {
        take_own(b, m, passed, moment);
    } else {
        take_other(b, m, passed, moment);
    }
}
