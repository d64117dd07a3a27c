/* What the wearables of a class say: names, fields, numbers, clocks, what is lost and what is kept.
 * Must never let a bound that was asked for be exceeded by one reading. */
#include "wearables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#define START_MS    INT64_C(1795543200000)
#define DURATION_MS 300000
#define BIT(name)   (1u << BS_FIELD_##name)

static const struct bs_class_phase phases[] = {{BS_DIRECTION_BACKWARD, 20000},
                                               {BS_DIRECTION_FORWARD, 10000}};

/* A class, what it wears, and its contacts as the wearables were told of them. */
struct world {
    struct bs_class *class;
    struct bs_wearables *wearables;
    struct bs_wearables_options options;
    uint64_t contacts;
    struct bs_contact last;
};

static void note(void *context, const struct bs_contact *contact)
{
    struct world *w = context;
    w->contacts++;
    w->last = *contact;
}

static struct bs_wearables_options options_of(const char *sensors)
{
    struct bs_wearables_options o = {
        .members = 8, .prefix = "sim", .seed = 5, .duration_ms = DURATION_MS};
    if (sensors)
        assert_true(bs_sensors_parse(sensors, &o.sensors));
    else
        bs_sensors_whole(1, &o.sensors);
    return o;
}

static void open_world(struct world *w, struct bs_wearables_options options)
{
    struct bs_class_options class = {.members = options.members,
                                     .duration_ms = options.steps_max > 0 ? 0 : DURATION_MS,
                                     .timetable = {.phases = phases, .count = 2},
                                     .person = {.pace_spm = 110},
                                     .seed = options.seed};
    *w = (struct world){.options = options};
    assert_int_equal(bs_class_new(&w->class, &class, START_MS), BS_OK);
    assert_int_equal(bs_wearables_new(&w->wearables, &options, w->class, START_MS), BS_OK);
    bs_wearables_tell(w->wearables, note, w);
}

static void close_world(struct world *w)
{
    bs_wearables_free(w->wearables);
    bs_class_free(w->class);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *sensors;
        const char *names[4]; /* of the third member's */
    } cases[] = {{NULL, {"sim-003"}},
                 {"trunk", {"sim-003T"}},
                 {"pods", {"sim-003L", "sim-003R"}},
                 {"wrist,pods,trunk", {"sim-003T", "sim-003L", "sim-003R", "sim-003W"}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        open_world(&w, options_of(cases[i].sensors));
        uint32_t each = w.options.sensors.count;
        for (uint32_t k = 0; k < each; k++)
            assert_string_equal(bs_wearables_identities(w.wearables)[2 * each + k].id,
                                cases[i].names[k]);
        assert_true(each == 4 || cases[i].names[each] == NULL);
        close_world(&w);
    }
}

static void test_devices_by_name(void **state)
{
    (void)state;
    static const char *const devices[] = {"belt-01", "belt-03"};
    struct bs_wearables_options o = options_of(NULL);
    o.members = 2;
    o.devices = devices;
    struct world w;
    open_world(&w, o);
    for (uint32_t i = 0; i < 2; i++)
        assert_string_equal(bs_wearables_identities(w.wearables)[i].id, devices[i]);
    close_world(&w);
}

static void test_what_is_no_sensor(void **state)
{
    (void)state;
    static const char *const cases[] = {"",     ",",      "trunk,",      ",pods",
                                        "belt", "trunkx", "trunk,trunk", "pods trunk"};
    struct bs_sensor_set set;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (bs_sensors_parse(cases[i], &set))
            fail_msg("'%s' is taken", cases[i]);
    }
}

