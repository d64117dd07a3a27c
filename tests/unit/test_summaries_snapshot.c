/* Summaries in snapshots: loaded ones are written when and as the saved ones would have been, and
 * whatever loads can go on. */
#include "snapshot_world.h"
#include "summaries_world.h"

#include "backstep/base/random.h"

#define PEOPLE  3
#define GROUPS  2
#define WAITING 6
#define SEEDS   40
#define TURNS   600

static const char *const groups[GROUPS] = {"tue", "wed"};
static const char *const ids[PEOPLE] = {"m0", "m1", "m2"};
static const char *const drills[] = {"back", "side", "up"};
static const char *const aliases[] = {"Ruth", "Rudi"};

/* A world with its people, and steps that wait and hold their summaries. */
struct side {
    struct world w;
    struct person people[PEOPLE];
    struct bs_summary *waiting[WAITING];
};

static void *make(void)
{
    struct side *side = calloc(1, sizeof *side);
    assert_non_null(side);
    world_begin(&side->w);
    for (int i = 0; i < PEOPLE; i++)
        side->people[i] = (struct person){.id = ids[i], .alias = aliases[0]};
    return side;
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct side *side = at;
    side->w.tick = bs_snapshot_moment(s, side->w.tick);
    bs_sessions_snapshot(s, side->w.sessions);
    for (int i = 0; i < PEOPLE; i++)
        bs_snapshot_define(s, BS_SNAPSHOT_SUMMARY_MEMBER, &side->people[i].member);
    bs_summaries_snapshot(s, side->w.summaries);
    for (int i = 0; i < WAITING; i++) {
        side->waiting[i] = bs_snapshot_refer(s, BS_SNAPSHOT_SUMMARY, side->waiting[i]);
        if (bs_snapshot_loads(s))
            bs_summary_hold(side->waiting[i]);
    }
}

static void dispose(void *at)
{
    struct side *side = at;
    world_end(&side->w);
    free(side);
}

static const struct snapshot_subject subject = {make, carry, dispose};

/* Twins. */

struct trial {
    struct bs_random random;
    uint64_t seed;
    int turn;
    struct side *a, *b;
};

static unsigned written, freed, withheld;

static int64_t below(struct trial *t, int64_t limit)
{
    return (int64_t)bs_random_below(&t->random, (uint64_t)limit);
}

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("seed %" PRIu64 ", turn %d: ", t->seed, t->turn);                          \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* What happens to a side: all of it drawn before, so that it is the same for both. */
struct act {
    int what, group, person, slot;
    const char *drill, *alias;
    int64_t minutes, end, ms;
    double pct;
};

static void step(struct side *side, const struct act *a)
{
    int64_t time = side->w.tick - a->ms;
    struct bs_session_place place;
    bs_sessions_find(side->w.sessions, bs_slice_text(groups[a->group]), time,
                     (struct bs_wall_ms){WORLD_BEGIN}, &place);
    if (!place.running)
        return;
    struct bs_summary *summary;
    assert_true(world_find(&side->w, &side->people[a->person], groups[a->group], time, &summary));
    bs_summary_hold(summary);
    bs_summary_drop(side->waiting[a->slot]);
    side->waiting[a->slot] = summary;
    if (a->minutes % 3)
        world_pass(&side->w, summary);
}

static void withhold(struct side *side, const struct act *a)
{
    struct person *p = &side->people[a->person];
    struct bs_effects effects = world_effects(&side->w);
    if (!p->unnamed)
        bs_summaries_write_member(side->w.summaries, &p->member, &effects);
    p->unnamed = !p->unnamed;
    p->member.withheld = p->unnamed;
}

static void do_act(struct side *side, const struct act *a)
{
    struct bs_tick_ms now = {side->w.tick};
    int64_t minute = (side->w.tick - WORLD_BEGIN) / WORLD_MINUTE;
    struct bs_effects effects = world_effects(&side->w);
    switch (a->what) {
    case 0:
        world_say(&side->w, groups[a->group], minute - minute % 50,
                  a->end ? minute + a->end : WORLD_NO_END, a->drill);
        break;
    case 1:
        if (a->minutes < 3)
            world_delete(&side->w, groups[a->group]);
        break;
    case 2:
        if (a->minutes < 5)
            withhold(side, a);
        break;
    case 3:
        side->people[a->person].alias = a->alias;
        break;
    case 4:
        world_forget(&side->w, minute - a->minutes * 4);
        break;
    case 5:
        if (a->minutes < 2)
            bs_summaries_follow_clock(side->w.summaries, world_wall(&side->w), &effects);
        break;
    case 6:
        world_wait_ms(&side->w, a->minutes * WORLD_MINUTE / 2);
        break;
    case 7:
        bs_summaries_count(side->w.summaries, side->waiting[a->slot], BS_SUMMARY_BOUTS, now);
        bs_summaries_add_retention(side->w.summaries, side->waiting[a->slot], a->pct, now);
        break;
    case 8:
        bs_summary_drop(side->waiting[a->slot]);
        side->waiting[a->slot] = NULL;
        break;
    default:
        step(side, a);
        world_wait_ms(&side->w, a->ms / 100);
    }
}

