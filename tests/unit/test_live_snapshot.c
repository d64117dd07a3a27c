/* Boards saved and loaded at any moment: what is published and deleted from then on is the same to
 * the byte, and at the same time. */
#include "backstep/base/random.h"
#include "live_world.h"
#include "snapshot_memory.h"

#define SEEDS    40
#define ACTIONS  600
#define MEMBERS  7
#define GROUPS   3
#define SESSIONS (2 * GROUPS)

static const char *const groups[GROUPS + 1] = {"a", "b", "c", "none"};

struct trial {
    struct world w;
    struct bs_live_member members[MEMBERS];
    struct bs_tags *loaded[MEMBERS]; /* the one reference of whoever loads tags */
    struct world_session sessions[SESSIONS];
};

static void *make(void)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    world_begin(&t->w);
    t->w.sessions = t->sessions;
    t->w.session_count = SESSIONS;
    for (int i = 0; i < SESSIONS; i++)
        t->sessions[i] = (struct world_session){groups[i / 2], "d", "p", 0, 0};
    return t;
}

/* Tags first, then what members hold, then the boards. */
static void carry(struct bs_snapshot *s, void *at)
{
    struct trial *t = at;
    for (int i = 0; i < MEMBERS; i++) {
        bs_snapshot_define(s, BS_SNAPSHOT_LIVE_MEMBER, &t->members[i]);
        if (!bs_snapshot_flag(s, t->members[i].tags != NULL))
            continue;
        struct bs_tags *tags = bs_tags_snapshot(s, t->members[i].tags);
        if (bs_snapshot_loads(s))
            t->loaded[i] = tags;
        if (tags)
            bs_snapshot_define(s, BS_SNAPSHOT_TAGS, tags);
    }
    for (int i = 0; i < MEMBERS; i++)
        bs_live_member_snapshot(s, &t->members[i]);
    bs_live_snapshot(s, t->w.live);
}

static void dispose(void *at)
{
    struct trial *t = at;
    world_end(&t->w);
    for (int i = 0; i < MEMBERS; i++) {
        assert_null(t->members[i].board);
        if (!t->loaded[i])
            continue;
        assert_int_equal(t->loaded[i]->references, 1);
        bs_tags_drop(t->loaded[i]);
    }
    free(t);
}

static const struct snapshot_subject subject = {make, carry, dispose};

static struct trial *copy_of(struct trial *t)
{
    struct trial *copy = snapshot_copy(&subject, t);
    copy->w.now = t->w.now;
    memcpy(copy->sessions, t->sessions, sizeof copy->sessions);
    return copy;
}

/* What happens. */

static int pick(struct bs_random *random, int below)
{
    return (int)bs_random_below(random, (uint64_t)below);
}

static struct bs_tags *make_tags(int member, int group, struct bs_random *random)
{
    char id[8], alias[8];
    snprintf(id, sizeof id, "m%d", member);
    snprintf(alias, sizeof alias, "A%d", pick(random, 8) ? member : 9);
    return world_tags(groups[group], id, alias);
}

static void step(struct trial *t, struct bs_random *random)
{
    int i = pick(random, MEMBERS);
    int group = pick(random, 12) ? i % GROUPS : pick(random, GROUPS + 1);
    struct bs_live_member *m = &t->members[i];
    int64_t time_ms = t->w.now - (pick(random, 5) ? pick(random, 3000) : pick(random, 100000));
    struct world_step s = {.ago_ms = t->w.now - time_ms,
                           .direction = (enum bs_direction)pick(random, BS_DIRECTION_COUNT),
                           .step_ms = pick(random, 4) ? 397 + 101 * pick(random, 3) : 0,
                           .step_mm = pick(random, 4) ? 311 + 149 * pick(random, 3) : 0,
                           .late = time_ms < m->last_ms};
    struct bs_tags *tags = make_tags(i, group, random);
    assert_true(world_take(&t->w, m, tags, s));
    bs_tags_drop(tags);
}

static void note(struct trial *t, struct bs_random *random)
{
    static const char *const metrics[] = {"step_length", "step_time", "vertical_oscillation",
                                          "trunk_pitch"};
    struct bs_live_member *m = &t->members[pick(random, MEMBERS)];
    switch (pick(random, 3)) {
    case 0:
        bs_live_note_retention(t->w.live, m, pick(random, 40001) / 400.0);
        break;
    case 1:
        bs_live_note_slip(t->w.live, m, metrics[pick(random, 4)], t->w.now - pick(random, 5000));
        break;
    default:
        bs_live_note_bout(t->w.live, m);
    }
}

static void change_document(struct trial *t, struct bs_random *random)
{
    int i = pick(random, MEMBERS);
    struct bs_tags *tags = make_tags(i, pick(random, GROUPS + 1), random);
    bs_live_follow(t->w.live, &t->members[i], pick(random, 2) ? tags : NULL);
    bs_tags_drop(tags);
}

static void change_session(struct trial *t, struct bs_random *random)
{
    static const char *const phases[] = {"x", "y", "z"};
    int group = pick(random, GROUPS);
    struct world_session *s = &t->sessions[2 * group + pick(random, 2)];
    int64_t from = t->w.now - 1000 * pick(random, 60);
    *s = (struct world_session){groups[group], "d", phases[pick(random, 3)], from,
                                t->w.now + 1000 * pick(random, 200)};
    bs_live_note_session(t->w.live, bs_slice_text(groups[group]));
}

