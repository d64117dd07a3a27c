/* Which step an event joins, and what it brings to it. */
#include "order_world.h"

static bool send(struct world *w, int64_t at, unsigned slot, enum bs_foot foot)
{
    return world_send(w, (struct event){.at = at, .slot = slot, .foot = foot});
}

#define U BS_FOOT_UNKNOWN
#define L BS_FOOT_LEFT
#define R BS_FOOT_RIGHT

/* Near enough. */

static void two_devices_this_close_are_one_step(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, U);
    assert_false(send(&w, 1121, 2, U));
    assert_false(send(&w, 879, 3, U));
    assert_true(send(&w, 1120, 3, U)); /* 120 after the first, 1 before the second */
    assert_true(send(&w, 880, 4, U));
    world_wait(&w, 9000);
    assert_passed(&w, "879 1000 1121");
    world_end(&w);
}

static void it_is_the_first_events_time_that_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, U);
    assert_true(send(&w, 1100, 2, U));
    assert_false(send(&w, 1121, 3, U)); /* near the second event alone */
    assert_true(send(&w, 900, 3, U));
    world_wait(&w, 9000);
    assert_passed(&w, "1000 1121");
    world_end(&w);
}

static void with_no_width_equal_times_fuse(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.rules.fuse_ms = 0;
    send(&w, 1000, 1, U);
    assert_false(send(&w, 1001, 2, U));
    assert_true(send(&w, 1000, 2, U));
    world_end(&w);
}

static void the_width_in_force_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, U);
    w.rules.fuse_ms = 20;
    assert_false(send(&w, 1021, 2, U));
    w.rules.fuse_ms = 139;
    assert_true(send(&w, 861, 3, U));
    world_end(&w);
}

/* Devices and feet. */

static void a_device_is_in_a_step_once(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, U);
    assert_true(send(&w, 1010, 2, U));
    assert_false(send(&w, 1020, 1, U));
    assert_true(send(&w, 1030, 2, U)); /* the second step has none of it */
    assert_false(send(&w, 1040, 2, U));
    world_end(&w);
}

static void both_feet_are_two_steps(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, L);
    assert_false(send(&w, 1001, 2, R));
    assert_true(send(&w, 1001, 3, L)); /* nearer to the right one */
    assert_true(send(&w, 1000, 4, U));
    world_wait(&w, 9000);
    assert_passed(&w, "1000 1001");
    assert_int_equal(w.passed[0].step.foot, L);
    assert_int_equal(w.passed[1].step.foot, R);
    world_end(&w);
}

/* Unknown feet join either, and the first known one decides from then on. */
static void the_first_known_foot_is_the_steps(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, U);
    assert_true(send(&w, 1000, 2, R));
    assert_false(send(&w, 1000, 3, L));
    assert_true(send(&w, 1000, 4, U));
    assert_true(send(&w, 1000, 5, L));
    world_wait(&w, 9000);
    assert_passed(&w, "1000 1000");
    assert_int_equal(w.passed[0].step.foot, R);
    assert_int_equal(w.passed[1].step.foot, L);
    world_end(&w);
}

static void all_slots_fuse(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 0, L);
    for (unsigned slot = 1; slot < BS_WORN_MAX; slot++)
        assert_true(send(&w, 1000 + (int64_t)slot, slot, L));
    for (unsigned slot = 0; slot < BS_WORN_MAX; slot++)
        assert_int_equal(send(&w, 1000, slot, L), slot > 0);
    world_end(&w);
}

/* Whichever slot is the first to be heard: a pod alone tells half a stride. */
static void any_slot_may_come_first(void **state)
{
    (void)state;
    for (unsigned slot = 0; slot < BS_WORN_MAX; slot++) {
        struct world w;
        world_begin(&w);
        send(&w, 0, slot, L);
        send(&w, 1000, slot, L);
        assert_int_equal(world_last(&w)->sample.step_time_halves, 1000);
        world_end(&w);
    }
}

