/* Who is there: what is kept of devices and for how long, and the bounds. */
#include "backstep/core/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#define DAY_MS (INT64_C(24) * 3600 * 1000)

struct gym {
    struct bs_roster *roster;
    struct bs_windows *windows;
};

static void release(void *context, struct bs_member *m)
{
    (void)context;
    (void)m;
}

static void begin(struct gym *g)
{
    static const struct bs_member_release nothing_held = {NULL, release};
    g->roster = bs_roster_new(BS_SLICE("gym"), &nothing_held);
    assert_non_null(g->roster);
    assert_int_equal(bs_windows_new(&g->windows, 10000), BS_OK);
    bs_windows_set_lateness(g->windows, 300000, 7 * DAY_MS);
}

static void end(struct gym *g)
{
    bs_roster_free(g->roster);
    bs_windows_free(g->windows);
}

/* Wall and tick are the same here. */
static void sweep_at(struct gym *g, int64_t now)
{
    bs_windows_advance(g->windows, (struct bs_wall_ms){now});
    bs_roster_sweep(g->roster, g->windows, (struct bs_tick_ms){now});
}

static struct bs_device *add(struct gym *g, const char *id, struct bs_member *wearer)
{
    struct bs_device *d =
        bs_roster_add(g->roster, bs_slice_text(id), wearer, (struct bs_tick_ms){0});
    assert_non_null(d);
    return d;
}

static bool is_there(struct gym *g, const char *id)
{
    return bs_roster_find(g->roster, bs_slice_text(id)) != NULL;
}

static void a_device_is_kept_for_a_day(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    add(&g, "pod", NULL);
    add(&g, "worn", bs_roster_make_member(g.roster, BS_SLICE("m1")));
    sweep_at(&g, DAY_MS - 1);
    assert_true(is_there(&g, "pod") && is_there(&g, "worn"));
    sweep_at(&g, DAY_MS);
    assert_false(is_there(&g, "pod") || is_there(&g, "worn"));
    assert_int_equal(bs_roster_members(g.roster), 0);
    end(&g);
}

static void a_birth_is_kept_while_it_may_matter(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    struct bs_tick_ms now = {0};
    const struct bs_birth left = {.side = BS_FOOT_LEFT};
    bs_device_set_birth(add(&g, "pod", NULL), &left, now);
    bs_device_set_birth(add(&g, "worn", bs_roster_make_member(g.roster, BS_SLICE("m1"))), &left,
                        now);
    bs_device_set_birth(add(&g, "guest", bs_roster_make_guest(g.roster, BS_SLICE("guest"))), &left,
                        now);
    sweep_at(&g, DAY_MS);
    assert_true(is_there(&g, "pod") && is_there(&g, "worn"));
    assert_false(is_there(&g, "guest"));
    sweep_at(&g, 7 * DAY_MS - 1);
    assert_true(is_there(&g, "pod"));
    sweep_at(&g, 7 * DAY_MS);
    assert_false(is_there(&g, "pod"));
    sweep_at(&g, 1000 * DAY_MS);
    assert_true(is_there(&g, "worn"));
    end(&g);
}

/* Else its steps would count a second time. */
static void a_boot_is_kept_while_its_steps_may_come_again(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    struct bs_device *d = add(&g, "pod", NULL);
    struct bs_boot *b = bs_device_boot(d, 1, false, g.windows, (struct bs_tick_ms){0});
    b->accepted = true;
    b->latest_accepted = 0;
    sweep_at(&g, 7 * DAY_MS + 9999); /* a stored step of that window may still come */
    assert_true(is_there(&g, "pod"));
    sweep_at(&g, 7 * DAY_MS + 10000);
    assert_false(is_there(&g, "pod"));
    end(&g);
}

static struct bs_boot *power_up(struct gym *g, uint32_t boot, bool uses_up, int64_t now)
{
    struct bs_device *d = bs_roster_find(g->roster, BS_SLICE("pod"));
    return bs_device_boot(d ? d : add(g, "pod", NULL), boot, uses_up, g->windows,
                          (struct bs_tick_ms){now});
}

/* A live step may come again as stored, a stored one as live. */
static void a_boot_is_kept_for_the_longer_lateness(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    bs_windows_set_lateness(g.windows, 2 * DAY_MS, 0);
    power_up(&g, 1, false, 0)->accepted = true;
    sweep_at(&g, 2 * DAY_MS + 9999);
    assert_true(is_there(&g, "pod"));
    sweep_at(&g, 2 * DAY_MS + 10000);
    assert_false(is_there(&g, "pod"));
    end(&g);
}

