/* A member's order in snapshots: a loaded one lets the same steps pass at the same times, fused as
 * those that were saved; rows and summaries are held for what waits; whatever was forged can be
 * used and freed. */
#include "summaries_world.h"

#include "backstep/base/random.h"
#include "backstep/core/birth.h"
#include "backstep/core/order.h"
#include "backstep/core/window.h"
#include "failing_memory.h"
#include "snapshot_world.h"

#define RUNS     10
#define EVENTS   1500
#define DEVICES  7
#define LATENESS 300000

/* Windows, summaries and the order between them, of one member. */
struct side {
    struct world world; /* its summaries and sessions */
    struct person person;
    struct bs_summary *summary;
    struct bs_windows *windows;
    struct bs_window_member member;
    struct bs_tags *tags;
    struct bs_order *order;
    struct bs_order_rules rules;
    struct bs_buffer passed; /* what did, as text */
    int64_t now;
};

static const struct bs_tags_names ruth = {.site = BS_SLICE("gym"),
                                          .group = BS_SLICE("tue"),
                                          .drill = BS_SLICE("back"),
                                          .phase = BS_SLICE("a"),
                                          .member = BS_SLICE("m1"),
                                          .alias = BS_SLICE("Ruth"),
                                          .named = true};

/* The member walks in a session, so that there is a summary. */
static void begin_session(struct side *d)
{
    world_begin(&d->world);
    d->person = (struct person){.id = "m1"};
    world_say(&d->world, "tue", 0, 100000, "back");
    assert_true(world_find(&d->world, &d->person, "tue", world_time(1), &d->summary));
    assert_non_null(d->summary);
}

/* Rows of windows say nothing here. */
static void ignore_line(void *context, struct bs_slice line, bool open)
{
    (void)context;
    (void)line;
    (void)open;
}

static void finalise_all(struct side *d)
{
    struct bs_effects effects = {.line = ignore_line};
    bs_windows_finalise_all(d->windows, &effects);
    assert_int_equal(bs_windows_open_rows(d->windows), 0);
}

static void *make(void)
{
    struct side *d = calloc(1, sizeof *d);
    assert_non_null(d);
    begin_session(d);
    assert_int_equal(bs_windows_new(&d->windows, 10000), BS_OK);
    bs_windows_set_lateness(d->windows, LATENESS, LATENESS);
    bs_buffer_init(&d->passed, 1u << 20);
    d->tags = bs_tags_new(&ruth);
    assert_non_null(d->tags);
    d->rules = (struct bs_order_rules){2000, 120};
    d->now = WORLD_BEGIN;
    bs_windows_advance(d->windows, (struct bs_wall_ms){d->now});
    return d;
}

static void dispose(void *at)
{
    struct side *d = at;
    bs_order_free(d->order);
    bs_windows_free(d->windows);
    assert_int_equal(d->tags->references, 1);
    bs_tags_drop(d->tags);
    bs_buffer_fini(&d->passed);
    world_end(&d->world);
    free(d);
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct side *d = at;
    d->now = bs_snapshot_between(s, d->now, WORLD_BEGIN - 1000000, WORLD_BEGIN + 100000000);
    d->rules.reorder_ms = bs_snapshot_between(s, d->rules.reorder_ms, 0, 10000);
    d->rules.fuse_ms = bs_snapshot_between(s, d->rules.fuse_ms, 0, 139);
    bs_snapshot_define(s, BS_SNAPSHOT_TAGS, d->tags);
    bs_snapshot_define(s, BS_SNAPSHOT_WINDOW_MEMBER, &d->member);
    bs_snapshot_define(s, BS_SNAPSHOT_SUMMARY, d->summary);
    bs_windows_snapshot(s, d->windows);
    bs_order_snapshot(s, &d->order, d->windows);
}

static const struct snapshot_subject subject = {make, carry, dispose};

/* Steps, on their way as in the engine. */

