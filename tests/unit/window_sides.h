/* Windows with members, tags, steps that wait and carry-overs, all of which a snapshot can carry;
 * and what happens to them at random, the same to as many as there are. For tests only. */
#ifndef BACKSTEP_TESTS_UNIT_WINDOW_SIDES_H
#define BACKSTEP_TESTS_UNIT_WINDOW_SIDES_H

#include "backstep/base/random.h"
#include "snapshot_world.h"
#include "windows_world.h"

#include <string.h>

#define SIDE_MEMBERS 7
#define SIDE_TAGS    6
#define SIDE_WAITING 12
#define SIDE_CARRIES 6

struct side {
    struct world world;
    int64_t lateness_ms[2], refresh_ms, group_min;
    struct bs_window_member members[SIDE_MEMBERS];
    struct bs_tags *tags[SIDE_MEMBERS][SIDE_TAGS];
    struct side_waiting {
        uint32_t member; /* from 1; 0: nobody waits here */
        struct world_held held;
    } waiting[SIDE_WAITING];
    struct bs_group_retention *carries[SIDE_CARRIES];
};

static struct bs_tags *side_tags(int member, int variant)
{
    struct bs_tags_names names = world_class;
    names.group = variant % 3 == 2 ? BS_SLICE("none") : BS_SLICE("tue");
    names.phase = variant % 3 == 1 ? BS_SLICE("imprint") : BS_SLICE("carry over");
    /* The last three members mostly consent to group rows only, the others now and then. */
    return world_member_tags(&names, member, (variant < 3) == (member < 4));
}

static inline void side_follow(struct side *d)
{
    bs_windows_set_lateness(d->world.windows, d->lateness_ms[0], d->lateness_ms[1]);
    bs_windows_set_refresh(d->world.windows, d->refresh_ms);
    bs_windows_set_group_min(d->world.windows, d->group_min);
}

static void *side_make(void)
{
    struct side *d = calloc(1, sizeof *d);
    assert_non_null(d);
    world_begin(&d->world);
    d->lateness_ms[0] = WORLD_LATENESS;
    d->lateness_ms[1] = WORLD_LATENESS * 10;
    d->refresh_ms = WORLD_REFRESH;
    d->group_min = 3;
    side_follow(d);
    for (int m = 0; m < SIDE_MEMBERS; m++)
        for (int t = 0; t < SIDE_TAGS; t++)
            d->tags[m][t] = side_tags(m, t);
    return d;
}

/* Nothing holds the tags but the windows. */
static void side_dispose(void *at)
{
    struct side *d = at;
    world_end(&d->world);
    for (int c = 0; c < SIDE_CARRIES; c++)
        assert_null(d->carries[c]);
    for (int m = 0; m < SIDE_MEMBERS; m++)
        for (int t = 0; t < SIDE_TAGS; t++) {
            assert_int_equal(d->tags[m][t]->references, 1);
            bs_tags_drop(d->tags[m][t]);
        }
    free(d);
}

static void carry_settings(struct bs_snapshot *s, struct side *d)
{
    d->world.now = bs_snapshot_between(s, d->world.now, WORLD_NOW / 2, WORLD_NOW * 2);
    d->lateness_ms[0] = bs_snapshot_between(s, d->lateness_ms[0], 0, 3600000);
    d->lateness_ms[1] = bs_snapshot_between(s, d->lateness_ms[1], 0, 604800000);
    d->refresh_ms = bs_snapshot_between(s, d->refresh_ms, 1000, 60000);
    d->group_min = bs_snapshot_between(s, d->group_min, 3, 100);
    if (bs_snapshot_loads(s))
        side_follow(d);
}

static void carry_waiting(struct bs_snapshot *s, struct side *d, struct side_waiting *w)
{
    uint32_t member = bs_snapshot_u32(s, w->member, SIDE_MEMBERS);
    if (!member)
        return;
    w->held.step.step_ms = (int)bs_snapshot_u32(s, (uint32_t)w->held.step.step_ms, 2000);
    w->held.step.step_mm = (int)bs_snapshot_u32(s, (uint32_t)w->held.step.step_mm, 2000);
    w->held.late = bs_snapshot_flag(s, w->held.late);
    w->held.row = bs_windows_held_snapshot(s, d->world.windows, w->held.row);
    w->member = w->held.row ? member : 0;
}

