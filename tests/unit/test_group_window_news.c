/* Group rows: whose steps still wait, slips, retentions. */
#include "class_world.h"

static struct world_held hold(struct class *c, int i)
{
    struct world_step step = {c->world.now, BS_DIRECTION_FORWARD, 500, 400, false};
    struct world_held held = world_hold(&c->world, &c->members[i], c->tags[i], &step);
    assert_int_not_equal(held.row, 0);
    return held;
}

static void whoever_only_waits_is_in_no_group_row(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    struct world_held waits = hold(&c, 4);
    for (int i = 0; i < 4; i++)
        walk(&c, i, 500);
    world_wait(&c.world, WORLD_REFRESH);
    assert_string_equal(group_rows(&c.world), "");
    world_pass(&c.world, &waits);
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), "members=5i,steps=5i,"));
    waits = hold(&c, 4);
    walk(&c, 4, 500);
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), "members=5i,steps=6i,"));
    world_pass(&c.world, &waits);
    end_class(&c);
}

/* Consent `group` of one who only waits gives nobody away, and hides nobody either. */
static void whoever_only_waits_is_not_unnamed(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 6, 1);
    struct world_held waits = hold(&c, 0);
    for (int i = 1; i < 6; i++)
        walk(&c, i, 500);
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), "members=5i,steps=5i,"));
    world_pass(&c.world, &waits);
    world_wait(&c.world, WORLD_REFRESH);
    assert_string_equal(group_rows(&c.world), "");
    end_class(&c);
}

static struct bs_tick_ms tick(const struct class *c)
{
    return (struct bs_tick_ms){c->world.now};
}

static void slips_count_in_their_window(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    walk_all(&c);
    world_wait(&c.world, WORLD_REFRESH);
    group_rows(&c.world);
    bs_windows_count_slip(c.world.windows, &c.members[1], c.tags[1], WORLD_NOW + 9999, tick(&c));
    bs_windows_count_slip(c.world.windows, &c.members[2], c.tags[2], WORLD_NOW, tick(&c));
    bs_windows_count_slip(c.world.windows, &c.members[2], c.tags[2], WORLD_NOW + WORLD_SIZE,
                          tick(&c));
    bs_windows_count_slip(c.world.windows, &c.members[2], c.tags[2], WORLD_NOW - 1, tick(&c));
    assert_int_equal(bs_windows_open_rows(c.world.windows), 6); /* no window is opened by a slip */
    world_wait(&c.world, WORLD_REFRESH - 1);
    assert_string_equal(group_rows(&c.world), "");
    world_wait(&c.world, 1);
    assert_non_null(strstr(group_rows(&c.world), ",slips=2i,final=false"));
    world_wait(&c.world, WORLD_SIZE + WORLD_LATENESS);
    assert_non_null(strstr(group_rows(&c.world), ",slips=2i,final=true"));
    bs_windows_count_slip(c.world.windows, &c.members[2], c.tags[2], WORLD_NOW,
                          tick(&c)); /* too late */
    world_wait(&c.world, WORLD_SIZE);
    assert_string_equal(group_rows(&c.world), "");
    end_class(&c);
}

static void slips_have_tags(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    struct bs_tags_names names = world_class;
    names.phase = BS_SLICE("imprint");
    struct bs_tags *before = world_member_tags(&names, 0, true);
    names.group = BS_SLICE("none");
    struct bs_tags *alone = world_member_tags(&names, 0, true);
    walk_all(&c);
    bs_windows_count_slip(c.world.windows, &c.members[0], before, WORLD_NOW, tick(&c));
    bs_windows_count_slip(c.world.windows, &c.members[0], alone, WORLD_NOW, tick(&c));
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), ",slips=0i,"));
    /* The slip of another phase comes first, the steps after it. */
    for (int i = 0; i < 5; i++)
        world_add(&c.world, &c.members[i], before,
                  (struct world_step){WORLD_NOW, BS_DIRECTION_FORWARD, 500, 400, false});
    world_wait(&c.world, WORLD_REFRESH);
    const char *rows = group_rows(&c.world);
    assert_non_null(strstr(rows, "phase=imprint"));
    assert_non_null(strstr(rows, "members=5i,steps=5i,"));
    assert_non_null(strstr(rows, ",slips=1i,"));
    end_class(&c);
    bs_tags_drop(before);
    bs_tags_drop(alone);
}

/* Three without a name are in the row; a fourth slips in it whose steps are in another: one slip
 * more than those of all others would be theirs alone. */
static void who_is_unnamed_and_in_no_row_slips_in_none(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 6, 4);
    for (int i = 1; i < 6; i++)
        walk(&c, i, 500);
    bs_windows_count_slip(c.world.windows, &c.members[0], c.tags[0], WORLD_NOW, tick(&c));
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), "members=5i,steps=5i,"));
    walk(&c, 0, 500);
    bs_windows_count_slip(c.world.windows, &c.members[0], c.tags[0], WORLD_NOW, tick(&c));
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), ",slips=1i,"));
    end_class(&c);
}