static void pass(struct side *d, const struct bs_passed *p, uint32_t row)
{
    const struct bs_step *step = p->sample.step;
    bs_buffer_add_format(&d->passed, "%lld %u %u%u row %u, %u %u %d%d%d %u %d%d:",
                         (long long)(step->time_ms - WORLD_BEGIN), step->seq, step->foot,
                         step->direction, row > 0, p->sample.step_time_halves,
                         p->sample.step_length_halves, p->sample.step_time_exact, p->sample.missed,
                         p->sample.late, p->sample.lost, p->in_order, p->stored);
    for (unsigned f = 0; f < BS_FIELD_COUNT; f++)
        if (bs_step_has(step, f))
            bs_buffer_add_format(&d->passed, " %u=%d", f, step->value[f]);
    bs_buffer_add_char(&d->passed, '\n');
    assert_ptr_equal(bs_windows_tags(d->windows, row), d->tags);
    bs_windows_add(d->windows, row, &p->sample, (struct bs_tick_ms){d->now});
    bs_summary_drop(p->summary);
}

static void pass_waiting(struct side *d, bool all)
{
    struct bs_passed passed;
    struct bs_order_errand errand;
    while (bs_order_pass(d->order, &d->rules, d->now, all, &passed, &errand))
        pass(d, &passed, errand.row);
}

static void take_own(struct side *d, const struct bs_order_event *event)
{
    struct bs_window_key key = {d->tags, event->step->time_ms, event->step->direction,
                                event->stored};
    struct bs_window_place place = bs_windows_find(d->windows, &d->member, &key);
    assert_true(bs_windows_reserve(d->windows, &d->member, &key, &place));
    assert_true(bs_order_reserve(d->order, event));
    struct bs_order_errand errand = {
        .row = bs_windows_hold(d->windows, &d->member, &key, &place),
        .summary = event->stored || event->step->seq % 5 == 0 ? NULL : d->summary,
        .late = d->now >= place.end_ms,
        .lost = (uint16_t)(event->step->seq % 3)};
    bs_summary_hold(errand.summary);
    struct bs_passed passed;
    if (!bs_order_add(d->order, event, &errand, d->now, &passed))
        pass(d, &passed, errand.row);
}

static void take(struct side *d, const struct bs_order_event *event)
{
    if (!d->order)
        d->order = bs_order_new();
    assert_non_null(d->order);
    assert_true(bs_order_know(d->order, event->slot));
    if (bs_windows_too_late(d->windows, event->step->time_ms, event->stored))
        return;
    struct bs_order_place place = bs_order_find(d->order, event, &d->rules);
    if (place.joins) {
        struct bs_order_errand *turned = bs_order_join(d->order, event, &place);
        if (turned)
            turned->row =
                bs_windows_turn(d->windows, &d->member, turned->row, event->step->direction);
    } else {
        take_own(d, event);
    }
    if (!event->stored)
        bs_order_note(d->order, event->step->time_ms);
    pass_waiting(d, false);
}

/* Lets time pass, from deadline to deadline. */
static void wait_ms(struct side *d, int64_t ms)
{
    int64_t until = d->now + ms;
    while (d->order && bs_order_due(d->order, &d->rules) <= until) {
        unsigned waiting = bs_order_waiting(d->order);
        int64_t due = bs_order_due(d->order, &d->rules);
        d->now = due > d->now ? due : d->now;
        pass_waiting(d, false);
        if (bs_order_waiting(d->order) == waiting && bs_order_due(d->order, &d->rules) <= due)
            fail_msg("due at %lld, and nothing passes", (long long)(due - WORLD_BEGIN));
    }
    d->now = until;
    bs_windows_advance(d->windows, (struct bs_wall_ms){d->now});
}

/* What happens, drawn once for both. */

struct happening {
    int deed; /* of a thousand: below, which is which */
    int64_t after_ms, wait_ms;
    struct bs_step step;
    unsigned slot;
    enum bs_sensor_kind kind;
    bool stored;
    struct bs_order_rules rules;
};

static int pick(struct bs_random *r, int below)
{
    return (int)bs_random_below(r, (uint64_t)below);
}

static void draw_fields(struct bs_random *r, struct bs_step *step)
{
    for (unsigned f = 0; f < BS_FIELD_COUNT; f++) {
        const struct bs_field_range *range = &bs_field_ranges[f];
        if (pick(r, 3) == 0)
            bs_step_set(step, f, (int16_t)(range->min + pick(r, range->max - range->min + 1)));
    }
}

