/* Windows in snapshots: loaded ones go on as those that were saved, to the byte; whatever was
 * forged can be used and freed. */
#include "failing_memory.h"
#include "window_sides.h"

#define RUNS   15
#define EVENTS 1500

/* References and counts of this little a snapshot; how often some are mixed up at once. */
#define SMALL  12
#define MIXED  1000

static size_t count(const char *text, const char *word)
{
    size_t found = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        found++;
    return found;
}

/* What was written, both sides alike. */
struct lines {
    size_t members, groups, retentions;
};

/* What both wrote since the last look, and what they await. */
static void expect_same(uint64_t seed, int at, struct side *a, struct side *b, struct lines *lines)
{
    unsigned closed[2] = {a->world.closed, b->world.closed};
    const char *x = world_lines(&a->world), *y = world_lines(&b->world);
    if (strcmp(x, y) != 0 || closed[0] != closed[1])
        fail_msg("BACKSTEP_SEED=%llu, event %d:\n%s(%u closed)\n%s(%u closed)",
                 (unsigned long long)seed, at, x, closed[0], y, closed[1]);
    lines->members += count(x, "gait_window,");
    lines->groups += count(x, "group_window,");
    lines->retentions += count(x, "retention_pct_p50=");
    struct bs_windows *v = a->world.windows, *w = b->world.windows;
    assert_int_equal(bs_windows_wall_deadline(v).ms, bs_windows_wall_deadline(w).ms);
    assert_int_equal(bs_windows_tick_deadline(v).ms, bs_windows_tick_deadline(w).ms);
    assert_int_equal(bs_windows_open_rows(v), bs_windows_open_rows(w));
}

static void expect_same_bytes(struct side *a, struct side *b)
{
    struct bs_buffer x = snapshot_save(&side_subject, a), y = snapshot_save(&side_subject, b);
    assert_true(bs_slice_equal(bs_buffer_slice(&x), bs_buffer_slice(&y)));
    bs_buffer_fini(&x);
    bs_buffer_fini(&y);
}

/* `original` was never loaded; the other is replaced by what its own snapshot gives. */
static struct side *replace(struct side *original, struct side *other)
{
    if (other)
        expect_same_bytes(original, other);
    struct side *copy = snapshot_copy(&side_subject, other ? other : original);
    if (other)
        side_dispose(other);
    return copy;
}

static void run(uint64_t seed, struct lines *lines)
{
    struct bs_random r;
    bs_random_init(&r, seed);
    struct side *original = side_make(), *other = NULL;
    for (int i = 0; i < EVENTS; i++) {
        if (i == 0 || side_pick(&r, 20) == 0)
            other = replace(original, other);
        struct side_event e = side_draw(&r);
        side_happen(original, &e);
        side_happen(other, &e);
        expect_same(seed, i, original, other, lines);
    }
    struct side_event end = {.deed = DEED_STEP_CLOCK};
    side_happen(original, &end);
    side_happen(other, &end);
    expect_same(seed, EVENTS, original, other, lines);
    side_dispose(original);
    side_dispose(other);
}