static void side_carry(struct bs_snapshot *s, void *at)
{
    struct side *d = at;
    carry_settings(s, d);
    for (int m = 0; m < SIDE_MEMBERS; m++) {
        d->members[m].withheld = bs_snapshot_flag(s, d->members[m].withheld);
        bs_snapshot_define(s, BS_SNAPSHOT_WINDOW_MEMBER, &d->members[m]);
        for (int t = 0; t < SIDE_TAGS; t++)
            bs_snapshot_define(s, BS_SNAPSHOT_TAGS, d->tags[m][t]);
    }
    bs_windows_snapshot(s, d->world.windows);
    for (int i = 0; i < SIDE_WAITING; i++)
        carry_waiting(s, d, &d->waiting[i]);
    for (int c = 0; c < SIDE_CARRIES; c++)
        bs_windows_retention_snapshot(s, &d->carries[c]);
}

static const struct snapshot_subject side_subject = {side_make, side_carry, side_dispose};

/* What happens, drawn once for all sides. */

enum side_deed {
    DEED_STEP,
    DEED_HOLD,
    DEED_PASS,
    DEED_TURN,
    DEED_WAIT,
    DEED_SLIP,
    DEED_CARRY,
    DEED_LEAVE,
    DEED_WRITE_MEMBER,
    DEED_WITHHOLD,
    DEED_REFUSE,
    DEED_SETTINGS,
    DEED_SLEW,
    DEED_SIZE,
    DEED_STEP_CLOCK,
};

struct side_event {
    enum side_deed deed;
    int member, tags, place;
    int64_t ms, after_ms; /* of a wait or a setting; of a time, from now */
    struct world_step step;
};

static int side_pick(struct bs_random *r, int below)
{
    return (int)bs_random_below(r, (uint64_t)below);
}

/* How often each comes up, in a thousand. */
static enum side_deed draw_deed(struct bs_random *r)
{
    static const struct {
        int until;
        enum side_deed deed;
    } odds[] = {{380, DEED_STEP},     {500, DEED_HOLD},   {600, DEED_PASS},
                {640, DEED_TURN},     {850, DEED_WAIT},   {880, DEED_SLIP},
                {930, DEED_CARRY},    {945, DEED_LEAVE},  {960, DEED_WRITE_MEMBER},
                {970, DEED_WITHHOLD}, {977, DEED_REFUSE}, {984, DEED_SETTINGS},
                {991, DEED_SLEW},     {998, DEED_SIZE},   {1000, DEED_STEP_CLOCK}};
    int drawn = side_pick(r, 1000), i = 0;
    while (drawn >= odds[i].until)
        i++;
    return odds[i].deed;
}

static int64_t draw_wait(struct bs_random *r)
{
    if (side_pick(r, 25) == 0)
        return side_pick(r, 400000);
    return side_pick(r, side_pick(r, 4) ? 1500 : 6000);
}

static struct side_event side_draw(struct bs_random *r)
{
    struct side_event e = {.deed = draw_deed(r),
                           .member = side_pick(r, SIDE_MEMBERS),
                           .tags = side_pick(r, side_pick(r, 3) ? 2 : SIDE_TAGS),
                           .place = side_pick(r, SIDE_WAITING * SIDE_CARRIES)};
    bool stored = side_pick(r, 6) == 0;
    e.ms = draw_wait(r);
    e.after_ms = side_pick(r, 4000) - (stored ? side_pick(r, 2000000) : 0);
    if (side_pick(r, 8) == 0)
        e.after_ms -= side_pick(r, 300000);
    int direction = side_pick(r, side_pick(r, 4) ? 3 : BS_DIRECTION_COUNT);
    e.step = (struct world_step){.direction = (enum bs_direction)direction,
                                 .step_ms = side_pick(r, 4) ? 300 + side_pick(r, 500) : 0,
                                 .step_mm = side_pick(r, 4) ? 200 + side_pick(r, 600) : 0,
                                 .stored = stored};
    return e;
}