static struct happening draw(struct bs_random *r, uint32_t seq)
{
    static const enum bs_sensor_kind kinds[DEVICES] = {
        BS_SENSOR_FOOT,  BS_SENSOR_FOOT, BS_SENSOR_TRUNK,  BS_SENSOR_WRIST,
        BS_SENSOR_CHEST, BS_SENSOR_FOOT, BS_SENSOR_UNKNOWN};
    int device = pick(r, DEVICES);
    struct happening h = {.deed = pick(r, 1000),
                          .after_ms = 100 - pick(r, pick(r, 8) ? 400 : 5000),
                          .wait_ms = pick(r, pick(r, 60) ? 500 : 20000),
                          .slot = device == 6 ? 20 : (unsigned)device,
                          .kind = kinds[device],
                          .stored = pick(r, 10) == 0,
                          .rules = {pick(r, 4) * 1000, pick(r, 140)}};
    h.step = (struct bs_step){.seq = seq,
                              .foot = (uint8_t)(device < 2 ? device + 1 : pick(r, 3)),
                              .direction = (uint8_t)pick(r, 3)};
    draw_fields(r, &h.step);
    return h;
}

static void happen(struct side *d, const struct happening *h)
{
    struct bs_step step = h->step;
    step.time_ms = d->now + h->after_ms;
    if (h->deed < 600)
        take(d, &(struct bs_order_event){&step, h->slot, (uint8_t)h->kind, h->stored});
    else if (h->deed < 970)
        wait_ms(d, h->wait_ms);
    else if (h->deed < 980)
        d->rules = h->rules;
    else if (d->order && h->deed < 995)
        bs_order_clear_slot(d->order, h->slot);
    else if (d->order) {
        pass_waiting(d, true);
        bs_order_restart(d->order);
    }
}

static void expect_same(uint64_t seed, int at, struct side *a, struct side *b)
{
    if (!bs_slice_equal(bs_buffer_slice(&a->passed), bs_buffer_slice(&b->passed)))
        fail_msg("BACKSTEP_SEED=%llu, event %d:\n%.*s\n%.*s", (unsigned long long)seed, at,
                 (int)a->passed.length, a->passed.at, (int)b->passed.length, b->passed.at);
    assert_false(a->passed.failed);
    bs_buffer_reset(&a->passed);
    bs_buffer_reset(&b->passed);
    assert_int_equal(a->order != NULL, b->order != NULL);
    if (!a->order)
        return;
    assert_int_equal(bs_order_waiting(a->order), bs_order_waiting(b->order));
    assert_int_equal(bs_order_due(a->order, &a->rules), bs_order_due(b->order, &b->rules));
}

/* `original` was never loaded; the other is replaced by what its own snapshot gives. */
static struct side *replace(struct side *original, struct side *other)
{
    struct bs_buffer x = snapshot_save(&subject, original), y = snapshot_save(&subject, other);
    assert_true(bs_slice_equal(bs_buffer_slice(&x), bs_buffer_slice(&y)));
    bs_buffer_fini(&x);
    bs_buffer_fini(&y);
    struct side *copy = snapshot_copy(&subject, other);
    dispose(other);
    return copy;
}

/* What waited has passed: nothing holds the summary but its session, which is forgotten. */
static void expect_let_go(struct side *d)
{
    pass_waiting(d, true);
    finalise_all(d);
    world_delete(&d->world, "tue");
    d->world.tick = world_time(200000);
    world_forget(&d->world, 200000);
    assert_int_equal(bs_summaries_open(d->world.summaries), 0);
}

/* Gives back how many steps waited when it was saved, all told. */
static size_t run(uint64_t seed)
{
    struct bs_random r;
    bs_random_init(&r, seed);
    struct side *original = make(), *other = snapshot_copy(&subject, original);
    size_t waited = 0;
    for (int i = 0; i < EVENTS; i++) {
        if (pick(&r, 12) == 0) {
            other = replace(original, other);
            waited += other->order ? bs_order_waiting(other->order) : 0;
        }
        struct happening h = draw(&r, (uint32_t)i);
        happen(original, &h);
        happen(other, &h);
        expect_same(seed, i, original, other);
    }
    expect_let_go(original);
    expect_let_go(other);
    dispose(original);
    dispose(other);
    return waited;
}

