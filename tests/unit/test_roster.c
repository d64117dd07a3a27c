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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