/* A row that only slips opened says nothing of anybody. */
static void slips_alone_make_no_row(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    bs_windows_set_group_min(c.world.windows, 0);
    struct bs_tags_names names = world_class;
    names.group = BS_SLICE("none");
    struct bs_tags *alone = world_member_tags(&names, 0, true);
    world_add(&c.world, &c.members[0], alone,
              (struct world_step){WORLD_NOW, BS_DIRECTION_FORWARD, 500, 400, false});
    bs_windows_set_group_min(c.world.windows, 3);
    bs_windows_count_slip(c.world.windows, &c.members[1], c.tags[1], WORLD_NOW, tick(&c));
    assert_int_equal(bs_windows_open_rows(c.world.windows), 2);
    world_wait(&c.world, WORLD_SIZE + WORLD_LATENESS);
    assert_string_equal(group_rows(&c.world), "");
    assert_int_equal(c.tags[1]->references, 1);
    end_class(&c);
    bs_tags_drop(alone);
}

static void set_retention(struct class *c, int i, int64_t at, double pct,
                          struct bs_group_retention **holder)
{
    bs_windows_set_retention(c->world.windows, c->tags[i], WORLD_NOW + at, pct, holder, tick(c));
}

static void the_median_of_retentions(void **state)
{
    (void)state;
    struct class c;
    struct bs_group_retention *holders[5] = {0};
    begin_class(&c, 5, 0);
    walk_all(&c);
    world_wait(&c.world, WORLD_REFRESH);
    assert_null(strstr(group_rows(&c.world), "retention"));
    set_retention(&c, 0, 0, 90, &holders[0]);
    set_retention(&c, 1, 0, 40, &holders[1]);
    set_retention(&c, 2, 9999, 0, &holders[2]);
    set_retention(&c, 3, 10000, 100, &holders[3]); /* of no open window */
    assert_null(holders[3]);
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), ",retention_pct_p50=40,slips=0i,"));
    set_retention(&c, 4, 0, 70, &holders[4]);
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), ",retention_pct_p50=55,slips=0i,"));
    set_retention(&c, 1, 0, 60, &holders[1]); /* the same carry-over: its value is replaced */
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), ",retention_pct_p50=65,slips=0i,"));
    end_class(&c); /* all are final */
    for (int i = 0; i < 5; i++)
        assert_null(holders[i]);
}

/* One member's second carry-over is another one; the first stays as it was. */
static void a_retention_that_was_left_stays(void **state)
{
    (void)state;
    struct class c;
    struct bs_group_retention *holder = NULL;
    begin_class(&c, 5, 0);
    walk_all(&c);
    set_retention(&c, 0, 0, 90, &holder);
    bs_windows_leave_retention(&holder);
    assert_null(holder);
    bs_windows_leave_retention(&holder);
    set_retention(&c, 0, 5000, 50, &holder);
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), ",retention_pct_p50=70,"));
    world_wait(&c.world, WORLD_SIZE + WORLD_LATENESS);
    assert_non_null(strstr(group_rows(&c.world), ",retention_pct_p50=70,slips=0i,final=true"));
    assert_null(holder);
    set_retention(&c, 0, 0, 10, &holder); /* its window is final */
    assert_null(holder);
    world_wait(&c.world, WORLD_SIZE);
    assert_string_equal(group_rows(&c.world), "");
    end_class(&c);
}

/* So many that room for values and for members grows, each while the other is there. */
static void many_retentions_and_many_members(void **state)
{
    (void)state;
    enum { MEMBERS = 150 };
    struct world w;
    static struct bs_window_member members[MEMBERS];
    static struct bs_group_retention *holders[2 * MEMBERS];
    struct bs_tags *tags[MEMBERS];
    memset(members, 0, sizeof members);
    world_begin(&w);
    for (int i = 0; i < MEMBERS; i++) {
        tags[i] = world_member_tags(&world_class, i, true);
        world_add(&w, &members[i], tags[i],
                  (struct world_step){WORLD_NOW, BS_DIRECTION_FORWARD, 300 + 4 * i, 400, false});
        for (int j = 0; j < 2; j++)
            bs_windows_set_retention(w.windows, tags[i], WORLD_NOW, (i + j * MEMBERS) % 101,
                                     &holders[2 * i + j], (struct bs_tick_ms){w.now});
        world_wait(&w, 50);
    }
    world_wait(&w, WORLD_SIZE);
    const char *last = NULL;
    for (const char *at = group_rows(&w); *at; at = strchr(at, '\n') + 1)
        last = at;
    assert_non_null(last);
    assert_non_null(strstr(last, "members=150i,steps=150i,"));
    /* 0 to 299 without what is over 100 anew: 0..100 twice and 0..97 */
    assert_non_null(strstr(last, ",retention_pct_p50=49.5,"));
    struct bs_effects effects = world_effects(&w);
    bs_windows_finalise_all(w.windows, &effects);
    for (int i = 0; i < MEMBERS; i++)
        bs_tags_drop(tags[i]);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_only_waits_is_in_no_group_row),
        cmocka_unit_test(whoever_only_waits_is_not_unnamed),
        cmocka_unit_test(slips_count_in_their_window),
        cmocka_unit_test(slips_have_tags),
        cmocka_unit_test(who_is_unnamed_and_in_no_row_slips_in_none),
        cmocka_unit_test(slips_alone_make_no_row),
        cmocka_unit_test(the_median_of_retentions),
        cmocka_unit_test(a_retention_that_was_left_stays),
        cmocka_unit_test(many_retentions_and_many_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