static inline void side_hold(struct side *d, const struct side_event *e, struct world_held *ret)
{
    struct world_step step = e->step;
    step.time_ms = d->world.now + e->after_ms;
    *ret = (struct world_held){.row = 0};
    if (!bs_windows_too_late(d->world.windows, step.time_ms, step.stored))
        *ret = world_hold(&d->world, &d->members[e->member], d->tags[e->member][e->tags], &step);
}

static inline void side_step(struct side *d, const struct side_event *e)
{
    struct world_held held;
    side_hold(d, e, &held);
    if (held.row)
        world_pass(&d->world, &held);
}

static inline void side_wait_with(struct side *d, const struct side_event *e)
{
    struct side_waiting *w = &d->waiting[e->place % SIDE_WAITING];
    if (w->member)
        return;
    side_hold(d, e, &w->held);
    w->member = w->held.row ? (uint32_t)e->member + 1 : 0;
}

static inline void side_pass(struct side *d, int place)
{
    struct side_waiting *w = &d->waiting[place];
    if (w->member)
        world_pass(&d->world, &w->held);
    w->member = 0;
}

static inline void side_turn(struct side *d, const struct side_event *e)
{
    struct side_waiting *w = &d->waiting[e->place % SIDE_WAITING];
    if (w->member)
        w->held.row = bs_windows_turn(d->world.windows, &d->members[w->member - 1], w->held.row,
                                      e->step.direction);
}

static inline void side_change_settings(struct side *d, const struct side_event *e)
{
    d->lateness_ms[0] = WORLD_LATENESS / (1 + e->member % 3);
    d->lateness_ms[1] = d->lateness_ms[0] * (1 + e->place);
    d->refresh_ms = 1000 * (1 + e->tags);
    d->group_min = 3 + e->tags % 2;
    side_follow(d);
}

/* Nothing waits when a clock is stepped; the new one is behind or ahead. */
static inline void side_step_clock(struct side *d, const struct side_event *e)
{
    struct bs_effects effects = world_effects(&d->world);
    for (int i = 0; i < SIDE_WAITING; i++)
        side_pass(d, i);
    bs_windows_finalise_all(d->world.windows, &effects);
    assert_int_equal(bs_windows_open_rows(d->world.windows), 0);
    d->world.now += e->member % 2 ? e->ms : -(e->ms % 20000);
}

static inline void side_happen(struct side *d, const struct side_event *e)
{
    struct bs_windows *w = d->world.windows;
    struct bs_window_member *m = &d->members[e->member];
    struct bs_tags *tags = d->tags[e->member][e->tags];
    struct bs_group_retention **carried = &d->carries[e->place % SIDE_CARRIES];
    struct bs_effects effects = world_effects(&d->world);
    struct bs_tick_ms now = {d->world.now};
    switch (e->deed) {
    case DEED_STEP:
        side_step(d, e);
        break;
    case DEED_HOLD:
        side_wait_with(d, e);
        break;
    case DEED_PASS:
        side_pass(d, e->place % SIDE_WAITING);
        break;
    case DEED_TURN:
        side_turn(d, e);
        break;
    case DEED_WAIT:
        world_wait(&d->world, e->ms);
        break;
    case DEED_SLIP:
        bs_windows_count_slip(w, m, tags, d->world.now + e->after_ms, now);
        break;
    case DEED_CARRY:
        bs_windows_set_retention(w, tags, d->world.now + e->after_ms, (double)e->place, carried,
                                 now);
        break;
    case DEED_LEAVE:
        bs_windows_leave_retention(carried);
        break;
    case DEED_WRITE_MEMBER:
        bs_windows_write_member(w, m, &effects);
        break;
    case DEED_WITHHOLD:
        m->withheld = !m->withheld;
        break;
    case DEED_REFUSE:
        bs_windows_refuse(w, d->world.now + e->after_ms - 300000, e->step.stored);
        break;
    case DEED_SETTINGS:
        side_change_settings(d, e);
        break;
    case DEED_SLEW:
        d->world.now -= e->ms % 1000;
        break;
    case DEED_SIZE:
        bs_windows_set_size(w, 1000 * (3 + e->place % 20), (struct bs_wall_ms){d->world.now}, 5000);
        break;
    case DEED_STEP_CLOCK:
        side_step_clock(d, e);
        break;
    }
    bs_windows_advance(w, (struct bs_wall_ms){d->world.now});
}

#endif
