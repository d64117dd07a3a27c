/* Members on boards: their last steps, who is on which board. Must never show anybody whose tags
 * are not `named`. */
#include "live_parts.h"

#include "backstep/base/check.h"

_Static_assert(sizeof(struct bs_live_member) <= 120, "every member has one");

/* What is changed already is due already. */
static void mark(struct bs_live *l, struct bs_live_board *b)
{
    if (b && !b->changed)
        bs_live_change(l, b, false);
}

/* On and off. */

void bs_live_take_off(struct bs_live_member *m)
{
    if (m->previous)
        m->previous->next = m->next;
    else
        m->board->first = m->next;
    if (m->next)
        m->next->previous = m->previous;
    m->board->count--;
    bs_tags_drop(m->tags);
    m->board = NULL;
    m->tags = NULL;
    m->next = m->previous = NULL;
}

static void put_on(struct bs_live_member *m, struct bs_live_board *b, struct bs_tags *tags)
{
    m->board = b;
    m->tags = tags;
    bs_tags_hold(tags);
    m->next = b->first;
    if (b->first)
        b->first->previous = m;
    b->first = m;
    b->count++;
    if (b->leaves_ms > m->last_ms + BS_LIVE_SILENCE_MS)
        b->leaves_ms = m->last_ms + BS_LIVE_SILENCE_MS;
}

static bool is_on_board_of(const struct bs_live_member *m, const struct bs_tags *tags)
{
    return m->board && bs_slice_equal(bs_live_group(m->board), bs_tags_group(tags));
}

static void exchange_tags(struct bs_live_member *m, struct bs_tags *tags)
{
    bs_tags_hold(tags);
    bs_tags_drop(m->tags);
    m->tags = tags;
}

static void leave(struct bs_live *l, struct bs_live_member *m)
{
    struct bs_live_board *b = m->board;
    if (!b)
        return;
    bs_live_take_off(m);
    mark(l, b);
}

/* False where the board finds no room. */
static bool change_board(struct bs_live *l, struct bs_live_member *m, struct bs_tags *tags)
{
    leave(l, m);
    if (l->wall.ms - m->last_ms >= BS_LIVE_SILENCE_MS)
        return true;
    struct bs_live_board *b = bs_live_open(l, bs_tags_group(tags));
    if (!b || m->last_ms < b->closed_ms)
        return b != NULL;
    put_on(m, b, tags);
    bs_live_change(l, b, false); /* it may be due earlier, for who comes late leaves early */
    return true;
}

/* Steps. */

static void forget_steps(struct bs_live_member *m)
{
    m->count = m->next_step = m->time_count = m->length_count = 0;
    m->time_sum = m->length_sum = 0;
}

/* What came of the last visit is over, whatever it was. */
static void begin_visit(struct bs_live_member *m)
{
    forget_steps(m);
    m->has_retention = false;
    m->slip_metric = NULL;
}

static void forget_oldest(struct bs_live_member *m)
{
    uint16_t time = m->steps[m->next_step].time_halves;
    uint16_t length = m->steps[m->next_step].length_halves;
    m->time_sum -= time;
    m->time_count = (uint8_t)(m->time_count - (time != 0));
    m->length_sum -= length;
    m->length_count = (uint8_t)(m->length_count - (length != 0));
}

void bs_live_add_step(struct bs_live_member *m, const struct bs_sample *s)
{
    if (m->count == BS_LIVE_STEPS)
        forget_oldest(m);
    else
        m->count++;
    m->steps[m->next_step].time_halves = s->step_time_halves;
    m->steps[m->next_step].length_halves = s->step_length_halves;
    m->next_step = (uint8_t)(m->next_step + 1 == BS_LIVE_STEPS ? 0 : m->next_step + 1);
    m->time_sum += s->step_time_halves;
    m->time_count = (uint8_t)(m->time_count + (s->step_time_halves != 0));
    m->length_sum += s->step_length_halves;
    m->length_count = (uint8_t)(m->length_count + (s->step_length_halves != 0));
    m->direction = s->step->direction;
}

bool bs_live_take(struct bs_live *l, struct bs_live_member *m, const struct bs_passed *step)
{
    bool found_room = true;
    if (!step->in_order || !step->tags->named)
        return true;
    int64_t time_ms = step->sample.step->time_ms;
    if (time_ms - m->last_ms > BS_LIVE_VISIT_MS)
        begin_visit(m);
    m->last_ms = time_ms;
    if (!step->tags->grouped) {
        leave(l, m);
        return true;
    }
    bs_live_add_step(m, &step->sample);
    if (step->tags != m->tags) {
        if (is_on_board_of(m, step->tags))
            exchange_tags(m, step->tags);
        else
            found_room = change_board(l, m, step->tags);
    }
    mark(l, m->board);
    return found_room;
}

/* What comes from elsewhere. */

void bs_live_follow(struct bs_live *l, struct bs_live_member *m, struct bs_tags *tags)
{
    struct bs_live_board *b = m->board;
    if (b && tags && is_on_board_of(m, tags)) {
        exchange_tags(m, tags);
        mark(l, b);
    } else if (b) {
        bs_live_take_off(m);
        bs_live_change(l, b, true);
    }
    if (!tags)
        *m = (struct bs_live_member){0};
}

void bs_live_note_retention(struct bs_live *l, struct bs_live_member *m, double retention_pct)
{
    m->retention_pct = (float)retention_pct;
    m->has_retention = true;
    mark(l, m->board);
}

void bs_live_note_slip(struct bs_live *l, struct bs_live_member *m, const char *metric,
                       int64_t time_ms)
{
    m->slip_metric = metric;
    m->slip_ms = time_ms;
    mark(l, m->board);
}

void bs_live_note_bout(struct bs_live *l, struct bs_live_member *m)
{
    if (!m->slip_metric)
        return;
    m->slip_metric = NULL;
    mark(l, m->board);
}