/* Each sensor tells its own part of every contact that is its own, and no other. */
static void test_sensors_share_a_contact(void **state)
{
    (void)state;
    static const unsigned fields[] = {BIT(STEP_MS) | BIT(TRUNK_CDEG) | BIT(VO_MM),
                                      BIT(STRIDE_MS) | BIT(CONTACT_MS) | BIT(STEP_MM) |
                                          BIT(PITCH_CDEG) | BIT(IMPACT_G16) | BIT(QUALITY),
                                      BIT(STRIDE_MS) | BIT(CONTACT_MS) | BIT(STEP_MM) |
                                          BIT(PITCH_CDEG) | BIT(IMPACT_G16) | BIT(QUALITY),
                                      BIT(STEP_MS)};
    struct world w;
    open_world(&w, options_of("trunk,pods,wrist"));
    struct bs_reading r;
    uint64_t count = 0;
    for (; bs_wearables_next(w.wearables, &r); count++) {
        uint32_t sensor = r.wearable % 4;
        const struct bs_event *e = &r.event, *whole = &w.last.event;
        assert_int_equal(r.wearable / 4, w.last.member);
        assert_int_equal(e->contact, w.last.number);
        assert_int_equal(e->known, whole->known & fields[sensor]);
        assert_int_equal(e->direction, sensor == 0 ? whole->direction : BS_DIRECTION_UNKNOWN);
        assert_int_equal(e->foot, sensor == 1 || sensor == 2 ? whole->foot : BS_FOOT_UNKNOWN);
        if (sensor == 1 || sensor == 2)
            assert_int_equal(whole->foot, sensor == 1 ? BS_FOOT_LEFT : BS_FOOT_RIGHT);
        for (int f = 0; f < BS_FIELD_COUNT; f++)
            assert_true(!bs_event_has(e, (enum bs_field)f) || e->value[f] == whole->value[f]);
    }
    assert_int_equal(count, 3 * w.contacts);
    close_world(&w);
}

/* Without a belt the pods tell the direction: no step is without one. */
static void test_pods_alone_tell_the_direction(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, options_of("pods,wrist"));
    struct bs_reading r;
    while (bs_wearables_next(w.wearables, &r))
        assert_int_equal(r.event.direction,
                         r.wearable % 3 < 2 ? w.last.event.direction : BS_DIRECTION_UNKNOWN);
    close_world(&w);
}

static void test_numbers_have_gaps_where_steps_are_lost(void **state)
{
    (void)state;
    struct bs_wearables_options o = options_of(NULL);
    o.loss_pct = 5;
    struct world w;
    open_world(&w, o);
    uint32_t next[8] = {0};
    uint64_t sent = 0, gaps = 0;
    struct bs_reading r;
    for (; bs_wearables_next(w.wearables, &r); sent++) {
        assert_int_equal(r.boot, bs_wearables_identities(w.wearables)[r.wearable].boot);
        assert_true(r.event.seq >= next[r.wearable]);
        gaps += r.event.seq - next[r.wearable];
        next[r.wearable] = r.event.seq + 1;
    }
    uint64_t lost = bs_wearables_lost(w.wearables);
    assert_int_equal(sent + lost, w.contacts);
    assert_in_range(lost, w.contacts * 3 / 100, w.contacts * 7 / 100);
    assert_true(gaps <= lost && gaps + 8 >= lost); /* what is lost last leaves no gap */
    close_world(&w);
}

static void test_exactly_so_many_steps(void **state)
{
    (void)state;
    struct bs_wearables_options o = options_of("trunk,pods,wrist");
    o.steps_max = 500;
    struct world w;
    open_world(&w, o);
    struct bs_reading r;
    unsigned sent = 0;
    while (bs_wearables_next(w.wearables, &r))
        sent++;
    assert_int_equal(sent, 500);
    close_world(&w);
}

/* Unix time: a constant error within the bound, and a drift since the class began. */
static void test_clocks_are_wrong_within_their_bounds(void **state)
{
    (void)state;
    struct bs_wearables_options o = options_of("trunk,pods,wrist");
    o.members = 50;
    o.clock_error_ms = 60;
    o.drift_ppm = 100;
    struct world w;
    open_world(&w, o);
    struct bs_reading r;
    double least = 0, most = 0;
    while (bs_wearables_next(w.wearables, &r)) {
        const struct bs_wearable_course *c = bs_wearables_course(w.wearables, r.wearable);
        double elapsed = (double)(r.made_ms - START_MS);
        double error = (double)(r.event.time_ms - r.made_ms);
        assert_int_equal(r.made_ms, w.last.event.time_ms);
        assert_true(fabs(c->clock_error_ms) <= 60 && fabs(c->drift_ppm) <= 100);
        assert_true(fabs(error - c->clock_error_ms - elapsed * c->drift_ppm * 1e-6) <= 0.5001);
        least = fmin(least, c->clock_error_ms);
        most = fmax(most, c->clock_error_ms);
    }
    if (least > -50 || most < 50)
        fail_msg("errors from %g to %g of 60", least, most);
    close_world(&w);
}

/* Since power-up: from 0 where the power came, drift and all. */
static void test_time_since_power_up(void **state)
{
    (void)state;
    struct bs_wearables_options o = options_of(NULL);
    o.up = true;
    o.drift_ppm = 50;
    o.clock_error_ms = 60;
    struct world w;
    open_world(&w, o);
    struct bs_reading r;
    while (bs_wearables_next(w.wearables, &r)) {
        const struct bs_wearable *is = &bs_wearables_identities(w.wearables)[r.wearable];
        double drift = bs_wearables_course(w.wearables, r.wearable)->drift_ppm * 1e-6;
        double up = (double)(r.made_ms - is->powered_up_ms);
        assert_true(is->powered_up_ms < START_MS);
        assert_true(fabs((double)r.event.time_ms - up * (1 + drift)) <= 0.5001);
    }
    close_world(&w);
}