/* Sixteen boots, and room for as many when they may go: a boot that had no step after ten minutes,
 * one with `up` times after a day. */
static void boots_are_bounded_and_make_room(void **state)
{
    (void)state;
    for (int uses_up = 0; uses_up < 2; uses_up++) {
        int64_t kept = uses_up ? DAY_MS : 600000;
        struct gym g;
        begin(&g);
        for (uint32_t boot = 0; boot < BS_BOOTS_MAX; boot++)
            assert_non_null(power_up(&g, boot, uses_up, 0));
        assert_null(power_up(&g, 99, uses_up, kept - 1));
        for (uint32_t boot = 100; boot < 100 + BS_BOOTS_MAX; boot++)
            assert_non_null(power_up(&g, boot, uses_up, kept));
        assert_null(power_up(&g, 99, uses_up, kept));
        assert_non_null(power_up(&g, 100, uses_up, kept)); /* which is known */
        end(&g);
    }
}

static void devices_of_nobody_are_bounded(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    char id[16];
    for (unsigned i = 0; i < BS_UNWORN_MAX; i++) {
        snprintf(id, sizeof id, "%u", i);
        add(&g, id, NULL);
    }
    struct bs_tick_ms now = {0};
    assert_null(bs_roster_add(g.roster, BS_SLICE("pod"), NULL, now));
    struct bs_member *m = bs_roster_make_member(g.roster, BS_SLICE("m1"));
    struct bs_device *worn = add(&g, "worn", m);
    bs_roster_set_wearer(g.roster, bs_roster_find(g.roster, BS_SLICE("0")), m);
    add(&g, "pod", NULL);
    assert_null(bs_roster_add(g.roster, BS_SLICE("another"), NULL, now));
    bs_roster_set_wearer(g.roster, worn, NULL); /* who is there stays, beyond the bound too */
    assert_int_equal(bs_roster_devices(g.roster), BS_UNWORN_MAX + 2);
    end(&g);
}

static void the_clocks_witnesses_are_of_the_last_minute(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    int64_t median = 0;
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "pod%d", i);
        bs_device_note_delay(add(&g, id, NULL), 10 * i, (struct bs_tick_ms){1000 * i});
    }
    assert_true(bs_roster_median_delay(g.roster, (struct bs_tick_ms){60000}, &median));
    assert_int_equal(median, 10);
    assert_false(bs_roster_median_delay(g.roster, (struct bs_tick_ms){60001}, &median));
    end(&g);
}

/* Slots. */

static int slot_of(struct bs_device *d, bool *ret_fresh)
{
    int slot = bs_device_slot(d, ret_fresh);
    assert_true(slot < (int)BS_WORN_MAX);
    return slot;
}

static struct bs_device *wear(struct gym *g, struct bs_member *m, int number)
{
    char id[16];
    snprintf(id, sizeof id, "pod%d", number);
    return add(g, id, m);
}

static void a_device_keeps_its_slot(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    struct bs_member *m = bs_roster_make_member(g.roster, BS_SLICE("m1"));
    struct bs_device *pod = wear(&g, m, 0), *belt = wear(&g, m, 1);
    bool fresh;
    int first = slot_of(pod, &fresh);
    assert_true(first >= 0 && fresh);
    int second = slot_of(belt, &fresh);
    assert_true(second >= 0 && second != first && fresh);
    assert_int_equal(slot_of(pod, &fresh), first);
    assert_false(fresh);
    bs_roster_set_wearer(g.roster, pod, m); /* who wears it already */
    assert_int_equal(slot_of(pod, &fresh), first);
    assert_false(fresh);
    end(&g);
}

/* The 33rd has none until another's is given back, by whatever way. */
static void slots_are_bounded(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    struct bs_member *m = bs_roster_make_member(g.roster, BS_SLICE("m1"));
    struct bs_device *devices[BS_WORN_MAX];
    uint32_t seen = 0;
    bool fresh;
    for (int i = 0; i < (int)BS_WORN_MAX; i++) {
        devices[i] = wear(&g, m, i);
        int slot = slot_of(devices[i], &fresh);
        assert_true(slot >= 0 && fresh && !(seen >> slot & 1));
        seen |= 1u << slot;
    }
    struct bs_device *another = wear(&g, m, 99);
    assert_true(slot_of(another, &fresh) < 0 && !fresh);
    assert_true(slot_of(another, &fresh) < 0);
    int freed = slot_of(devices[7], &fresh);
    bs_roster_set_wearer(g.roster, devices[7], NULL);
    assert_int_equal(slot_of(another, &fresh), freed);
    assert_true(fresh);
    struct bs_member *other = bs_roster_make_member(g.roster, BS_SLICE("m2"));
    bs_roster_set_wearer(g.roster, devices[7], other); /* whose slots are all free */
    assert_true(slot_of(devices[7], &fresh) >= 0 && fresh);
    bs_roster_set_wearer(g.roster, devices[7], m);
    assert_true(slot_of(devices[7], &fresh) < 0);
    end(&g);
}