static struct act draw(struct trial *t)
{
    return (struct act){.what = (int)below(t, 24),
                        .group = (int)below(t, GROUPS),
                        .person = (int)below(t, PEOPLE),
                        .slot = (int)below(t, WAITING),
                        .drill = drills[below(t, 3)],
                        .alias = aliases[below(t, 2)],
                        .minutes = below(t, 20),
                        .end = below(t, 2) ? 0 : 1 + below(t, 60),
                        .ms = below(t, 4) ? 0 : below(t, 5 * WORLD_MINUTE),
                        .pct = (double)below(t, 1000) / 10};
}

static void expect_same(struct trial *t)
{
    const char *x = world_lines(&t->a->w), *y = world_lines(&t->b->w);
    EXPECT(strcmp(x, y) == 0, "%s\nand the loaded ones:\n%s", x, y);
    written += *x != 0;
    int64_t due = bs_summaries_tick_deadline(t->a->w.summaries).ms;
    int64_t asked = bs_summaries_wall_deadline(t->a->w.summaries).ms;
    EXPECT(due == bs_summaries_tick_deadline(t->b->w.summaries).ms &&
               asked == bs_summaries_wall_deadline(t->b->w.summaries).ms,
           "another deadline");
    EXPECT(bs_summaries_open(t->a->w.summaries) == bs_summaries_open(t->b->w.summaries),
           "another number of summaries");
}

/* What the engine keeps besides. */
static void copy_people(const struct side *from, struct side *to)
{
    to->w.tick = from->w.tick;
    for (int i = 0; i < PEOPLE; i++) {
        to->people[i].alias = from->people[i].alias;
        to->people[i].unnamed = from->people[i].unnamed;
        to->people[i].member.withheld = from->people[i].member.withheld;
    }
}

static void loaded_ones_go_on_as_the_saved(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct trial trial = {.seed = seed, .a = make(), .b = make()}, *t = &trial;
        bs_random_init(&t->random, seed);
        for (t->turn = 0; t->turn < TURNS; t->turn++) {
            uint32_t before = bs_summaries_open(t->a->w.summaries);
            struct act act = draw(t);
            do_act(t->a, &act);
            do_act(t->b, &act);
            expect_same(t);
            freed += bs_summaries_open(t->a->w.summaries) < before;
            withheld += t->a->people[0].member.withheld;
            if (below(t, 12) > 0)
                continue;
            dispose(t->b);
            t->b = snapshot_copy(&subject, t->a);
            copy_people(t->a, t->b);
        }
        struct act end = {.what = 6, .minutes = 2000};
        do_act(t->a, &end);
        do_act(t->b, &end);
        expect_same(t);
        dispose(t->a);
        dispose(t->b);
    }
    print_message("%u times written, %u freed, %u withheld\n", written, freed, withheld);
    assert_true(written > 1000 && freed > 20 && withheld > 500);
}

/* Retentions. */

static void a_retention_is_claimed_once(void **state)
{
    (void)state;
    struct side *side = make();
    world_say(&side->w, "tue", 0, 60, "back");
    step(side, &(struct act){.minutes = 1});
    struct bs_tick_ms now = {side->w.tick};
    bs_summaries_add_retention(side->w.summaries, side->waiting[0], 30, now);
    bs_summaries_add_retention(side->w.summaries, side->waiting[0], 40, now);
    struct side *copy = snapshot_copy(&subject, side);
    assert_true(bs_summary_claim_retention(copy->waiting[0]));
    assert_true(bs_summary_claim_retention(copy->waiting[0]));
    assert_false(bs_summary_claim_retention(copy->waiting[0]));
    assert_true(bs_summary_claim_retention(NULL)); /* nothing is removed there */
    dispose(side);
    dispose(copy);
}

