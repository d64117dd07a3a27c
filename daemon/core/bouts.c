/* Members' bouts: their life, and what passes. Must never let one member's steps touch another's.
 */
#include "bout_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

enum bs_status bs_bouts_new(struct bs_bouts **ret, const struct bs_settings *settings,
                            const struct bs_bout_listener *listener)
{
    struct bs_bouts *b = calloc(1, sizeof *b);
    if (!b)
        return BS_NO_MEMORY;
    b->settings = settings;
    b->listener = *listener;
    bs_sketch_scale_init(&b->scale);
    *ret = b;
    return BS_OK;
}

void bs_bouts_free(struct bs_bouts *b)
{
    if (!b)
        return;
    bs_check(!b->queues[0].first && !b->queues[1].first);
    for (struct bs_bout_run *run = b->spare_runs, *next; run; run = next) {
        next = run->next_spare;
        free(run);
    }
    free(b);
}

struct bs_bout_member *bs_bouts_add_member(void *owner)
{
    struct bs_bout_member *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->owner = owner;
    m->dirty_since = -1;
    return m;
}

void bs_bouts_free_member(struct bs_bouts *b, struct bs_bout_member *m)
{
    if (!m)
        return;
    bs_bout_mark_clean(b, m);
    bs_bout_course_forget(b, m);
    bs_bout_carry_free(m);
    if (m->bout.tags)
        bs_tags_drop(m->bout.tags);
    bs_summary_drop(m->bout.summary);
    free(m->bout.before);
    for (unsigned i = 0; i < BS_BOUT_SKETCHES; i++)
        bs_sketch_fini(&m->bout.sketches[i]);
    bs_carry_fini(&m->carry);
    free(m);
}

void bs_bouts_take(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_passed *passed,
                   struct bs_tick_ms now, struct bs_wall_ms wall, const struct bs_effects *effects)
{
    const struct bs_bout_moment moment = {now, wall, effects};
    int64_t time_ms = passed->sample.step->time_ms;
    int64_t pause = m->any ? time_ms - m->last_ms : 0;
    if (pause > b->settings->bout_gap_ms)
        bs_bouts_end(b, m, effects);
    if (pause > BS_VISIT_GAP_MS)
        bs_carry_begin_visit(&m->carry);
    bs_bout_course_take(b, m, passed, &moment);
    m->last_ms = time_ms;
    m->any = true;
}

void bs_bouts_end(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_effects *effects)
{
    bs_bout_end(b, m, effects);
    bs_bout_course_forget(b, m);
}

void bs_bouts_forget_gait(struct bs_bout_member *m)
{
    bs_check(m->bout.direction == BS_DIRECTION_UNKNOWN);
    bs_carry_fini(&m->carry);
    m->carry = (struct bs_carry){0};
}

void bs_bouts_withhold(struct bs_bout_member *m, bool withheld)
{
    m->withheld = withheld;
}

/* Silence. */

int64_t bs_bout_silent_from(const struct bs_bouts *b, int64_t last_ms)
{
    return last_ms + b->settings->bout_gap_ms + b->settings->reorder_ms + 1;
}

int64_t bs_bouts_silent_at(const struct bs_bouts *b, const struct bs_bout_member *m)
{
    if (!m->bout.open || !m->bout.written)
        return INT64_MAX;
    return bs_bout_silent_from(b, m->last_ms);
}

void bs_bouts_fire_silence(struct bs_bouts *b, struct bs_bout_member *m, struct bs_wall_ms now,
                           const struct bs_effects *effects)
{
    if (now.ms < bs_bouts_silent_at(b, m))
        return;
    m->bout.open = false;
    m->bout.row_dirty = true;
    bs_bout_carry_close(b, m);
    bs_bout_write(b, m, effects);
}

bool bs_bouts_settle(struct bs_bouts *b, struct bs_bout_member *m, struct bs_wall_ms settled,
                     const struct bs_effects *effects)
{
    if (m->any && m->last_ms + b->settings->bout_gap_ms >= settled.ms)
        return false;
    bs_bouts_end(b, m, effects);
    if (m->any && m->last_ms + BS_VISIT_GAP_MS < settled.ms)
        bs_carry_tell_habit(&m->carry);
    return true;
}