/* What was in a step a moment ago stays out of the way: a slot comes again after all others. */
static void slots_are_given_in_turn(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    struct bs_member *m = bs_roster_make_member(g.roster, BS_SLICE("m1")),
                     *other = bs_roster_make_member(g.roster, BS_SLICE("m2"));
    struct bs_device *belt = wear(&g, m, 0), *pod = wear(&g, m, 1);
    bool fresh;
    int of_belt = slot_of(belt, &fresh);
    uint32_t seen = 1u << of_belt;
    for (unsigned i = 1; i < BS_WORN_MAX; i++) {
        int slot = slot_of(pod, &fresh);
        assert_true(fresh && !(seen >> slot & 1));
        seen |= 1u << slot;
        bs_roster_set_wearer(g.roster, pod, other);
        slot_of(pod, &fresh);
        bs_roster_set_wearer(g.roster, pod, m);
    }
    assert_int_equal(seen, UINT32_MAX);
    int again = slot_of(pod, &fresh);
    assert_true(again >= 0 && again != of_belt && fresh);
    end(&g);
}

static void a_forgotten_device_gives_its_slot_back(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    static const struct bs_member_document document;
    struct bs_member *m = bs_roster_make_member(g.roster, BS_SLICE("m1"));
    bool fresh;
    m->document = &document; /* she stays */
    for (int i = 0; i < (int)BS_WORN_MAX; i++)
        slot_of(wear(&g, m, i), &fresh);
    assert_int_equal(m->slots, UINT32_MAX);
    sweep_at(&g, DAY_MS);
    assert_int_equal(bs_roster_devices(g.roster), 0);
    assert_int_equal(m->slots, 0);
    end(&g);
}

/* A member goes when nobody needs it: with an order, or what else the engine holds, it is not
 * quiet. */
static void a_member_stays_until_it_is_quiet(void **state)
{
    (void)state;
    struct gym g;
    begin(&g);
    struct bs_member *m = bs_roster_make_member(g.roster, BS_SLICE("m1"));
    assert_true(m->quiet && m->timer_ms == INT64_MAX && m->timers == 0 && m->slots == 0);
    m->quiet = false;
    sweep_at(&g, DAY_MS);
    assert_int_equal(bs_roster_members(g.roster), 1);
    m->quiet = true;
    sweep_at(&g, DAY_MS);
    assert_int_equal(bs_roster_members(g.roster), 0);
    end(&g);
}

static void count_released(void *context, struct bs_member *m)
{
    assert_non_null(m);
    ++*(int *)context;
}

static void whoever_goes_is_released_once(void **state)
{
    (void)state;
    int released = 0;
    struct gym g;
    begin(&g);
    bs_roster_free(g.roster);
    struct bs_member_release release = {&released, count_released};
    g.roster = bs_roster_new(BS_SLICE("gym"), &release);
    assert_non_null(g.roster);
    bs_roster_make_member(g.roster, BS_SLICE("m1"));
    bs_roster_make_member(g.roster, BS_SLICE("m2"))->quiet = false;
    sweep_at(&g, 0);
    assert_int_equal(released, 1);
    end(&g);
    assert_int_equal(released, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_kept_for_a_day),
        cmocka_unit_test(a_birth_is_kept_while_it_may_matter),
        cmocka_unit_test(a_boot_is_kept_while_its_steps_may_come_again),
        cmocka_unit_test(a_boot_is_kept_for_the_longer_lateness),
        cmocka_unit_test(boots_are_bounded_and_make_room),
        cmocka_unit_test(devices_of_nobody_are_bounded),
        cmocka_unit_test(the_clocks_witnesses_are_of_the_last_minute),
        cmocka_unit_test(a_device_keeps_its_slot),
        cmocka_unit_test(slots_are_bounded),
        cmocka_unit_test(slots_are_given_in_turn),
        cmocka_unit_test(a_forgotten_device_gives_its_slot_back),
        cmocka_unit_test(a_member_stays_until_it_is_quiet),
        cmocka_unit_test(whoever_goes_is_released_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
