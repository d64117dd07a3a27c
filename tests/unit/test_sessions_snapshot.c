/* Sessions in snapshots: loaded ones answer, change their answers and forget as the saved ones
 * would have, and whatever loads can be asked. */
#include "backstep/base/random.h"
#include "backstep/core/sessions.h"
#include "snapshot_world.h"

#include <inttypes.h>
#include <stdio.h>

#define BEGIN  INT64_C(1795716000123)
#define MINUTE INT64_C(60000)
#define GROUPS 3
#define SEEDS  60
#define TURNS  600

static void *make(void)
{
    struct bs_sessions *sessions = NULL;
    assert_int_equal(bs_sessions_new(&sessions), BS_OK);
    return sessions;
}

static void carry(struct bs_snapshot *s, void *at)
{
    bs_sessions_snapshot(s, at);
}

static void dispose(void *at)
{
    bs_sessions_free(at);
}

static const struct snapshot_subject subject = {make, carry, dispose};

/* With a timetable, without, and with neighbours and rounds of one name. */
static struct bs_phase timed[] = {{.name = BS_SLICE("imprint"), .duration_s = 600},
                                  {.name = BS_SLICE("carry over"), .duration_s = 240},
                                  {.name = BS_SLICE("carry over"), .duration_s = 60}};
static struct bs_phase by_hand[] = {{.name = BS_SLICE("imprint")},
                                    {.name = BS_SLICE("r\xc3\xbc"
                                                      "ckw\xc3\xa4rts"),
                                     .duration_s = 7200}};
static struct bs_phase single[] = {{.name = BS_SLICE("back"), .duration_s = 7200}};

static const struct {
    struct bs_slice id;
    struct bs_drill_document drill;
} drills[] = {
    {BS_SLICE("back-twenty"), {.repeat = 3, .phases = {timed, 3}}},
    {BS_SLICE("back-twenty"), {.repeat = 2, .phases = {timed, 2}}},
    {BS_SLICE("slow"), {.repeat = 1, .phases = {by_hand, 2}}},
    {BS_SLICE("slow"), {.repeat = 100, .phases = {single, 1}}},
};

static const struct bs_slice groups[GROUPS] = {BS_SLICE("tue"), BS_SLICE("wed-track"),
                                               BS_SLICE("none")};
static const struct bs_slice phases[] = {BS_SLICE(""), BS_SLICE(""), BS_SLICE("imprint"),
                                         BS_SLICE("gone")};

struct trial {
    struct bs_random random;
    uint64_t seed;
    int turn;
    int64_t now;
    struct bs_sessions *a, *b;
};

static unsigned running, idle, evicted;

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

/* What happens, to both. */

static void follow(struct trial *t)
{
    struct bs_session_document document = {.phase = phases[below(t, 4)],
                                           .start_ms = t->now + (below(t, 90) - 80) * MINUTE};
    document.start_ms -= document.start_ms % (120 * MINUTE);
    document.end_ms = below(t, 2) ? INT64_MAX : document.start_ms + (1 + below(t, 120)) * MINUTE;
    size_t drill = (size_t)below(t, 5);
    struct bs_session_word word = {.group = groups[below(t, GROUPS)],
                                   .session = &document,
                                   .drill = drill < 4 ? &drills[drill].drill : NULL,
                                   .at = {t->now},
                                   .settled = {t->now - 5 * MINUTE},
                                   .by_drill = below(t, 3) == 0};
    document.drill = drill < 4 ? drills[drill].id : BS_SLICE("absent");
    enum bs_status x = bs_sessions_follow(t->a, &word), y = bs_sessions_follow(t->b, &word);
    EXPECT(x == BS_OK && y == BS_OK, "%d, from the loaded ones %d", x, y);
}