static void a_loaded_one_goes_on_as_the_saved_one(void **state)
{
    (void)state;
    const char *given = getenv("BACKSTEP_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261126;
    print_message("seed %llu (BACKSTEP_SEED sets another)\n", (unsigned long long)seed);
    size_t waited = 0;
    for (uint64_t i = 0; i < (given ? 1 : RUNS); i++)
        waited += run(seed + i);
    print_message("%zu waiting steps were loaded\n", waited);
    if (!given) /* some in most snapshots */
        assert_true(waited > RUNS * EVENTS / 12);
}

/* Some that wait, fused ones among them, some that passed, stored ones; not all slots are known. */
static struct side *fill(void)
{
    struct bs_random r;
    struct side *d = make();
    bs_random_init(&r, 3);
    for (uint32_t i = 0; i < 40; i++) {
        struct happening h = draw(&r, i);
        h.deed = i % 3 == 0 && i < 35 ? 600 : 0;
        h.slot %= DEVICES - 1;
        happen(d, &h);
    }
    assert_true(bs_order_waiting(d->order) >= 3);
    return d;
}

/* A held summary stays when its session is forgotten. */
static void what_waits_holds_its_summary(void **state)
{
    (void)state;
    struct side *d = fill(), *copy = snapshot_copy(&subject, d);
    world_delete(&copy->world, "tue");
    copy->world.tick = world_time(200000);
    world_forget(&copy->world, 200000);
    assert_int_equal(bs_summaries_open(copy->world.summaries), 1);
    expect_let_go(copy);
    dispose(d);
    dispose(copy);
}

/* A full order: it takes no more without one passing. */
static void as_many_as_may_wait_come_back(void **state)
{
    (void)state;
    struct side *d = make();
    d->rules.fuse_ms = 0;
    for (uint32_t i = 0; i < BS_ORDER_WAITING_MAX; i++) {
        struct happening h = {.after_ms = i, .step = {.seq = i}, .slot = i % 2 * 31};
        happen(d, &h);
    }
    assert_int_equal(bs_order_waiting(d->order), BS_ORDER_WAITING_MAX);
    struct side *copy = snapshot_copy(&subject, d);
    for (uint32_t i = 0; i < 5; i++) {
        struct happening h = {.after_ms = 1000 + i, .step = {.seq = i}, .slot = 1};
        happen(d, &h);
        happen(copy, &h);
        expect_same(0, (int)i, d, copy);
    }
    assert_int_equal(bs_order_waiting(copy->order), BS_ORDER_WAITING_MAX);
    dispose(d);
    dispose(copy);
}

static void no_order_comes_back_as_none(void **state)
{
    (void)state;
    struct side *d = make(), *copy = snapshot_copy(&subject, d);
    assert_null(copy->order);
    dispose(d);
    dispose(copy);
}

static void use(void *at)
{
    struct side *d = at;
    struct bs_random r;
    bs_random_init(&r, 5);
    for (uint32_t i = 0; i < 30; i++) {
        struct happening h = draw(&r, i);
        happen(d, &h);
    }
    wait_ms(d, 30000);
    if (d->order) {
        pass_waiting(d, true);
        bs_order_restart(d->order);
    }
    finalise_all(d);
}

static void what_is_cut_or_changed_is_safe(void **state)
{
    (void)state;
    struct side *d = fill();
    snapshot_expect_whole(&subject, d);
    size_t loaded = snapshot_change_bytes(&subject, d, use);
    print_message("%zu changed ones were loaded\n", loaded);
    assert_true(loaded > 0);
    dispose(d);
}

/* Whichever allocation fails, the load says so, and all can be freed. */
static void memory_that_is_out_is_told(void **state)
{
    (void)state;
    struct side *d = fill();
    struct bs_buffer saved = snapshot_save(&subject, d);
    enum bs_status status = BS_NO_MEMORY;
    int failures = 0;
    for (; status == BS_NO_MEMORY; failures++) {
        struct side *other = subject.make();
        struct bs_snapshot s;
        bs_snapshot_load(&s, bs_buffer_slice(&saved), BS_SNAPSHOT_FORMAT);
        until_failure = failures;
        subject.carry(&s, other);
        until_failure = -1;
        status = bs_snapshot_end(&s);
        subject.dispose(other);
    }
    assert_int_equal(status, BS_OK);
    assert_true(failures > 5);
    bs_buffer_fini(&saved);
    subject.dispose(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_one_goes_on_as_the_saved_one),
        cmocka_unit_test(what_waits_holds_its_summary),
        cmocka_unit_test(as_many_as_may_wait_come_back),
        cmocka_unit_test(no_order_comes_back_as_none),
        cmocka_unit_test(what_is_cut_or_changed_is_safe),
        cmocka_unit_test(memory_that_is_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