/* A device of which every event joined another's step: it has its own clock all the same. */
static void a_device_that_only_ever_joins_is_known(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    for (int i = 0; i < 4; i++) {
        send(&w, 1000 * i, 1, i % 2 ? L : R);
        if (i % 2 == 0)
            assert_true(send(&w, 1000 * i + 5, 30, R));
    }
    assert_false(send(&w, 4000, 30, R)); /* the other device is silent now */
    const struct passing *p = world_last(&w);
    assert_int_equal(p->sample.step_time_halves, 1995);
    assert_false(p->sample.step_time_exact);
    world_end(&w);
}

/* Which of several. */

static void the_nearest_is_joined(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, L);
    send(&w, 1100, 2, R);
    assert_true(world_send(&w, (struct event){.at = 1051, .slot = 3, .fields = {[0] = 500}}));
    assert_true(world_send(&w, (struct event){.at = 1049, .slot = 4, .fields = {[0] = 400}}));
    world_wait(&w, 9000);
    assert_int_equal(w.passed[0].step.value[BS_FIELD_STEP_MS], 400);
    assert_int_equal(w.passed[1].step.value[BS_FIELD_STEP_MS], 500);
    world_end(&w);
}

static void of_two_equally_near_the_earlier_is_joined(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1100, 2, R);
    send(&w, 1000, 1, L); /* it arrived later and is earlier */
    assert_true(world_send(&w, (struct event){.at = 1050, .slot = 3, .fields = {[0] = 500}}));
    world_wait(&w, 9000);
    assert_true(bs_step_has(&w.passed[0].step, BS_FIELD_STEP_MS));
    assert_false(bs_step_has(&w.passed[1].step, BS_FIELD_STEP_MS));
    world_end(&w);
}

static void of_two_of_one_time_the_first_that_arrived_is_joined(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, L);
    send(&w, 1000, 2, R);
    assert_true(world_send(&w, (struct event){.at = 1050, .slot = 3, .fields = {[0] = 500}}));
    world_wait(&w, 9000);
    assert_int_equal(w.passed[0].step.seq, 1);
    assert_true(bs_step_has(&w.passed[0].step, BS_FIELD_STEP_MS));
    assert_false(bs_step_has(&w.passed[1].step, BS_FIELD_STEP_MS));
    world_end(&w);
}

/* Only where the nearest has no place for it does the next one come. */
static void the_nearest_that_takes_it_is_joined(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, L);
    send(&w, 1060, 3, R);
    assert_true(send(&w, 1050, 2, L));
    assert_false(send(&w, 1060, 1, L)); /* device 1 is in the left one, and it is no right foot */
    world_end(&w);
}

/* Steps that passed. */

static void a_step_that_passed_is_joined_and_stays_as_it_is(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, U);
    world_wait(&w, 9000);
    assert_passed(&w, "1000");
    assert_true(send(&w, 1050, 2, L));
    assert_false(send(&w, 1060, 2, L)); /* it remembers the device */
    assert_passed(&w, "");
    assert_true(send(&w, 1000, 3, U));
    assert_false(send(&w, 900, 4, R)); /* and the foot */
    assert_passed(&w, "900!");
    world_wait(&w, 9000);
    assert_passed(&w, "1060");
    world_end(&w);
}

static void several_that_passed_may_be_joined(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    for (int i = 0; i < 5; i++)
        send(&w, 1000 * i, 1, i % 2 ? L : R);
    world_wait(&w, 9000);
    for (int i = 4; i >= 0; i--) {
        assert_false(send(&w, 1000 * i + 121, 2, U));
        assert_false(send(&w, 1000 * i - 120, 3, i % 2 ? R : L)); /* the other foot */
        assert_true(send(&w, 1000 * i + 120, 4, i % 2 ? L : R));
    }
    world_end(&w);
}

/* The later one passed first, the earlier one came after its place. */
static void of_two_that_passed_the_earlier_is_joined(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1100, 1, U);
    world_wait(&w, 9000);
    send(&w, 1000, 1, U);
    assert_passed(&w, "1100 1000!");
    assert_true(send(&w, 1050, 2, L));
    assert_false(send(&w, 950, 3, R)); /* a left one now */
    assert_true(send(&w, 1150, 3, R));
    world_end(&w);
}