/* Damage. */

static struct side *some_summaries(void)
{
    struct side *side = make();
    side->people[0].alias = "R 1 =\xc3\xbc";
    world_say(&side->w, "wed", 0, 90, "side");
    world_say(&side->w, "tue", 0, WORLD_NO_END, "back");
    for (int i = 0; i < 6; i++)
        step(side, &(struct act){.group = i % 2, .person = i % 3, .slot = i % 3, .minutes = 1});
    world_wait_ms(&side->w, 5 * WORLD_MINUTE);
    world_say(&side->w, "wed", 3, 90, "up");
    step(side, &(struct act){.group = 1, .person = 1, .slot = 3, .minutes = 1});
    bs_summaries_add_retention(side->w.summaries, side->waiting[3], 99,
                               (struct bs_tick_ms){side->w.tick});
    return side;
}

static void ignore_line(void *context, struct bs_slice line, bool open)
{
    *(size_t *)context += line.length + open;
    for (size_t i = 0; i + 1 < line.length; i++)
        if (line.at[i] == '\n')
            fail_msg("two lines: %.*s", (int)line.length, line.at);
}

/* Everybody goes on, and all is written and freed. */
static void use(void *at)
{
    struct side *side = at;
    struct bs_summaries *summaries = side->w.summaries;
    size_t length = 0;
    struct bs_effects effects = {&length, ignore_line, NULL};
    struct bs_wall_ms wall = {WORLD_BEGIN + 10 * WORLD_MINUTE};
    struct bs_tick_ms tick = {wall.ms};
    for (int i = 0; i < WAITING; i++) {
        bs_summaries_count(summaries, side->waiting[i], BS_SUMMARY_SLIPS, tick);
        bs_summaries_add_retention(summaries, side->waiting[i], 5, tick);
    }
    bs_summaries_fire(summaries, wall, tick, &effects);
    for (int i = 0; i < GROUPS; i++)
        bs_summaries_follow(summaries, bs_slice_text(groups[i]), wall, &effects);
    for (int i = 0; i < PEOPLE; i++)
        bs_summaries_write_member(summaries, &side->people[i].member, &effects);
    for (int i = 0; i < WAITING; i++)
        bs_summary_drop(side->waiting[i]);
    bs_summaries_follow_clock(summaries, wall, &effects);
    bs_sessions_forget(side->w.sessions, (struct bs_wall_ms){WORLD_BEGIN + 500 * WORLD_MINUTE});
    for (int i = 0; i < GROUPS; i++)
        bs_sessions_close(side->w.sessions, bs_slice_text(groups[i]), wall);
    bs_sessions_forget(side->w.sessions, (struct bs_wall_ms){WORLD_BEGIN + 500 * WORLD_MINUTE});
    bs_summaries_sweep(summaries, &effects);
}

static void damaged_ones_do_no_harm(void **state)
{
    (void)state;
    struct side *side = some_summaries();
    assert_int_equal(bs_summaries_open(side->w.summaries), 7);
    snapshot_expect_whole(&subject, side);
    assert_true(snapshot_change_bytes(&subject, side, use) > 100);
    dispose(side);
}

/* Forged ones, written here as the format says. */

struct forged {
    const char *second_group, *tags;
    uint32_t chains[2][2]; /* of the members: numbers of summaries, 0: no more */
    uint32_t members[2], dirty[3];
    uint64_t steps;
    int64_t ask, since, duration;
};

static const struct forged sound = {.second_group = "wed",
                                    .tags = ",alias=R\\ 1,group=tue",
                                    .chains = {{2, 1}, {3, 0}},
                                    .members = {1, 2},
                                    .dirty = {2, 1, 3},
                                    .ask = INT64_MAX};

static void forge_summary(struct bs_snapshot *s, const struct forged *f)
{
    bs_snapshot_text(s, bs_slice_text(f->tags), 2000);
    for (int i = 0; i < BS_DIRECTION_COUNT + BS_SUMMARY_COUNT_COUNT; i++)
        bs_snapshot_u64(s, f->steps, UINT64_MAX);
    bs_snapshot_i64(s, f->duration);
    bs_snapshot_i64(s, 0);
    bs_snapshot_u64(s, 0, 0);
    bs_snapshot_i64(s, 0);
    bs_snapshot_flag(s, true);
    bs_snapshot_flag(s, true);
}

