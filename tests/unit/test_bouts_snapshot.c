/* Bouts, carry-overs and slips, saved and loaded at any moment: the rows that are written from then
 * on, and what the listener hears, are the same to the byte. */
#include "backstep/base/random.h"
#include "bouts_world.h"
#include "snapshot_memory.h"

#define SEEDS   6
#define STEPS   6000
#define WALKERS 4
#define TAGS    3

/* How somebody walks at present. */
struct walk {
    int64_t at;
    char letter;
    int left, mm, leg;
};

struct trial {
    struct world w;
    struct bs_tags *tags[TAGS];
    struct bs_bout_member *members[WALKERS];
    struct walk walks[WALKERS];
    struct bs_group_retention *retention; /* to be referred to; NULL: none */
};

static void *make(void)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    world_begin(&t->w);
    bs_bouts_free_member(t->w.bouts, t->w.member);
    t->w.member = NULL;
    t->tags[0] = t->w.tags;
    t->tags[1] = world_tags("imprint", false);
    t->tags[2] = world_tags("carry-over", true);
    return t;
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct trial *t = at;
    for (int i = 0; i < TAGS; i++)
        bs_snapshot_define(s, BS_SNAPSHOT_TAGS, t->tags[i]);
    if (t->retention)
        bs_snapshot_define(s, BS_SNAPSHOT_RETENTION, t->retention);
    for (int i = 0; i < WALKERS; i++)
        bs_bouts_member_snapshot(s, &t->members[i], &t->w);
    bs_bouts_snapshot(s, t->w.bouts);
}

/* Whoever referred to tags has held and dropped them. */
static void dispose(void *at)
{
    struct trial *t = at;
    for (int i = 0; i < WALKERS; i++)
        bs_bouts_free_member(t->w.bouts, t->members[i]);
    t->w.member = NULL;
    t->w.tags = t->tags[0];
    for (int i = 1; i < TAGS; i++) {
        assert_int_equal(t->tags[i]->references, 1);
        bs_tags_drop(t->tags[i]);
    }
    world_end(&t->w);
    free(t);
}

static const struct snapshot_subject subject = {make, carry, dispose};

static struct trial *walkers(void)
{
    struct trial *t = make();
    for (int i = 0; i < WALKERS; i++) {
        t->members[i] = bs_bouts_add_member(&t->w);
        assert_non_null(t->members[i]);
    }
    return t;
}

/* What is not the bouts': how somebody walks, and the settings. */
static struct trial *copy_of(struct trial *t)
{
    struct trial *copy = snapshot_copy(&subject, t);
    struct world *w = &copy->w;
    memcpy(copy->walks, t->walks, sizeof copy->walks);
    w->settings = t->w.settings;
    w->trunk = t->w.trunk;
    w->vo = t->w.vo;
    w->stride_ms = t->w.stride_ms;
    w->contact_ms = t->w.contact_ms;
    return copy;
}

/* Walking. */

static int pick(struct bs_random *random, int below)
{
    return (int)bs_random_below(random, (uint64_t)below);
}

static int64_t pick_pause(struct bs_random *random)
{
    int what = pick(random, 100);
    if (what < 80)
        return 0;
    return what < 93 ? pick(random, 5000) : what < 95 ? pick(random, 90000) : 900000;
}

/* A habit, the backward bout, what is carried over; and whatever else there is between. */
static void turn(struct walk *walk, struct bs_random *random)
{
    static const char legs[] = "FBFF", others[] = "FBLRUDTNX";
    static const int lengths[] = {40, 25, 40, 30};
    bool other = pick(random, 3) == 0;
    walk->leg = (walk->leg + !other) % 4;
    walk->letter = other ? others[pick(random, 9)] : legs[walk->leg];
    walk->left = 1 + pick(random, other ? 9 : lengths[walk->leg]);
    walk->mm = walk->letter == 'B' ? 500 : 600 + 100 * pick(random, 3);
    int64_t pause = pick_pause(random);
    walk->at += pause;
    if (pause < BS_VISIT_GAP_MS)
        return;
    walk->leg = 1; /* what was learned before is all the habit that there is */
    walk->letter = 'B';
    walk->left = 15;
}