static void find(struct trial *t)
{
    struct bs_slice group = groups[below(t, GROUPS)];
    int64_t time = t->now + (below(t, 200) - 180) * MINUTE;
    struct bs_wall_ms settled = {t->now - 5 * MINUTE};
    struct bs_session_place x, y;
    bs_sessions_find(t->a, group, time, settled, &x);
    bs_sessions_find(t->b, group, time, settled, &y);
    EXPECT(x.running == y.running && x.start_ms == y.start_ms && x.from_ms == y.from_ms &&
               x.until_ms == y.until_ms && !x.history == !y.history,
           "running %d, from the loaded ones %d", x.running, y.running);
    EXPECT(bs_slice_equal(x.drill, y.drill) && bs_slice_equal(x.phase, y.phase),
           "%.*s, from the loaded ones %.*s", (int)x.drill.length, x.drill.at, (int)y.drill.length,
           y.drill.at);
    running += x.running;
    idle += !x.running;
    if (!x.running || below(t, 2))
        return;
    bs_sessions_note(x.history, time, settled);
    bs_sessions_note(y.history, time, settled);
    struct bs_session_facts f, g;
    bool known = bs_sessions_recall(t->a, group, x.start_ms, &f);
    EXPECT(known == bs_sessions_recall(t->b, group, x.start_ms, &g) && known, "it is not known");
    EXPECT(f.over_ms == g.over_ms && bs_slice_equal(f.first_drill, g.first_drill),
           "over at %" PRIi64 ", of the loaded ones %" PRIi64, f.over_ms, g.over_ms);
}

static void act(struct trial *t)
{
    t->now += below(t, 4 * MINUTE);
    switch (below(t, 12)) {
    case 0:
    case 1:
    case 2:
        follow(t);
        break;
    case 3: {
        struct bs_slice group = groups[below(t, GROUPS)];
        if (below(t, 8))
            break;
        bs_sessions_close(t->a, group, (struct bs_wall_ms){t->now});
        bs_sessions_close(t->b, group, (struct bs_wall_ms){t->now});
        break;
    }
    case 4: {
        struct bs_wall_ms before = {t->now - (60 + below(t, 300)) * MINUTE};
        uint64_t generation = bs_sessions_generation(t->a);
        if (below(t, 8))
            break;
        bs_sessions_forget(t->a, before);
        bs_sessions_forget(t->b, before);
        evicted += bs_sessions_generation(t->a) != generation;
        break;
    }
    default:
        find(t);
    }
    uint64_t x = bs_sessions_generation(t->a), y = bs_sessions_generation(t->b);
    EXPECT(x == y, "generation %" PRIu64 ", of the loaded ones %" PRIu64, x, y);
}

static void expect_same_bytes(struct trial *t)
{
    struct bs_buffer x = snapshot_save(&subject, t->a), y = snapshot_save(&subject, t->b);
    EXPECT(bs_slice_equal(bs_buffer_slice(&x), bs_buffer_slice(&y)),
           "the loaded ones save something else");
    bs_buffer_fini(&x);
    bs_buffer_fini(&y);
}

static void loaded_ones_go_on_as_the_saved(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct trial trial = {.seed = seed, .now = BEGIN, .a = make(), .b = make()}, *t = &trial;
        bs_random_init(&t->random, seed);
        bs_sessions_seed(t->a, seed);
        bs_sessions_seed(t->b, seed);
        for (t->turn = 0; t->turn < TURNS; t->turn++) {
            act(t);
            if (below(t, 16) > 0)
                continue;
            expect_same_bytes(t);
            bs_sessions_free(t->b);
            t->b = snapshot_copy(&subject, t->a);
        }
        expect_same_bytes(t);
        bs_sessions_free(t->a);
        bs_sessions_free(t->b);
    }
    print_message("%u running, %u not, %u evicted\n", running, idle, evicted);
    assert_true(running > 2000 && idle > 1000 && evicted > 100);
}

/* What shows in rare cases only. */

static void say(struct bs_sessions *sessions, struct bs_slice group, int64_t minute, size_t drill,
                int64_t at)
{
    const struct bs_session_document document = {
        .drill = drills[drill % 4].id, .start_ms = BEGIN + minute * MINUTE, .end_ms = INT64_MAX};
    struct bs_session_word word = {.group = group,
                                   .session = &document,
                                   .drill = drill < 4 ? &drills[drill].drill : NULL,
                                   .at = {BEGIN + at * MINUTE},
                                   .settled = {BEGIN}};
    assert_int_equal(bs_sessions_follow(sessions, &word), BS_OK);
}

static struct bs_session_place ask(struct bs_sessions *sessions, int64_t minute)
{
    struct bs_session_place place;
    bs_sessions_find(sessions, BS_SLICE("tue"), BEGIN + minute * MINUTE, (struct bs_wall_ms){BEGIN},
                     &place);
    return place;
}

static struct bs_sessions *reloaded(struct bs_sessions *sessions)
{
    struct bs_sessions *copy = snapshot_copy(&subject, sessions);
    bs_sessions_free(sessions);
    return copy;
}