/* Two summaries of the first group's session, one of the second's. */
static void forge_group(struct bs_snapshot *s, const struct forged *f, const char *id,
                        int summaries)
{
    bs_snapshot_text(s, bs_slice_text(id), 64);
    bs_snapshot_u64(s, 1, 1);
    bs_snapshot_i64(s, WORLD_BEGIN);
    bs_snapshot_i64(s, f->ask);
    bs_snapshot_flag(s, false);
    bs_snapshot_u64(s, (uint64_t)summaries, 9);
    for (int i = 0; i < summaries; i++)
        forge_summary(s, f);
}

static void forge_chain(struct bs_snapshot *s, uint32_t member, const uint32_t chain[2])
{
    uint64_t count = (uint64_t)(chain[0] != 0) + (chain[1] != 0);
    bs_snapshot_u64(s, member, 9);
    bs_snapshot_u64(s, count, 9);
    for (uint64_t i = 0; i < count; i++)
        bs_snapshot_u64(s, chain[i], 9);
}

static void forge(struct bs_snapshot *s, const struct forged *f)
{
    bs_snapshot_mark(s, 0x534d5553);
    bs_snapshot_i64(s, INT64_MAX);
    bs_snapshot_u64(s, 2, 2);
    forge_group(s, f, "tue", 2);
    forge_group(s, f, f->second_group, 1);
    forge_chain(s, f->members[0], f->chains[0]);
    forge_chain(s, f->members[1], f->chains[1]);
    for (uint64_t q = 0; q < 2; q++) {
        bs_snapshot_u64(s, q + 1, 9);
        for (uint64_t i = q; i <= 2 * q; i++) {
            bs_snapshot_u64(s, f->dirty[i], 9);
            bs_snapshot_i64(s, f->since);
        }
    }
}

static void carry_summaries(struct bs_snapshot *s, void *at)
{
    struct side *side = at;
    for (int i = 0; i < PEOPLE; i++)
        bs_snapshot_define(s, BS_SNAPSHOT_SUMMARY_MEMBER, &side->people[i].member);
    bs_summaries_snapshot(s, side->w.summaries);
}

static enum bs_status try_forged(const struct forged *f)
{
    const struct snapshot_subject summaries = {make, carry_summaries, dispose};
    struct bs_buffer b;
    struct bs_snapshot s;
    bs_buffer_init(&b, 1u << 16);
    struct bs_sink sink = {&b, snapshot_write};
    bs_snapshot_save(&s, &sink);
    forge(&s, f);
    assert_int_equal(bs_snapshot_end(&s), BS_OK);
    enum bs_status status = snapshot_try(&summaries, bs_buffer_slice(&b));
    bs_buffer_fini(&b);
    return status;
}

static void forged_ones_are_refused(void **state)
{
    (void)state;
    struct forged f = sound;
    assert_int_equal(try_forged(&f), BS_OK);
#define REFUSE(change)                                                                             \
    f = sound;                                                                                     \
    f.change;                                                                                      \
    if (try_forged(&f) != BS_CORRUPT)                                                              \
    fail_msg("it loads with " #change)
    REFUSE(second_group = "tue");
    REFUSE(second_group = "w/d");
    REFUSE(tags = ",alias=R 1");
    REFUSE(tags = ",alias=R\n1");
    REFUSE(tags = ",alias=R\\");
    REFUSE(tags = ",alias=R\\\\ 1");
    REFUSE(tags = ",alias=R\\\n1");
    REFUSE(tags = ",alias=\xff");
    REFUSE(tags = "alias=R");
    REFUSE(chains[0][1] = 2); /* in one list twice */
    REFUSE(chains[0][1] = 3); /* in two lists */
    REFUSE(chains[1][0] = 4); /* not there */
    REFUSE(chains[1][0] = 0);
    REFUSE(members[1] = 1);
    REFUSE(members[1] = 4);
    REFUSE(members[1] = 0);
    REFUSE(dirty[0] = 3);
    REFUSE(dirty[2] = 1);
    REFUSE(dirty[2] = 0);
    REFUSE(steps = (UINT64_C(1) << 56) + 1);
    REFUSE(duration = -1);
    REFUSE(ask = INT64_MIN);
    REFUSE(since = INT64_MAX);
#undef REFUSE
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_ones_go_on_as_the_saved),
        cmocka_unit_test(a_retention_is_claimed_once),
        cmocka_unit_test(damaged_ones_do_no_harm),
        cmocka_unit_test(forged_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