static void change_settings(struct bs_settings *s, struct bs_random *random)
{
    s->direction_confirm_steps = 1 + pick(random, 10);
    s->bout_min_steps = 2 + pick(random, 10);
    s->carry_over_steps = 10 + pick(random, 30);
    s->slip.hold_off_steps = 1 + pick(random, 12);
    s->bout_gap_ms = 1500 + pick(random, 3000);
}

/* As the engine asks for it, beside steps. */
static void meddle(struct trial *t, struct bs_random *random)
{
    struct world *w = &t->w;
    struct bs_effects effects = world_effects(w);
    switch (pick(random, 6)) {
    case 0:
        bs_bouts_withhold(w->member, pick(random, 2));
        break;
    case 1:
        world_stop(w);
        if (pick(random, 10) == 0)
            bs_bouts_forget_gait(w->member);
        break;
    case 2:
        bs_bouts_settle(w->bouts, w->member, (struct bs_wall_ms){WORLD_NOW + w->at - 5000},
                        &effects);
        break;
    case 3:
        change_settings(&w->settings, random);
        break;
    case 4:
        world_stop(w);
        break;
    default:
        w->late_ms = pick(random, 2) ? 0 : pick(random, 20000);
    }
}

static void describe_step(struct trial *t, struct walk *walk, struct bs_random *random)
{
    struct world *w = &t->w;
    w->tags = t->tags[pick(random, 40) ? (walk->left + walk->leg) % 8 == 0 : 2];
    w->every_ms = 450 + pick(random, 100);
    w->ms = pick(random, 12) ? 480 + pick(random, 40) : 0;
    w->mm = pick(random, 12) ? walk->mm + pick(random, 60) : 0;
    w->stride_ms = pick(random, 3) ? 0 : 900 + pick(random, 200);
    w->contact_ms = pick(random, 3) ? 0 : 300 + pick(random, 100);
    w->trunk = pick(random, 5) ? 0 : 100 + pick(random, 900);
    w->vo = pick(random, 5) ? 0 : 20 + pick(random, 30);
    w->exact = pick(random, 2);
    w->missed = pick(random, 20) == 0;
}

/* Whoever is behind makes the next step. */
static void act(struct trial *t, struct bs_random *random)
{
    struct world *w = &t->w;
    int next = 0;
    for (int i = 1; i < WALKERS; i++)
        next = t->walks[i].at < t->walks[next].at ? i : next;
    struct walk *walk = &t->walks[next];
    if (walk->left-- <= 0)
        turn(walk, random);
    for (int i = 0; i < WALKERS; i++) {
        w->member = t->members[i];
        world_fire(w, walk->at);
    }
    w->member = t->members[next];
    w->at = walk->at;
    describe_step(t, walk, random);
    world_take(w, walk->letter);
    if (pick(random, 60) == 0)
        meddle(t, random);
    walk->at = w->at;
}

static void expect_same_words(struct trial *a, struct trial *b)
{
    assert_string_equal(world_heard(&a->w), world_heard(&b->w));
    assert_int_equal(bs_bouts_deadline(a->w.bouts).ms, bs_bouts_deadline(b->w.bouts).ms);
    for (int i = 0; i < WALKERS; i++)
        assert_int_equal(bs_bouts_silent_at(a->w.bouts, a->members[i]),
                         bs_bouts_silent_at(b->w.bouts, b->members[i]));
    const char *lines = world_lines(&a->w);
    assert_string_equal(lines, world_lines(&b->w));
}

struct tally {
    int bouts, carry_overs, slips;
};

static void count_lines(const char *lines, struct tally *tally)
{
    tally->bouts += rows_of(lines, "gait_bout", "", NULL).count;
    tally->carry_overs += rows_of(lines, "carry_over", "retention_pct", NULL).count;
    tally->slips += rows_of(lines, "slip", "", NULL).count;
}