/* Nearer or earlier: whether it has passed makes no difference. */
static void waiting_and_passed_ones_compete(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 1000;
    send(&w, 900, 1, U);
    world_pass(&w, true);
    send(&w, 1000, 1, U);
    assert_true(send(&w, 950, 2, U)); /* equally near: the one that passed is earlier */
    assert_true(world_send(&w, (struct event){.at = 960, .slot = 3, .fields = {[0] = 500}}));
    assert_true(world_send(&w, (struct event){.at = 940, .slot = 4, .fields = {[0] = 600}}));
    assert_true(send(&w, 950, 4, U)); /* in the one that passed already */
    assert_true(send(&w, 950, 2, U));
    assert_false(send(&w, 950, 2, U));
    world_pass(&w, true);
    assert_int_equal(w.passed[1].step.time_ms, WORLD_NOW + 950);
    assert_int_equal(w.passed[2].step.value[BS_FIELD_STEP_MS], 500);
    world_end(&w);
}

static void the_last_64_that_passed_may_be_joined(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    for (int i = 0; i < 65; i++) {
        send(&w, 1000 * i, 1, U);
        world_pass(&w, true);
    }
    assert_true(send(&w, 1000, 2, U));
    assert_false(send(&w, 0, 2, U)); /* the 65th: a step of its own, which is among the last now */
    assert_passed(&w,
                  "0 1000 2000 3000 4000 5000 6000 7000 8000 9000 10000 11000 12000 13000 14000 "
                  "15000 16000 17000 18000 19000 20000 21000 22000 23000 24000 25000 26000 27000 "
                  "28000 29000 30000 31000 32000 33000 34000 35000 36000 37000 38000 39000 40000 "
                  "41000 42000 43000 44000 45000 46000 47000 48000 49000 50000 51000 52000 53000 "
                  "54000 55000 56000 57000 58000 59000 60000 61000 62000 63000 64000 0!");
    assert_true(send(&w, 0, 3, U));
    assert_false(send(&w, 1000, 3, U)); /* in the order in which they were added: pushed out */
    assert_true(send(&w, 3000, 3, U));
    world_end(&w);
}

/* Times far apart whose lowest 32 bits are close. */
static void steps_of_weeks_apart_do_not_fuse(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    const int64_t days = 24 * INT64_C(3600000);
    send(&w, -24 * days, 1, U);
    send(&w, 0, 1, U);
    world_pass(&w, true);
    assert_true(send(&w, -24 * days, 2, U));
    assert_false(send(&w, -24 * days + (INT64_C(1) << 31), 2, U));
    world_end(&w);
}

/* Live and stored. */

static void live_joins_live_and_stored_joins_stored(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 1000, 1, U);
    assert_false(world_send(&w, (struct event){.at = 1000, .slot = 2, .stored = true}));
    assert_true(world_send(&w, (struct event){.at = 1010, .slot = 3, .foot = L, .stored = true}));
    assert_false(world_send(&w, (struct event){.at = 1010, .slot = 4, .foot = R, .stored = true}));
    assert_false(world_send(&w, (struct event){.at = 880, .slot = 3, .stored = true}));
    assert_true(send(&w, 1000, 2, R)); /* the live one knows neither that device nor that foot */
    assert_passed(&w, "1000s 1010s 880s");
    world_wait(&w, 9000);
    assert_true(send(&w, 1000, 3, R));
    assert_true(world_send(&w, (struct event){.at = 1000, .slot = 5, .stored = true}));
    assert_passed(&w, "1000");
    world_end(&w);
}

static void the_last_64_stored_ones_are_kept_apart(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, U);
    world_pass(&w, true);
    for (int i = 0; i < 65; i++)
        world_send(&w, (struct event){.at = -1000 * i, .slot = 1, .stored = true});
    assert_true(send(&w, 0, 2, U)); /* still among the live ones */
    assert_false(world_send(&w, (struct event){.at = 0, .slot = 3, .stored = true}));
    assert_true(world_send(&w, (struct event){.at = -64000, .slot = 3, .stored = true}));
    world_end(&w);
}

