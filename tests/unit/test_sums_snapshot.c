/* Steps, samples, sums and totals in snapshots: the same come back; what was forged can be added to
 * and turned into a row. */
#include "backstep/core/gait_window.h"
#include "snapshot_world.h"

struct holder {
    struct bs_step step;
    struct bs_sample sample;
    struct bs_sums sums;
    struct bs_totals totals;
};

static void *make(void)
{
    struct holder *h = calloc(1, sizeof *h);
    assert_non_null(h);
    return h;
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct holder *h = at;
    bs_step_snapshot(s, &h->step);
    bs_sample_snapshot(s, &h->sample);
    bs_sums_snapshot(s, &h->sums);
    bs_totals_snapshot(s, &h->totals);
}

static void dispose(void *at)
{
    free(at);
}

static const struct snapshot_subject subject = {make, carry, dispose};

static struct bs_step step_of(unsigned seed)
{
    struct bs_step s = {.time_ms = -1 - (int64_t)seed,
                        .seq = UINT32_MAX - seed,
                        .foot = (uint8_t)(seed % 3),
                        .direction = (uint8_t)(seed % BS_DIRECTION_COUNT)};
    for (unsigned f = 0; f < BS_FIELD_COUNT; f++)
        if ((seed + f) % 4)
            bs_step_set(&s, f, seed % 2 ? bs_field_ranges[f].max : bs_field_ranges[f].min);
    return s;
}

static struct bs_sample sample_of(const struct bs_step *step, unsigned seed)
{
    return (struct bs_sample){.step = step,
                              .step_time_halves = seed % 7 ? 4400 : 0,
                              .step_length_halves = seed % 5 ? 6000 : 60,
                              .step_time_exact = seed % 3 > 0,
                              .missed = seed % 11 == 0,
                              .late = seed % 2,
                              .lost = 4096};
}

static void add(struct bs_sums *sums, unsigned seed)
{
    struct bs_step step = step_of(seed);
    struct bs_sample sample = sample_of(&step, seed);
    bs_sums_add(sums, &sample);
}

static struct holder *fill(unsigned steps)
{
    struct holder *h = make();
    h->step = step_of(steps);
    h->sample = sample_of(NULL, steps);
    for (unsigned i = 0; i < steps; i++)
        add(&h->sums, i);
    for (unsigned i = 0; i < 100; i++)
        bs_totals_add(&h->totals, &h->sums);
    return h;
}

static void expect_same_sample(const struct bs_sample *a, const struct bs_sample *b)
{
    assert_int_equal(a->step_time_halves, b->step_time_halves);
    assert_int_equal(a->step_length_halves, b->step_length_halves);
    assert_int_equal(a->step_time_exact, b->step_time_exact);
    assert_int_equal(a->missed, b->missed);
    assert_int_equal(a->late, b->late);
    assert_int_equal(a->lost, b->lost);
}

static void expect_back(struct holder *h)
{
    struct holder *copy = snapshot_copy(&subject, h);
    assert_memory_equal(&h->step, &copy->step, sizeof h->step);
    expect_same_sample(&h->sample, &copy->sample);
    assert_memory_equal(&h->sums, &copy->sums, sizeof h->sums);
    assert_memory_equal(&h->totals, &copy->totals, sizeof h->totals);
    dispose(h);
    dispose(copy);
}

static void come_back(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps < 40; steps++)
        expect_back(fill(steps));
    expect_back(fill(BS_SUMS_STEPS_MAX));
}

/* The most and the least that steps can add up to, alike. */
static void extremes_come_back(void **state)
{
    (void)state;
    for (int most = 0; most < 2; most++) {
        struct holder *h = make();
        struct bs_step step = {.foot = BS_FOOT_LEFT};
        for (unsigned f = 0; f < BS_FIELD_COUNT; f++)
            bs_step_set(&step, f, most ? bs_field_ranges[f].max : bs_field_ranges[f].min);
        uint16_t halves = most ? 6000 : 1;
        struct bs_sample sample = {&step, halves, halves, true, most, most, most ? 4096 : 0};
        while (h->sums.steps < BS_SUMS_STEPS_MAX)
            bs_sums_add(&h->sums, &sample);
        bs_totals_add(&h->totals, &h->sums);
        expect_back(h);
    }
}

/* Full of further steps, as a row: checks of the line and a sanitizer see what is no number. */
static void use(void *at)
{
    struct holder *h = at;
    static struct bs_line line;
    struct bs_tags *tags =
        bs_tags_new(&(struct bs_tags_names){BS_SLICE("s"), BS_SLICE("g"), BS_SLICE("d"),
                                            BS_SLICE("p"), BS_SLICE("m"), BS_SLICE("a"), true});
    assert_non_null(tags);
    for (unsigned i = 0; h->sums.steps < BS_SUMS_STEPS_MAX && i < 20; i++)
        add(&h->sums, i);
    bs_totals_add(&h->totals, &h->sums);
    struct bs_gait_window row = {
        .tags = tags, .direction = BS_DIRECTION_BACKWARD, .totals = &h->totals};
    assert_true(bs_gait_window_write(&row, &line).length > 0);
    bs_tags_drop(tags);
}

static void what_is_cut_or_changed_is_safe(void **state)
{
    (void)state;
    static const unsigned steps[] = {1, 2, 13, BS_SUMS_STEPS_MAX};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct holder *h = fill(steps[i]);
        snapshot_expect_whole(&subject, h);
        assert_true(snapshot_change_bytes(&subject, h, use) > 0);
        dispose(h);
    }
}

static void sums_that_no_steps_have_are_refused(void **state)
{
    (void)state;
    struct holder h = {.sums = {.steps = 2,
                                .step_length_count = 2,
                                .step_length_sum = 2000,
                                .distance_sum = 2000,
                                .step_length_squares = 2000000}};
    struct bs_buffer saved = snapshot_save(&subject, &h);
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_OK);
    char squares[] = {(char)0x80, (char)0x89, 0x7a, 0}; /* 2000000 */
    char *at = memmem(saved.at, saved.length, squares, 3);
    assert_non_null(at);
    *at = (char)0x81; /* one more is what two different lengths have */
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_OK);
    *at = (char)0x80;
    at[1] = (char)0x88; /* no two numbers of this sum have so little */
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    bs_buffer_fini(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(come_back),
        cmocka_unit_test(extremes_come_back),
        cmocka_unit_test(what_is_cut_or_changed_is_safe),
        cmocka_unit_test(sums_that_no_steps_have_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