/* The copy goes on in place of the original. */
static struct trial *walk_both(struct trial *t, struct bs_random *random, int steps,
                               struct tally *tally)
{
    struct trial *copy = copy_of(t);
    copy->w.late_ms = t->w.late_ms;
    for (int i = 0; i < steps; i++) {
        struct bs_random again = *random;
        act(t, random);
        act(copy, &again);
        bs_buffer_add_char(&t->w.lines, 0);
        count_lines(t->w.lines.at, tally);
        t->w.lines.length--;
        expect_same_words(t, copy);
    }
    snapshot_expect_same(&subject, t, copy);
    dispose(t);
    return copy;
}

static void the_same_is_written_after_any_moment(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct bs_random random;
        bs_random_init(&random, seed);
        struct trial *t = walkers();
        for (int i = 0; i < STEPS;) {
            int steps = 1 + pick(&random, 40);
            t = walk_both(t, &random, steps, &tally);
            i += steps;
        }
        dispose(t);
    }
    assert_true(tally.bouts > 50 * SEEDS && tally.carry_overs > 5 * SEEDS &&
                tally.slips > 5 * SEEDS);
}

/* What the sums have no room for is kept, too. */
static void a_bout_beyond_the_sums_goes_on(void **state)
{
    (void)state;
    struct trial *t = walkers();
    t->w.member = t->members[0];
    world_repeat(&t->w, 'F', 70000);
    struct trial *copy = copy_of(t);
    world_lines(&t->w);
    copy->w.member = copy->members[0];
    copy->w.at = t->w.at;
    world_repeat(&t->w, 'F', 5);
    world_repeat(&copy->w, 'F', 5);
    world_stop(&t->w);
    world_stop(&copy->w);
    const char *lines = world_lines(&t->w);
    assert_non_null(strstr(lines, "steps=70005i"));
    assert_string_equal(lines, world_lines(&copy->w));
    dispose(t);
    dispose(copy);
}

/* What is loaded may be forged. */

static void walk_on(struct trial *t, const char *letters)
{
    for (int i = 0; i < WALKERS; i++) {
        t->w.member = t->members[i];
        if (!t->w.member)
            continue;
        int64_t at = t->w.at;
        world_walk(&t->w, letters);
        world_fire(&t->w, t->w.at + 60000);
        t->w.at = at;
    }
}