static void test_a_reset_begins_anew(void **state)
{
    (void)state;
    struct bs_wearables_options o = options_of("trunk,pods");
    o.members = 40;
    o.resets_pct = 50;
    o.up = true;
    struct world w;
    open_world(&w, o);
    static uint32_t next[120], boots[120];
    unsigned resets = 0;
    struct bs_reading r;
    while (bs_wearables_next(w.wearables, &r)) {
        const struct bs_wearable_course *c = bs_wearables_course(w.wearables, r.wearable);
        uint32_t first_boot = bs_wearables_identities(w.wearables)[r.wearable].boot;
        assert_int_equal(r.boot, r.made_ms >= c->reset_ms ? c->reset_boot : first_boot);
        if (boots[r.wearable] != r.boot)
            next[r.wearable] = 0;
        resets += boots[r.wearable] != 0 && boots[r.wearable] != r.boot;
        boots[r.wearable] = r.boot;
        assert_int_equal(r.event.seq, next[r.wearable]++);
        if (r.boot == c->reset_boot)
            assert_int_equal(r.event.time_ms, r.made_ms - c->reset_ms);
    }
    assert_in_range(resets, 40, 80);
    close_world(&w);
}

/* Only belts, only once, only while they are out of reach; seq goes on. */
static void test_a_belt_out_of_reach_keeps_its_steps(void **state)
{
    (void)state;
    struct bs_wearables_options o = options_of("pods,trunk");
    o.members = 40;
    o.late_pct = 50;
    o.out_of_reach_ms = 60000;
    o.late_ms = 3600000;
    struct world w;
    open_world(&w, o);
    static uint32_t next[120], kept[120];
    struct bs_reading r;
    while (bs_wearables_next(w.wearables, &r)) {
        const struct bs_wearable_course *c = bs_wearables_course(w.wearables, r.wearable);
        bool away = r.made_ms >= c->away_from_ms && r.made_ms < c->away_until_ms;
        assert_int_equal(r.kept, away);
        assert_int_equal(r.event.seq, next[r.wearable]++);
        if (!away)
            continue;
        assert_int_equal(r.wearable % 3, 0);
        assert_int_equal(c->away_until_ms - c->away_from_ms, 60000);
        assert_int_equal(r.upload_ms, c->away_until_ms + 3600000);
        kept[r.wearable]++;
    }
    unsigned late = 0;
    for (int i = 0; i < 120; i++) {
        late += kept[i] > 0;
        assert_true(kept[i] == 0 || (kept[i] > 80 && kept[i] < 140 && next[i] > 400));
    }
    assert_in_range(late, 10, 30);
    close_world(&w);
}

static void test_another_start_or_seed_is_another_boot(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        int64_t start_ms;
    } runs[] = {{5, START_MS}, {5, START_MS}, {5, START_MS + 1}, {6, START_MS}};
    uint32_t boots[4];
    for (int i = 0; i < 4; i++) {
        struct bs_wearables *worn;
        struct bs_wearables_options o = options_of("pods");
        o.seed = runs[i].seed;
        assert_int_equal(bs_wearables_new(&worn, &o, NULL, runs[i].start_ms), BS_OK);
        boots[i] = bs_wearables_identities(worn)[3].boot;
        bs_wearables_free(worn);
    }
    assert_int_equal(boots[0], boots[1]);
    assert_int_not_equal(boots[0], boots[2]);
    assert_int_not_equal(boots[0], boots[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_devices_by_name),
        cmocka_unit_test(test_what_is_no_sensor),
        cmocka_unit_test(test_sensors_share_a_contact),
        cmocka_unit_test(test_pods_alone_tell_the_direction),
        cmocka_unit_test(test_numbers_have_gaps_where_steps_are_lost),
        cmocka_unit_test(test_exactly_so_many_steps),
        cmocka_unit_test(test_clocks_are_wrong_within_their_bounds),
        cmocka_unit_test(test_time_since_power_up),
        cmocka_unit_test(test_a_reset_begins_anew),
        cmocka_unit_test(test_a_belt_out_of_reach_keeps_its_steps),
        cmocka_unit_test(test_another_start_or_seed_is_another_boot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