static void act(struct trial *t, struct bs_random *random)
{
    int what = pick(random, 1000);
    if (what < 600)
        step(t, random);
    else if (what < 650)
        note(t, random);
    else if (what < 690)
        change_document(t, random);
    else if (what < 720)
        change_session(t, random);
    else if (what < 725)
        bs_live_restart(t->w.live);
    else if (what < 728)
        bs_live_empty(t->w.live);
    else if (what < 732)
        bs_live_set_refresh(t->w.live, 500 + 500 * pick(random, 40));
    else if (what < 990)
        world_wait(&t->w, pick(random, 2000));
    else
        world_wait(&t->w, pick(random, pick(random, 3) ? 70000 : 700000));
    world_fire(&t->w);
}

static void expect_same_words(struct trial *a, struct trial *b, int *publications)
{
    *publications += a->w.count;
    const char *said = world_said(&a->w);
    assert_string_equal(said, world_said(&b->w));
    assert_int_equal(bs_live_tick_deadline(a->w.live).ms, bs_live_tick_deadline(b->w.live).ms);
    assert_int_equal(bs_live_boards(a->w.live), bs_live_boards(b->w.live));
}

static void the_same_is_published_after_any_moment(void **state)
{
    (void)state;
    int publications = 0;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct bs_random random;
        bs_random_init(&random, seed);
        struct trial *t = make();
        bs_live_seed(t->w.live, seed);
        world_said(&t->w);
        for (int i = 0; i < ACTIONS; i += 8) {
            struct trial *copy = copy_of(t);
            world_said(&copy->w);
            for (int k = 0; k < 8; k++) {
                struct bs_random again = random;
                act(t, &random);
                act(copy, &again);
                expect_same_words(t, copy, &publications);
            }
            snapshot_expect_same(&subject, t, copy);
            dispose(t);
            t = copy;
        }
        struct trial *copy = copy_of(t);
        world_wait(&t->w, 30 * MINUTE);
        world_wait(&copy->w, 30 * MINUTE);
        expect_same_words(t, copy, &publications);
        assert_int_equal(bs_live_boards(copy->w.live), 0); /* none is left at the broker */
        dispose(t);
        dispose(copy);
    }
    assert_true(publications > SEEDS * 50);
}

/* What is loaded may be forged. */

static void use(void *at)
{
    struct trial *t = at;
    struct bs_random random;
    bs_random_init(&random, 11);
    world_fire(&t->w); /* what was due long ago is due now */
    for (int i = 0; i < 30; i++)
        act(t, &random);
    struct bs_buffer again = snapshot_save(&subject, t);
    bs_buffer_fini(&again);
    t->w.now += INT64_C(1) << 30;
    world_fire(&t->w);
}

static struct trial *three_boards(void)
{
    struct trial *t = make();
    struct bs_random random;
    bs_random_init(&random, 4);
    for (int i = 0; i < 4; i++) {
        struct bs_tags *tags = make_tags(i, i % GROUPS, &random);
        for (int k = 0; k < 3; k++)
            world_step(&t->w, &t->members[i], tags);
        bs_tags_drop(tags);
    }
    bs_live_note_slip(t->w.live, &t->members[0], "trunk_pitch", t->w.now);
    bs_live_note_retention(t->w.live, &t->members[0], 71.5);
    world_wait(&t->w, 3000);
    bs_live_follow(t->w.live, &t->members[2], NULL);
    assert_int_equal(bs_live_boards(t->w.live), GROUPS);
    return t;
}

static void damaged_ones_do_no_harm(void **state)
{
    (void)state;
    struct trial *t = three_boards();
    snapshot_expect_whole(&subject, t);
    assert_true(snapshot_change_bytes(&subject, t, use) > 0);
    assert_true(snapshot_change_numbers(&subject, t, use, 4000) > 0);
    dispose(t);
}

/* Nobody is on two boards, nor on one whose group the tags are not of, nor without a name. */
static void who_must_not_be_on_a_board_is_refused(void **state)
{
    (void)state;
    struct trial *t = make();
    struct bs_random random;
    bs_random_init(&random, 4);
    struct bs_tags *tags = make_tags(0, 0, &random), *others = make_tags(1, 0, &random);
    world_step(&t->w, &t->members[0], tags);
    world_step(&t->w, &t->members[1], others);
    tags->named = false;
    struct bs_buffer saved = snapshot_save(&subject, t);
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    bs_buffer_fini(&saved);
    tags->named = true;
    saved = snapshot_save(&subject, t);
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_OK);
    /* It ends with two members and their tags: 2 2, 1 1. */
    char *end = saved.at + saved.length - 4;
    assert_memory_equal(end, "\2\2\1\1", 4);
    memcpy(end, "\2\2\2\2", 4);
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    bs_buffer_fini(&saved);
    bs_tags_drop(tags);
    bs_tags_drop(others);
    dispose(t);
}

static void memory_may_be_out(void **state)
{
    (void)state;
    expect_out_of_memory(subject, three_boards());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_published_after_any_moment),
        cmocka_unit_test(damaged_ones_do_no_harm),
        cmocka_unit_test(who_must_not_be_on_a_board_is_refused),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