static void use(void *at)
{
    struct trial *t = at;
    t->w.settings.slip.threshold_pct = 10;
    t->w.trunk = 300;
    t->w.vo = 40;
    t->w.at = 60000;
    walk_on(t, ""); /* what is due is written */
    walk_on(t, "FFFFFFFFFFFFFFFFFFFFFFFFFBBBBBBBBBBBBFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
    struct bs_buffer again = snapshot_save(&subject, t);
    bs_buffer_fini(&again);
    t->w.at += 20000;
    t->w.mm = 900;
    walk_on(t, "FFFFFFFFFFFFFFFFFFFFFLLLTTRFFUUUUUUUU");
}

/* One rests after a slip, one fills a block, one is about to turn, one walks backwards still. */
static struct trial *one_of_each(void)
{
    struct trial *t = walkers();
    struct world *w = &t->w;
    w->settings.slip.hold_off_steps = 5;
    w->settings.carry_over_steps = 10;
    w->trunk = 200;
    w->vo = 30;
    w->stride_ms = 1000;
    w->contact_ms = 700;
    for (int i = 0; i < WALKERS; i++) {
        w->member = t->members[i];
        w->at = 0;
        w->trunk = 200;
        world_walk_back(w);
        world_walk_mm(w, i == 3 ? 'B' : 'F', i == 0 ? 12 : 9, 600);
        if (i == 0)
            world_walk_mm(w, 'F', 8, 900);
        if (i == 2)
            world_walk(w, "LL");
    }
    world_heard(w);
    const char *lines = world_lines(w);
    assert_int_equal(rows_of(lines, "slip", "", NULL).count, 1);
    return t;
}

static void damaged_ones_do_no_harm(void **state)
{
    (void)state;
    struct trial *t = one_of_each();
    snapshot_expect_whole(&subject, t);
    assert_true(snapshot_change_bytes(&subject, t, use) > 0);
    assert_true(snapshot_change_numbers(&subject, t, use, 2000) > 0);
    dispose(t);
}

/* A carry-over's place in its group's row. */

static const struct bs_window_key key = {
    .time_ms = WORLD_NOW, .direction = BS_DIRECTION_FORWARD, .stored = false};

/* One in the window of now, which nobody holds. */
static struct bs_group_retention *make_retention(struct bs_windows *windows,
                                                 struct bs_window_member *m, struct bs_tags *tags)
{
    struct bs_window_key in = key;
    in.tags = tags;
    bs_windows_set_lateness(windows, 300000, 300000);
    bs_windows_advance(windows, (struct bs_wall_ms){WORLD_NOW});
    struct bs_window_place place = bs_windows_find(windows, m, &in);
    assert_true(bs_windows_reserve(windows, m, &in, &place));
    struct bs_step step = {.time_ms = WORLD_NOW};
    struct bs_sample sample = {.step = &step};
    struct bs_tick_ms now = {WORLD_NOW};
    bs_windows_add(windows, bs_windows_hold(windows, m, &in, &place), &sample, now);
    struct bs_group_retention *made = NULL, *given = NULL;
    bs_windows_set_retention(windows, tags, WORLD_NOW, 50, &made, now);
    assert_non_null(made);
    given = made;
    bs_windows_leave_retention(&made);
    return given;
}

/* What the last carry-over of the listener's news holds. */
static void join(struct trial *t)
{
    assert_true(bs_windows_join_retention(t->retention, t->w.carried.in_group));
}

/* Where the windows go first the bouts hear of it: else they would touch what is gone. */
static void a_retention_finds_its_holder_again(void **state)
{
    (void)state;
    struct bs_windows *windows[2];
    struct bs_window_member members[2] = {0};
    struct trial *t = one_of_each(), *copy = make();
    for (int i = 0; i < 2; i++)
        assert_int_equal(bs_windows_new(&windows[i], 10000), BS_OK);
    t->retention = make_retention(windows[0], &members[0], t->tags[0]);
    copy->retention = make_retention(windows[1], &members[1], copy->tags[0]);
    join(t);
    struct bs_buffer saved = snapshot_save(&subject, t);
    assert_int_equal(snapshot_load(&subject, copy, bs_buffer_slice(&saved)), BS_OK);
    struct bs_group_retention *other = NULL;
    assert_false(bs_windows_join_retention(copy->retention, &other)); /* it has one */
    snapshot_expect_same(&subject, t, copy);
    bs_windows_free(windows[1]);
    copy->retention = NULL;
    dispose(copy);

    /* The other way round, and a retention that somebody has already is nobody else's. */
    copy = make();
    assert_int_equal(bs_windows_new(&windows[1], 10000), BS_OK);
    members[1] = (struct bs_window_member){0};
    copy->retention = make_retention(windows[1], &members[1], copy->tags[0]);
    assert_true(bs_windows_join_retention(copy->retention, &other));
    assert_int_equal(snapshot_load(&subject, copy, bs_buffer_slice(&saved)), BS_CORRUPT);
    assert_ptr_equal(other, copy->retention);
    bs_windows_free(windows[1]);
    assert_null(other);
    dispose(copy);

    bs_buffer_fini(&saved);
    t->retention = NULL;
    bs_windows_free(windows[0]);
    dispose(t);
}

static void memory_may_be_out(void **state)
{
    (void)state;
    expect_out_of_memory(subject, one_of_each());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_written_after_any_moment),
        cmocka_unit_test(a_bout_beyond_the_sums_goes_on),
        cmocka_unit_test(damaged_ones_do_no_harm),
        cmocka_unit_test(a_retention_finds_its_holder_again),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