/* A drill that comes again is not taken for the session's first. */
static void lost_intervals_are_remembered(void **state)
{
    (void)state;
    struct bs_sessions *sessions = make();
    say(sessions, BS_SLICE("tue"), 0, 0, 0);
    say(sessions, BS_SLICE("tue"), 0, 4, 10); /* it is deleted */
    bs_sessions_forget(sessions, (struct bs_wall_ms){BEGIN + 20 * MINUTE});
    sessions = reloaded(sessions);
    say(sessions, BS_SLICE("tue"), 0, 0, 30);
    assert_false(ask(sessions, 25).running);
    assert_true(ask(sessions, 30).running);
    bs_sessions_free(sessions);
}

/* An answer that was given in the saved ones is void once a step moves the session's end. */
static void answers_of_before_are_remembered(void **state)
{
    (void)state;
    struct bs_sessions *sessions = make();
    say(sessions, BS_SLICE("tue"), 0, 0, 0);
    bs_sessions_note(ask(sessions, 5).history, BEGIN + 5 * MINUTE, (struct bs_wall_ms){BEGIN});
    assert_false(ask(sessions, 40).running);
    sessions = reloaded(sessions);
    uint64_t generation = bs_sessions_generation(sessions);
    bs_sessions_note(ask(sessions, 20).history, BEGIN + 20 * MINUTE, (struct bs_wall_ms){BEGIN});
    assert_true(bs_sessions_generation(sessions) > generation);
    bs_sessions_free(sessions);
}

/* Damage. */

static struct bs_sessions *some_sessions(void)
{
    struct bs_sessions *sessions = make();
    bs_sessions_seed(sessions, 99);
    say(sessions, BS_SLICE("tue"), 0, 0, 0);
    say(sessions, BS_SLICE("tue"), 0, 2, 10);
    say(sessions, BS_SLICE("tue"), 60, 0, 30);
    say(sessions, BS_SLICE("wed"), 5, 3, 31);
    struct bs_session_place place;
    bs_sessions_find(sessions, BS_SLICE("wed"), BEGIN + 7 * MINUTE, (struct bs_wall_ms){BEGIN},
                     &place);
    bs_sessions_note(place.history, BEGIN + 7 * MINUTE, (struct bs_wall_ms){BEGIN});
    bs_sessions_close(sessions, BS_SLICE("tue"), (struct bs_wall_ms){BEGIN + 80 * MINUTE});
    return sessions;
}

/* Asks and tells all that can be. */
static void use(void *at)
{
    static const struct bs_slice names[] = {BS_SLICE("tue"), BS_SLICE("wed"), BS_SLICE("uue")};
    for (size_t i = 0; i < 3; i++) {
        struct bs_session_place place;
        for (int64_t minute = -10; minute < 200; minute += 7)
            bs_sessions_find(at, names[i], BEGIN + minute * MINUTE, (struct bs_wall_ms){BEGIN},
                             &place);
        bs_sessions_find(at, names[i], BEGIN + 7 * MINUTE, (struct bs_wall_ms){BEGIN}, &place);
        if (place.history)
            bs_sessions_note(place.history, BEGIN + 8 * MINUTE, (struct bs_wall_ms){BEGIN});
        bs_sessions_close(at, names[i], (struct bs_wall_ms){BEGIN + 90 * MINUTE});
        for (int64_t k = 0; k < 70; k++)
            say(at, names[i], 60, (size_t)k % 4, 91 + k);
        bs_sessions_close(at, names[i], (struct bs_wall_ms){BEGIN + 170 * MINUTE});
        bs_sessions_find(at, names[i], BEGIN + 71 * MINUTE, (struct bs_wall_ms){INT64_C(1) << 55},
                         &place);
    }
    struct bs_buffer saved = snapshot_save(&subject, at);
    bs_buffer_fini(&saved);
    bs_sessions_forget(at, (struct bs_wall_ms){BEGIN + 160 * MINUTE});
}

static void damaged_ones_do_no_harm(void **state)
{
    (void)state;
    struct bs_sessions *sessions = some_sessions();
    snapshot_expect_whole(&subject, sessions);
    assert_true(snapshot_change_bytes(&subject, sessions, use) > 100);
    bs_sessions_free(sessions);
}

/* Forged ones, written here as the format says. */

struct forged_interval {
    int64_t begin;
    uint32_t drill; /* its number; 0: none */
    int phase;
};

