/* What is written when: dirt, ends, finals. Must never write a row that its member did not consent
 * to. */
#include "window_parts.h"

#include "backstep/base/check.h"
#include "backstep/core/gait_window.h"

/* Dirt. */

void bs_windows_queue(struct bs_windows *w, uint32_t index, struct bs_tick_ms now)
{
    struct bs_row *r = bs_row_at(w, index);
    r->dirty = true;
    r->dirty_since = now.ms;
    r->dirty_next = 0;
    r->dirty_previous = w->dirty_last;
    if (w->dirty_last)
        bs_row_at(w, w->dirty_last)->dirty_next = index;
    else
        w->dirty_first = index;
    w->dirty_last = index;
}

static void mark_clean(struct bs_windows *w, struct bs_row *r)
{
    if (!r->dirty)
        return;
    r->dirty = false;
    if (r->dirty_previous)
        bs_row_at(w, r->dirty_previous)->dirty_next = r->dirty_next;
    else
        w->dirty_first = r->dirty_next;
    if (r->dirty_next)
        bs_row_at(w, r->dirty_next)->dirty_previous = r->dirty_previous;
    else
        w->dirty_last = r->dirty_previous;
}

/* Writing. */

static struct bs_slice member_line(struct bs_windows *w, const struct bs_row *r, bool final)
{
    struct bs_totals totals = {0};
    bs_totals_add(&totals, &r->sums);
    for (uint32_t i = r->more; i; i = bs_row_at(w, i)->more)
        bs_totals_add(&totals, &bs_row_at(w, i)->sums);
    struct bs_gait_window row = {.tags = r->tags,
                                 .direction = r->direction,
                                 .stored = r->frame->key.stored != 0,
                                 .final = final,
                                 .start_ms = r->frame->key.start_ms,
                                 .totals = &totals};
    return bs_gait_window_write(&row, &w->line);
}

/* Empty where the row must not be written. */
static struct bs_slice line_of(struct bs_windows *w, const struct bs_row *r, bool final)
{
    if (bs_row_is_group(r))
        return bs_groups_line(w, r, final);
    if (!r->named || r->member->withheld || bs_row_is_empty(r))
        return (struct bs_slice){0};
    return member_line(w, r, final);
}

/* A row that must not be written is clean all the same: what it gathers stands in its next writing,
 * in the final one at the latest. */
static void write_row(struct bs_windows *w, struct bs_row *r, bool final,
                      const struct bs_effects *effects)
{
    mark_clean(w, r);
    struct bs_slice line = line_of(w, r, final);
    if (line.length)
        effects->line(effects->context, line, !final);
}

void bs_windows_write_member(struct bs_windows *w, const struct bs_window_member *m,
                             const struct bs_effects *effects)
{
    if (m->withheld)
        return;
    for (uint32_t i = m->first; i; i = bs_row_at(w, i)->next_of_member) {
        struct bs_row *r = bs_row_at(w, i);
        mark_clean(w, r);
        if (r->named && !bs_row_is_empty(r))
            effects->line(effects->context, member_line(w, r, false), false);
    }
}

static void write_and_close(struct bs_windows *w, uint32_t first, const struct bs_effects *effects)
{
    for (uint32_t i = first, next; i; i = next) {
        next = bs_row_at(w, i)->next_in_frame;
        write_row(w, bs_row_at(w, i), true, effects);
        bs_rows_close(w, i);
    }
}

/* Group rows first: they say what stands in the others. */
static void finalise(struct bs_windows *w, struct bs_frame *f, const struct bs_effects *effects)
{
    write_and_close(w, f->first_group, effects);
    write_and_close(w, f->first_row, effects);
    bs_windows_keep_final(w, f->key.end_ms, f->key.stored != 0);
    bs_windows_free_frame(w, f);
}

/* What is held open waits its turn outside the heap. */
static void finalise_when_added(struct bs_windows *w, struct bs_frame *f,
                                const struct bs_effects *effects)
{
    if (f->held == 0) {
        finalise(w, f, effects);
        return;
    }
    f->overdue = true;
    f->next_overdue = w->overdue;
    w->overdue = f;
}

static void finalise_overdue(struct bs_windows *w, const struct bs_effects *effects)
{
    struct bs_frame **link = &w->overdue;
    while (w->overdue_ready > 0) {
        struct bs_frame *f = *link;
        if (f->held > 0) {
            link = &f->next_overdue;
            continue;
        }
        *link = f->next_overdue;
        w->overdue_ready--;
        finalise(w, f, effects);
    }
}

static void write_dirty(struct bs_windows *w, uint32_t first, const struct bs_effects *effects)
{
    for (uint32_t i = first; i; i = bs_row_at(w, i)->next_in_frame)
        if (bs_row_at(w, i)->dirty)
            write_row(w, bs_row_at(w, i), false, effects);
}

static void write_at_end(struct bs_windows *w, struct bs_frame *f, const struct bs_effects *effects)
{
    f->ended = true;
    write_dirty(w, f->first_group, effects);
    write_dirty(w, f->first_row, effects);
}

/* Deadlines. */

static int64_t due(int64_t end_ms, int64_t lateness_ms)
{
    return end_ms == INT64_MAX ? INT64_MAX : end_ms + lateness_ms;
}

struct bs_wall_ms bs_windows_wall_deadline(const struct bs_windows *w)
{
    if (w->overdue_ready > 0)
        return (struct bs_wall_ms){w->now_wall};
    int64_t next = bs_heap_least(&w->ends);
    for (int stored = 0; stored < 2; stored++) {
        int64_t final = due(bs_heap_least(&w->finals[stored]), w->lateness_ms[stored]);
        next = final < next ? final : next;
    }
    return (struct bs_wall_ms){next};
}

struct bs_tick_ms bs_windows_tick_deadline(const struct bs_windows *w)
{
    if (!w->dirty_first)
        return (struct bs_tick_ms){BS_NEVER_MS};
    return (struct bs_tick_ms){bs_row_at(w, w->dirty_first)->dirty_since + w->refresh_ms};
}

void bs_windows_fire_wall(struct bs_windows *w, struct bs_wall_ms now,
                          const struct bs_effects *effects)
{
    while (bs_heap_least(&w->ends) <= now.ms)
        write_at_end(w, bs_heap_pop(&w->ends), effects);
    finalise_overdue(w, effects);
    for (int stored = 0; stored < 2; stored++)
        while (due(bs_heap_least(&w->finals[stored]), w->lateness_ms[stored]) <= now.ms)
            finalise_when_added(w, bs_heap_pop(&w->finals[stored]), effects);
}

void bs_windows_fire_tick(struct bs_windows *w, struct bs_tick_ms now,
                          const struct bs_effects *effects)
{
    while (bs_windows_tick_deadline(w).ms <= now.ms)
        write_row(w, bs_row_at(w, w->dirty_first), false, effects);
}

void bs_windows_finalise_all(struct bs_windows *w, const struct bs_effects *effects)
{
    w->ends.count = 0;
    finalise_overdue(w, effects);
    bs_check(!w->overdue);
    for (int stored = 0; stored < 2; stored++) {
        while (w->finals[stored].count)
            finalise(w, bs_heap_pop(&w->finals[stored]), effects);
    }
}