/* Fields. */

static const int16_t some[BS_FIELD_COUNT] = {500, 1000, 600, 700, 1400, 200, 1500, 30, 40, 90};
static const int16_t other[BS_FIELD_COUNT] = {510, 1010, 610, 710, 1410, 210, 1510, 31, 41, 91};

static void send_fields(struct world *w, unsigned slot, enum bs_sensor_kind kind,
                        const int16_t *fields)
{
    struct event e = {.at = 1000, .slot = slot, .kind = kind};
    if (fields)
        memcpy(e.fields, fields, sizeof e.fields);
    world_send(w, e);
}

/* Which fields are the second event's, as bits, where the two come in that order. */
static unsigned taken_from_second(enum bs_sensor_kind first, enum bs_sensor_kind second)
{
    struct world w;
    world_begin(&w);
    send_fields(&w, 1, first, some);
    send_fields(&w, 2, second, other);
    const struct passing *p = world_last(&w);
    unsigned taken = 0;
    assert_int_equal(w.count, 1);
    assert_int_equal(p->step.known, (1u << BS_FIELD_COUNT) - 1);
    for (unsigned f = 0; f < BS_FIELD_COUNT; f++) {
        assert_true(p->step.value[f] == some[f] || p->step.value[f] == other[f]);
        taken |= (unsigned)(p->step.value[f] == other[f]) << f;
    }
    world_end(&w);
    return taken;
}

#define FIELD(name) (1u << BS_FIELD_##name)

static void a_foot_is_asked_first_for_contact_and_lengths_a_trunk_for_posture(void **state)
{
    (void)state;
    const unsigned of_foot =
                       FIELD(CONTACT_MS) | FIELD(STEP_MM) | FIELD(STRIDE_MM) | FIELD(PITCH_CDEG),
                   of_trunk = FIELD(TRUNK_CDEG) | FIELD(VO_MM);
    for (enum bs_sensor_kind a = BS_SENSOR_UNKNOWN; a <= BS_SENSOR_CHEST; a++)
        for (enum bs_sensor_kind b = BS_SENSOR_UNKNOWN; b <= BS_SENSOR_CHEST; b++) {
            unsigned expected = (a != BS_SENSOR_FOOT && b == BS_SENSOR_FOOT ? of_foot : 0) |
                                (a != BS_SENSOR_TRUNK && b == BS_SENSOR_TRUNK ? of_trunk : 0);
            unsigned found = taken_from_second(a, b);
            if (found != expected)
                fail_msg("kind %d, then %d: fields %#x are the second's, expected %#x", (int)a,
                         (int)b, found, expected);
        }
}

static void what_is_missing_comes_from_the_first_that_has_it(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send_fields(&w, 1, BS_SENSOR_FOOT, NULL); /* asked first, and has nothing to say */
    send_fields(&w, 2, BS_SENSOR_WRIST, some);
    send_fields(&w, 3, BS_SENSOR_CHEST, other);
    const struct passing *p = world_last(&w);
    assert_memory_equal(p->step.value, some, sizeof some);
    world_end(&w);
}

/* Of two that are asked first the first; of one that is not, whatever the others leave. */
static void the_first_of_a_kind_stays(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    const int16_t third[BS_FIELD_COUNT] = {520, 1020, 620, 720, 1420, 220, 1520, 32, 42, 92};
    send_fields(&w, 1, BS_SENSOR_WRIST, third);
    send_fields(&w, 2, BS_SENSOR_FOOT, some);
    send_fields(&w, 3, BS_SENSOR_FOOT, other);
    const struct passing *p = world_last(&w);
    assert_int_equal(p->step.value[BS_FIELD_CONTACT_MS], some[BS_FIELD_CONTACT_MS]);
    assert_int_equal(p->step.value[BS_FIELD_STEP_MS], third[BS_FIELD_STEP_MS]);
    assert_int_equal(p->step.value[BS_FIELD_VO_MM], third[BS_FIELD_VO_MM]);
    world_end(&w);
}