struct forged {
    uint32_t drills;
    struct bs_slice second_drill;
    int64_t until, rounds;
    struct bs_slice second_name;
    int64_t second_start;
    struct forged_interval intervals[3]; /* two of the first session, one of the second */
    int64_t last_step, closed;
};

static const struct forged sound = {.drills = 1,
                                    .second_drill = BS_SLICE("e"),
                                    .until = 100,
                                    .rounds = 2,
                                    .second_name = BS_SLICE("b"),
                                    .second_start = 2000,
                                    .intervals = {{1000, 1, -2}, {1500, 0, -1}, {2000, 1, 1}},
                                    .last_step = INT64_MIN,
                                    .closed = INT64_MAX};

static void forge_session(struct bs_snapshot *s, const struct forged *f, int64_t start,
                          const struct forged_interval *intervals, size_t count)
{
    bs_snapshot_i64(s, start);
    bs_snapshot_i64(s, INT64_MAX);
    bs_snapshot_i64(s, f->last_step);
    bs_snapshot_i64(s, f->closed);
    bs_snapshot_u64(s, 1, 1); /* first drill */
    bs_snapshot_flag(s, false);
    bs_snapshot_flag(s, false);
    bs_snapshot_u64(s, count, 2);
    for (size_t i = 0; i < count; i++) {
        bs_snapshot_i64(s, intervals[i].begin);
        bs_snapshot_u64(s, intervals[i].drill, 9);
        bs_snapshot_i64(s, intervals[i].phase);
    }
}

static void forge(struct bs_snapshot *s, const struct forged *f)
{
    bs_snapshot_mark(s, 0x53534553);
    bs_snapshot_u64(s, 1, 1);
    bs_snapshot_u64(s, 1, 1);
    bs_snapshot_u64(s, f->drills, 9);
    for (uint32_t i = 0; i < f->drills; i++) {
        bs_snapshot_text(s, i ? f->second_drill : BS_SLICE("d"), 9);
        bs_snapshot_u64(s, 2, 2);
        bs_snapshot_text(s, BS_SLICE("a"), 9);
        bs_snapshot_i64(s, f->rounds ? 50 : 0);
        bs_snapshot_text(s, f->second_name, 9);
        bs_snapshot_i64(s, f->until);
        bs_snapshot_i64(s, f->rounds);
    }
    bs_snapshot_u64(s, 1, 1);
    bs_snapshot_text(s, BS_SLICE("tue"), 9);
    bs_snapshot_i64(s, INT64_MAX);
    bs_snapshot_u64(s, 2, 2);
    forge_session(s, f, 1000, f->intervals, 2);
    forge_session(s, f, f->second_start, f->intervals + 2, 1);
}

static enum bs_status try_forged(const struct forged *f)
{
    struct bs_buffer b;
    struct bs_snapshot s;
    bs_buffer_init(&b, 4096);
    struct bs_sink sink = {&b, snapshot_write};
    bs_snapshot_save(&s, &sink);
    forge(&s, f);
    assert_int_equal(bs_snapshot_end(&s), BS_OK);
    enum bs_status status = snapshot_try(&subject, bs_buffer_slice(&b));
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
    REFUSE(drills = 2); /* nobody holds the second */
    REFUSE(intervals[2].drill = f.drills = 2; f.second_drill = BS_SLICE("d")); /* the same twice */
    REFUSE(drills = 0);
    REFUSE(until = 50); /* its round would never come to the phase */
    REFUSE(until = 49);
    REFUSE(until = INT64_C(1) << 50);
    REFUSE(rounds = 0); /* no timetable, but times */
    REFUSE(rounds = 101);
    REFUSE(second_name = BS_SLICE("a")); /* one phase */
    REFUSE(second_name = BS_SLICE(""));
    REFUSE(second_start = 1000);
    REFUSE(second_start = INT64_C(1) << 55);
    REFUSE(intervals[1].begin = 1000);
    REFUSE(intervals[0].phase = 2);
    REFUSE(intervals[0].phase = -3);
    REFUSE(intervals[1].phase = 0); /* of no drill */
    REFUSE(intervals[0].drill = 2);
    REFUSE(last_step = INT64_MAX);
    REFUSE(closed = INT64_MIN);
#undef REFUSE
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_ones_go_on_as_the_saved),
        cmocka_unit_test(lost_intervals_are_remembered),
        cmocka_unit_test(answers_of_before_are_remembered),
        cmocka_unit_test(damaged_ones_do_no_harm),
        cmocka_unit_test(forged_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