static void a_loaded_one_goes_on_as_the_saved_one(void **state)
{
    (void)state;
    const char *given = getenv("BACKSTEP_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261126;
    print_message("seed %llu (BACKSTEP_SEED sets another)\n", (unsigned long long)seed);
    struct lines lines = {0};
    for (uint64_t i = 0; i < (given ? 1 : RUNS); i++)
        run(seed + i, &lines);
    print_message("compared %zu rows of members, %zu of groups, %zu retentions\n", lines.members,
                  lines.groups, lines.retentions);
    if (given) /* the draw has enough of each */
        return;
    assert_true(lines.members > RUNS * EVENTS / 6);
    assert_true(lines.groups > RUNS * EVENTS / 60);
    assert_true(lines.retentions > RUNS * EVENTS / 100);
}

static void walk(struct side *d, int member, int64_t after_ms, enum bs_direction direction,
                 bool stored)
{
    struct side_event e = {
        .member = member,
        .tags = 3 * (member / 4),
        .after_ms = after_ms,
        .step = {
            .direction = direction, .step_ms = 500 + member, .step_mm = 400, .stored = stored}};
    side_step(d, &e);
}

/* More steps than one row's sums hold, twice, and some that wait. */
static void more_than_sums_hold_comes_back(void **state)
{
    (void)state;
    struct side *d = side_make();
    for (unsigned i = 0; i < 2 * BS_SUMS_STEPS_MAX + 9; i++)
        walk(d, 0, 0, BS_DIRECTION_FORWARD, false);
    struct side_event e = {.member = 0, .deed = DEED_HOLD};
    for (; e.place < 4; e.place++)
        side_happen(d, &e);
    world_lines(&d->world);
    struct side *copy = snapshot_copy(&side_subject, d);
    e.deed = DEED_PASS;
    for (e.place = 0; e.place < 4; e.place++) {
        side_happen(d, &e);
        side_happen(copy, &e);
    }
    world_wait(&d->world, 3000);
    world_wait(&copy->world, 3000);
    assert_non_null(strstr(d->world.lines.at, " steps=131079i,"));
    expect_same(0, 0, d, copy, &(struct lines){0});
    side_dispose(d);
    side_dispose(copy);
}

/* A bit of everything: an overdue window, late rows, stored ones, a group, retentions, slips. */
static struct side *fill(void)
{
    struct side *d = side_make();
    struct world_step step = {.step_ms = 500, .step_mm = 400};
    struct side_event held = {.deed = DEED_HOLD, .member = 1, .step = step};
    for (held.place = 2; held.place < 4; held.place++) {
        held.after_ms = -WORLD_SIZE * held.place;
        side_happen(d, &held);
    }
    world_wait(&d->world, WORLD_LATENESS + 2 * WORLD_SIZE);
    for (int m = 0; m < SIDE_MEMBERS; m++)
        walk(d, m, 0, BS_DIRECTION_BACKWARD, false);
    walk(d, 2, -2 * WORLD_SIZE, BS_DIRECTION_FORWARD, false);
    walk(d, 2, -2 * WORLD_SIZE, BS_DIRECTION_UP, false);
    walk(d, 3, -3 * WORLD_SIZE, BS_DIRECTION_FORWARD, true);
    struct side_event news = {.deed = DEED_CARRY, .member = 4, .tags = 3};
    for (news.place = 0; news.place < 2; news.place++)
        side_happen(d, &news);
    news.deed = DEED_SLIP;
    side_happen(d, &news);
    held = (struct side_event){.deed = DEED_HOLD, .member = 5, .place = 1, .step = step};
    side_happen(d, &held);
    return d;
}

/* All that can be done with it, so that what is dangling is touched. */
static void use(void *at)
{
    struct side *d = at;
    struct bs_random r;
    bs_random_init(&r, 7);
    for (int i = 0; i < 60; i++) {
        struct side_event e = side_draw(&r);
        side_happen(d, &e);
    }
    for (int m = 0; m < SIDE_MEMBERS; m++)
        walk(d, m, 0, BS_DIRECTION_BACKWARD, m % 2);
    world_wait(&d->world, 500000);
    struct side_event end = {.deed = DEED_STEP_CLOCK};
    side_happen(d, &end);
}

static void what_is_cut_or_changed_is_safe(void **state)
{
    (void)state;
    struct side *d = fill();
    snapshot_expect_whole(&side_subject, d);
    assert_true(snapshot_change_bytes(&side_subject, d, use) > 0);
    side_dispose(d);
}

/* Whether it was loaded. */
static bool try_bytes(struct bs_slice bytes)
{
    struct side *d = side_make();
    bool loaded = snapshot_load(&side_subject, d, bytes) == BS_OK;
    if (loaded)
        use(d);
    side_dispose(d);
    return loaded;
}

/* References and counts that are others' of this snapshot: each at each place, then some at once.
 */
static void what_is_mixed_up_is_safe(void **state)
{
    (void)state;
    struct side *d = fill();
    struct bs_buffer saved = snapshot_save(&side_subject, d);
    struct bs_random r;
    size_t loaded = 0;
    for (size_t i = 0; i < saved.length; i++) {
        char was = saved.at[i];
        for (saved.at[i] = 0; saved.at[i] < SMALL; saved.at[i]++)
            loaded += try_bytes(bs_buffer_slice(&saved));
        saved.at[i] = was;
    }
    bs_random_init(&r, 20261126);
    for (int i = 0; i < MIXED; i++) {
        char *copy = memcpy(malloc(saved.length), saved.at, saved.length);
        for (int changes = 2 + side_pick(&r, 2); changes; changes--)
            copy[side_pick(&r, (int)saved.length)] = (char)side_pick(&r, 24);
        loaded += try_bytes(bs_slice_of(copy, saved.length));
        free(copy);
    }
    print_message("%zu of %zu were loaded\n", loaded, saved.length * SMALL + MIXED);
    assert_true(loaded > saved.length);
    bs_buffer_fini(&saved);
    side_dispose(d);
}

/* A slewed clock that goes back over a window's end does not bring that end again. */
static void an_end_that_came_stays(void **state)
{
    (void)state;
    struct side *d = side_make();
    walk(d, 4, 0, BS_DIRECTION_FORWARD, false);
    world_wait(&d->world, WORLD_SIZE);
    d->world.now -= 200;
    bs_windows_advance(d->world.windows, (struct bs_wall_ms){d->world.now});
    struct side *copy = snapshot_copy(&side_subject, d);
    assert_true(bs_windows_wall_deadline(copy->world.windows).ms > WORLD_NOW + WORLD_SIZE);
    world_lines(&d->world);
    expect_same(0, 0, d, copy, &(struct lines){0});
    side_dispose(d);
    side_dispose(copy);
}

/* Whichever allocation fails, the load says so, and all can be freed. */
static void memory_that_is_out_is_told(void **state)
{
    (void)state;
    struct side *d = fill();
    struct bs_buffer saved = snapshot_save(&side_subject, d);
    enum bs_status status = BS_NO_MEMORY;
    int failures = 0;
    for (; status == BS_NO_MEMORY; failures++) {
        struct side *other = side_subject.make();
        struct bs_snapshot s;
        bs_snapshot_load(&s, bs_buffer_slice(&saved), BS_SNAPSHOT_FORMAT);
        until_failure = failures;
        side_subject.carry(&s, other);
        until_failure = -1;
        status = bs_snapshot_end(&s);
        side_subject.dispose(other);
    }
    assert_int_equal(status, BS_OK);
    assert_true(failures > 5);
    bs_buffer_fini(&saved);
    side_subject.dispose(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_one_goes_on_as_the_saved_one),
        cmocka_unit_test(more_than_sums_hold_comes_back),
        cmocka_unit_test(what_is_cut_or_changed_is_safe),
        cmocka_unit_test(memory_that_is_out_is_told),
        cmocka_unit_test(what_is_mixed_up_is_safe),
        cmocka_unit_test(an_end_that_came_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
