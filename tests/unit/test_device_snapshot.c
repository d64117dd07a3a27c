/* What is kept of a device beside its boots, saved and loaded: its `up` clock, its birth, what its
 * health rows are made of. */
#include "backstep/base/random.h"
#include "backstep/core/birth.h"
#include "backstep/core/device_health.h"
#include "backstep/core/upclock.h"
#include "snapshot_world.h"

/* The `up` clock. */

static void *make_clock(void)
{
    struct bs_upclock *c = bs_upclock_new();
    assert_non_null(c);
    return c;
}

static void clock_snapshot(struct bs_snapshot *s, void *object)
{
    bs_upclock_snapshot(s, object);
}

/* Also where the ticks are not where they were. */
static void use_clock(void *object)
{
    int64_t offset;
    for (int64_t i = 0; i < 100; i++)
        bs_upclock_hear(object, (struct bs_tick_ms){i * 1999}, i);
    for (int64_t i = 0; i < 40; i++)
        bs_upclock_hear(object, (struct bs_tick_ms){(INT64_C(1) << 55) + i * 1999}, i);
    assert_true(bs_upclock_offset(object, (struct bs_tick_ms){0}, &offset));
}

static const struct snapshot_subject clock_subject = {make_clock, clock_snapshot, free};

static void an_up_clock_goes_on(void **state)
{
    (void)state;
    unsigned full = 0;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct bs_random random;
        bs_random_init(&random, seed);
        struct bs_upclock *c = make_clock();
        struct bs_tick_ms tick = {1000000};
        for (int i = 0; i < 400; i++) {
            struct bs_upclock *copy = snapshot_copy(&clock_subject, c);
            int64_t offset = 0, offset_too = 0;
            tick.ms += (int64_t)bs_random_below(&random, i % 100 ? 1500 : 200000);
            assert_int_equal(bs_upclock_offset(c, tick, &offset),
                             bs_upclock_offset(copy, tick, &offset_too));
            assert_int_equal(offset, offset_too);
            int64_t heard = -5000000 + 20 * i + (int64_t)bs_random_below(&random, 60);
            bs_upclock_hear(c, tick, heard);
            bs_upclock_hear(copy, tick, heard);
            full += c->count == BS_UPCLOCK_LOWS;
            if (bs_random_below(&random, 100) == 0) {
                bs_upclock_reset(c);
                bs_upclock_reset(copy);
            }
            snapshot_expect_same(&clock_subject, c, copy);
            free(c);
            c = copy;
        }
        free(c);
    }
    assert_true(full > 10);
}

static void a_forged_up_clock_is_harmless(void **state)
{
    (void)state;
    struct bs_upclock *c = make_clock();
    for (int64_t i = 0; i < BS_UPCLOCK_LOWS; i++)
        bs_upclock_hear(c, (struct bs_tick_ms){1000 * i}, i - 77);
    assert_int_equal(c->count, BS_UPCLOCK_LOWS);
    snapshot_expect_whole(&clock_subject, c);
    assert_true(snapshot_change_bytes(&clock_subject, c, use_clock) > 0);
    free(c);
}

/* Health and birth. */

struct device {
    struct bs_device_health health;
    struct bs_birth birth;
};

static void *make_device(void)
{
    struct device *d = calloc(1, sizeof *d);
    assert_non_null(d);
    return d;
}

static void device_snapshot(struct bs_snapshot *s, void *object)
{
    struct device *d = object;
    bs_device_health_snapshot(s, &d->health);
    bs_birth_snapshot(s, &d->birth);
}

/* The row as it would be now. */
static struct bs_slice write_row(struct device *d, int64_t now, struct bs_line *line)
{
    struct bs_device_health_row row = {.site = BS_SLICE("gym"),
                                       .device = BS_SLICE("pod"),
                                       .counts = &d->health.counts,
                                       .battery_pct = d->birth.battery_pct,
                                       .last_seen_age_ms = now - d->health.last_seen.ms,
                                       .at = {now}};
    bs_device_clock_read(&d->health.clock, &row.clock);
    return bs_device_health_write(&row, line);
}

static void use_device(void *object)
{
    struct device *d = object;
    struct bs_line line;
    struct bs_device_clock *c = &d->health.clock;
    for (int64_t i = 0; i < 4; i++) {
        bs_device_clock_hear(c, c->boot, c->uses_up, i, (struct bs_tick_ms){i * 700000});
        write_row(d, 0, &line);
    }
}

static const struct snapshot_subject device_subject = {make_device, device_snapshot, free};

static void hear(struct device *d, struct bs_random *random, int64_t now)
{
    bs_device_clock_hear(&d->health.clock, 1 + (uint32_t)(bs_random_below(random, 200) == 0),
                         bs_random_below(random, 200) == 0,
                         (int64_t)bs_random_below(random, 60) - now / 1000,
                         (struct bs_tick_ms){now});
    bs_device_counts_add(&d->health.counts, &(struct bs_device_counts){12, 1, 2, 3});
    d->health.last_seen.ms = now;
    d->health.said_offline = bs_random_below(random, 2);
    d->birth.battery_pct = (int)bs_random_below(random, 102) - 1;
}

static void expect_same_rows(struct device *a, struct device *b, int64_t now)
{
    struct bs_line line;
    char row[sizeof line];
    struct bs_slice one = write_row(a, now, &line);
    memcpy(row, one.at, one.length);
    struct bs_slice other = write_row(b, now, &line);
    assert_true(bs_slice_equal(bs_slice_of(row, one.length), other));
}

static void expect_same_device(const struct device *a, const struct device *b)
{
    assert_int_equal(a->health.said_offline, b->health.said_offline);
    assert_int_equal(a->health.last_seen.ms, b->health.last_seen.ms);
    assert_memory_equal(&a->birth, &b->birth, sizeof a->birth);
}

/* A copy goes on beside the original for half an hour: a skew shows by then. */
static struct device *go_on(struct device *d, struct bs_random *random, int64_t now)
{
    struct device *copy = snapshot_copy(&device_subject, d);
    expect_same_device(d, copy);
    for (int i = 0; i < 60; i++, now += 30000) {
        struct bs_random again = *random;
        hear(d, random, now);
        hear(copy, &again, now);
        if (i % 2)
            expect_same_rows(d, copy, now);
    }
    snapshot_expect_same(&device_subject, d, copy);
    free(d);
    return copy;
}

static void health_rows_go_on(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct bs_random random;
        bs_random_init(&random, seed);
        struct device *d = make_device();
        d->birth = (struct bs_birth){BS_SENSOR_TRUNK, BS_FOOT_RIGHT, -1};
        for (int64_t part = 0; part < 10; part++)
            d = go_on(d, &random, 1000 + part * 30 * 60000);
        free(d);
    }
}

static void a_forged_device_is_harmless(void **state)
{
    (void)state;
    struct bs_random random;
    bs_random_init(&random, 3);
    struct device *d = make_device();
    struct bs_line line;
    d->birth = (struct bs_birth){BS_SENSOR_FOOT, BS_FOOT_LEFT, 50};
    hear(d, &random, 1000);
    write_row(d, 1000, &line);
    hear(d, &random, 900000);
    snapshot_expect_whole(&device_subject, d);
    assert_true(snapshot_change_bytes(&device_subject, d, use_device) > 0);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_up_clock_goes_on),
        cmocka_unit_test(a_forged_up_clock_is_harmless),
        cmocka_unit_test(health_rows_go_on),
        cmocka_unit_test(a_forged_device_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