static void zero_is_a_value(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    struct bs_step step = world_step(&w, &(struct event){.at = 1000});
    bs_step_set(&step, BS_FIELD_VO_MM, 0);
    struct bs_order_event event = {&step, 1, BS_SENSOR_TRUNK, false};
    struct bs_order_errand errand = {.row = step.seq};
    struct bs_passed p;
    assert_true(bs_order_know(w.order, 1) && bs_order_reserve(w.order, &event));
    assert_true(bs_order_add(w.order, &event, &errand, WORLD_NOW, &p));
    send_fields(&w, 2, BS_SENSOR_TRUNK, some);
    assert_int_equal(world_last(&w)->step.value[BS_FIELD_VO_MM], 0);
    world_end(&w);
}

static void the_first_known_direction_is_the_steps(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_send(&w, (struct event){.at = 0, .slot = 1});
    world_send(&w, (struct event){.at = 0, .slot = 2, .direction = BS_DIRECTION_BACKWARD});
    world_send(&w, (struct event){.at = 0, .slot = 3, .direction = BS_DIRECTION_FORWARD});
    assert_int_equal(world_last(&w)->step.direction, BS_DIRECTION_BACKWARD);
    world_end(&w);
}

static void what_joins_a_step_that_passed_brings_nothing(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, L);
    world_wait(&w, 9000);
    w.asserted = w.count;
    world_send(&w, (struct event){.at = 100, .slot = 2, .foot = L, .fields = {[0] = 500}});
    /* The next step: device 2's event of the one before is no part of it. */
    world_send(&w, (struct event){.at = 600, .slot = 2, .foot = R});
    const struct passing *p = world_last(&w);
    assert_int_equal(p->sample.step_time_halves, 1200);
    assert_false(p->sample.step_time_exact);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_devices_this_close_are_one_step),
        cmocka_unit_test(it_is_the_first_events_time_that_counts),
        cmocka_unit_test(with_no_width_equal_times_fuse),
        cmocka_unit_test(the_width_in_force_counts),
        cmocka_unit_test(a_device_is_in_a_step_once),
        cmocka_unit_test(both_feet_are_two_steps),
        cmocka_unit_test(the_first_known_foot_is_the_steps),
        cmocka_unit_test(all_slots_fuse),
        cmocka_unit_test(any_slot_may_come_first),
        cmocka_unit_test(a_device_that_only_ever_joins_is_known),
        cmocka_unit_test(the_nearest_is_joined),
        cmocka_unit_test(of_two_equally_near_the_earlier_is_joined),
        cmocka_unit_test(of_two_of_one_time_the_first_that_arrived_is_joined),
        cmocka_unit_test(the_nearest_that_takes_it_is_joined),
        cmocka_unit_test(a_step_that_passed_is_joined_and_stays_as_it_is),
        cmocka_unit_test(several_that_passed_may_be_joined),
        cmocka_unit_test(of_two_that_passed_the_earlier_is_joined),
        cmocka_unit_test(waiting_and_passed_ones_compete),
        cmocka_unit_test(the_last_64_that_passed_may_be_joined),
        cmocka_unit_test(steps_of_weeks_apart_do_not_fuse),
        cmocka_unit_test(live_joins_live_and_stored_joins_stored),
        cmocka_unit_test(the_last_64_stored_ones_are_kept_apart),
        cmocka_unit_test(a_foot_is_asked_first_for_contact_and_lengths_a_trunk_for_posture),
        cmocka_unit_test(what_is_missing_comes_from_the_first_that_has_it),
        cmocka_unit_test(the_first_of_a_kind_stays),
        cmocka_unit_test(zero_is_a_value),
        cmocka_unit_test(the_first_known_direction_is_the_steps),
        cmocka_unit_test(what_joins_a_step_that_passed_brings_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
