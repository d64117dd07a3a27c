/* The fold from records to rows: verdicts in their order, windows, lateness, settings, time. */
#include "engine_world.h"
#include "rows.h"

#include <string.h>

#define TAGS                                                                                       \
    "gait_window,alias=guest-pod,direction=%s,drill=none,group=none,member=guest-pod,phase=none,"  \
    "site=gym"

static void assert_row(struct world *w, const char *direction, const char *rest)
{
    char expected[2048];
    int length = snprintf(expected, sizeof expected, TAGS, direction);
    snprintf(expected + length, sizeof expected - (size_t)length, "%s\n", rest);
    assert_string_equal(world_lines(w), expected);
}

static uint64_t rejected(struct world *w, enum bs_step_reason reason)
{
    return bs_engine_books(w->engine)->steps_rejected[reason];
}

static void unknown_devices_are_ignored_by_default(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    assert_int_equal(rejected(&w, BS_STEP_UNKNOWN_DEVICE), 1);
    world_welcome_guests(&w, "");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 1);
    world_end(&w);
}

static void a_window_is_written_refreshed_ended_and_final(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"allowed_lateness_s\":20");
    world_step(&w, "pod",
               "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld,\"foot\":\"L\",\"dir\":\"B\",\"step_ms\":"
               "600,\"step_mm\":400,\"trunk_cdeg\":250}",
               (long long)w.tick);
    world_wait(&w, 1900);
    assert_string_equal(world_lines(&w), "");
    world_wait(&w, 300);
    assert_row(
        &w, "B",
        " steps=1i,missed=0i,lost=0i,late=0i,duration_s=0.6,cadence_spm=100,step_time_ms=600,"
        "distance_m=0.4,step_length_mm=400,speed_mps=0.666666667,walk_ratio=0.004,"
        "trunk_pitch_deg=2.5,final=false 1795716000000");
    world_step(&w, "pod",
               "{\"v\":1,\"boot\":1,\"seq\":4,\"t\":%lld,\"foot\":\"R\",\"dir\":\"B\",\"step_ms\":"
               "500,\"step_mm\":420,\"trunk_cdeg\":350}",
               (long long)w.tick);
    world_wait(&w, 8000);
    const char *second =
        " steps=2i,missed=0i,lost=2i,late=0i,duration_s=1.1,cadence_spm=109.090909,step_time_ms="
        "550,"
        "step_time_sd_ms=70.7106781,distance_m=0.82,step_length_mm=410,"
        "step_length_sd_mm=14.1421356,speed_mps=0.745454545,walk_ratio=0.00375833333,"
        "trunk_pitch_deg=3,trunk_pitch_sd_deg=0.707106781,final=false 1795716000000";
    assert_row(&w, "B", second);
    world_wait(&w, 19700); /* 29.9 s: not final yet; then it is */
    assert_string_equal(world_lines(&w), "");
    world_wait(&w, 300);
    char final[1024];
    snprintf(final, sizeof final, "%s", second);
    char *word = strstr(final, "final=false");
    assert_non_null(word);
    memmove(word + 10, word + 11, strlen(word + 11) + 1);
    memcpy(word, "final=true", 10);
    assert_row(&w, "B", final);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.windows, 0);
    world_end(&w);
}

static void half_a_stride_stands_for_a_step(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    world_step(&w, "pod",
               "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld,\"dir\":\"F\",\"stride_ms\":1101,"
               "\"stride_mm\":1301}",
               (long long)w.tick);
    world_wait(&w, 3000);
    assert_row(&w, "F",
               " steps=1i,missed=0i,lost=0i,late=0i,duration_s=0.5505,cadence_spm=108.991826,"
               "step_time_ms=550.5,distance_m=0.6505,step_length_mm=650.5,speed_mps=1.18165304,"
               "walk_ratio=0.0059683375,stride_time_ms=1101,final=false 1795716000000");
    world_end(&w);
}

static void verdicts_fall_in_their_order(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"allowed_lateness_s\":60,\"max_future_ms\":5000");
    long long now = (long long)w.tick;
    const char *step = "{\"v\":1,\"boot\":1,\"seq\":%d,\"t\":%lld}";
    world_step(&w, "pod", step, 1, now);
    world_step(&w, "pod", step, 1, now); /* duplicate */
    world_step(&w, "pod", step, 2, now + 5001);
    world_step(&w, "pod", step, 2, now); /* marked when it was in the future */
    world_step(&w, "pod", step, 3, now + 5000);
    world_step(&w, "pod", step, 4, now - 70000); /* its window ended 60 s ago to the ms */
    world_step(&w, "pod", step, 5, now - 69999 + 10000);
    world_step(&w, "pod", "{\"v\":1,\"boot\":2,\"seq\":1,\"up\":5,\"stored\":true}");
    assert_int_equal(rejected(&w, BS_STEP_DUPLICATE), 2);
    assert_int_equal(rejected(&w, BS_STEP_FUTURE), 1);
    assert_int_equal(rejected(&w, BS_STEP_TOO_LATE), 1);
    assert_int_equal(rejected(&w, BS_STEP_UNPLACED), 1);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 3);
    world_end(&w);
}

static void messages_are_rejected_by_the_first_reason(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    static char large[64 * 1024 + 1];
    memset(large, ' ', sizeof large);
    world_say(&w, "device/p od/steps", BS_RECORD_RETAINED, BS_SLICE("x"));
    world_say(&w, "device/pod/steps", BS_RECORD_RETAINED, BS_SLICE("x"));
    world_say(&w, "device/pod/steps", 0, bs_slice_of(large, sizeof large));
    world_say_text(&w, "device/pod/steps", "{\"v\":2");
    world_say_text(&w, "device/pod/steps", "{\"v\":2}");
    const struct bs_books *b = bs_engine_books(w.engine);
    for (int i = 0; i < BS_MESSAGE_REASON_COUNT; i++)
        assert_int_equal(b->messages_rejected[i], 1);
    assert_int_equal(b->messages_received, 5);
    assert_int_equal(b->messages_parsed, 0);
    world_end(&w);
}

static void lateness_raised_brings_nothing_back(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"allowed_lateness_s\":0");
    long long begin = (long long)w.tick;
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", begin);
    world_wait(&w, 11000);
    world_welcome_guests(&w, ",\"allowed_lateness_s\":3600");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", begin + 1);
    assert_int_equal(rejected(&w, BS_STEP_TOO_LATE), 1);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":3,\"t\":%lld}", begin + 10000);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 2);
    world_end(&w);
}

static void lateness_set_before_the_first_step_holds_for_all(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_wait(&w, 1000);
    world_welcome_guests(&w, ",\"allowed_lateness_s\":3600");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick - 3000000);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 1);
    world_end(&w);
}

/* A site's settings may come after its first steps: what nobody was told yet is open to them. */
static void lateness_raised_holds_for_what_was_never_final(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"allowed_lateness_s\":60");
    long long now = (long long)w.tick;
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", now);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", now - 600000);
    assert_int_equal(rejected(&w, BS_STEP_TOO_LATE), 1);
    world_welcome_guests(&w, ",\"allowed_lateness_s\":3600");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":3,\"t\":%lld}", now - 600000);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":4,\"t\":%lld}", now - 590000);
    assert_int_equal(rejected(&w, BS_STEP_TOO_LATE), 2);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 2);
    world_end(&w);
}

static void late_steps_correct_their_window(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    long long begin = (long long)w.tick;
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", begin);
    world_wait(&w, 10000);
    world_lines(&w);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", begin + 9999);
    world_wait(&w, 2100);
    assert_row(&w, "X", " steps=2i,missed=0i,lost=0i,late=1i,final=false 1795716000000");
    world_end(&w);
}

static void stored_steps_have_windows_of_their_own(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"stored_lateness_s\":3600");
    long long begin = (long long)w.tick;
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", begin);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld,\"stored\":true}", begin);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":3,\"t\":%lld,\"stored\":true}",
               begin - 3600000);
    world_wait(&w, 2100);
    const char *lines = world_lines(&w);
    assert_non_null(
        strstr(lines, "site=gym steps=1i,missed=0i,lost=0i,late=0i,final=false 1795716000000"));
    assert_non_null(strstr(
        lines, "site=gym,stored=1 steps=1i,missed=0i,lost=0i,late=0i,final=false 1795716000000"));
    assert_non_null(
        strstr(lines, "stored=1 steps=1i,missed=0i,lost=0i,late=1i,final=false 1795712400000"));
    world_end(&w);
}

/* The bound is on windows: a second direction in a window that is open needs none. */
static void stored_windows_are_bounded_as_windows(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"stored_lateness_s\":604800");
    unsigned seq = 0;
    for (int i = 0; i < 4100; i++)
        for (int d = 0; d < 2; d++)
            world_step(&w, "belt",
                       "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"stored\":true,\"dir\":\"%c\"}",
                       seq++, (long long)w.tick - i * 10000LL, "FB"[d]);
    assert_int_equal(rejected(&w, BS_STEP_OVER_LIMIT), 8);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 8192);
    world_step(&w, "belt", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"stored\":true}", seq - 1,
               (long long)w.tick); /* the bound left no trace of it */
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 8193);
    world_wait(&w, 604820000);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.windows, 0);
    world_step(&w, "belt", "{\"v\":1,\"boot\":2,\"seq\":1,\"t\":%lld,\"stored\":true}",
               (long long)w.tick);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 8194);
    world_end(&w);
}

static void a_birth_names_the_foot(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    world_say_text(&w, "device/l/birth", "{\"kind\":\"foot\",\"side\":\"L\"}");
    world_say_text(&w, "device/l/birth", "{\"side\":\"Q\"}");
    world_say_text(&w, "device/l/birth", "[]");
    assert_int_equal(bs_engine_books(w.engine)->birth_received, 3);
    assert_int_equal(bs_engine_books(w.engine)->birth_rejected, 2);
    for (int i = 0; i < 8; i++)
        world_step(&w, "l",
                   "{\"v\":1,\"boot\":1,\"seq\":%d,\"t\":%lld,\"dir\":\"F\",%s\"step_ms\":%d}", i,
                   (long long)w.tick, i % 2 ? "\"foot\":\"R\"," : "", i % 2 ? 550 : 450);
    world_wait(&w, 2100);
    assert_non_null(strstr(world_lines(&w), "symmetry_pct=20,"));
    world_end(&w);
}

static void more_steps_than_one_row_of_sums_holds(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    char batch[64 * 1024];
    uint32_t seq = 0;
    for (int message = 0; message < 600; message++) {
        int length = snprintf(batch, sizeof batch,
                              "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"columns\":[\"dt_ms\","
                              "\"step_ms\"],\"rows\":[",
                              seq, (long long)w.tick);
        for (int row = 0; row < 256; row++)
            length += snprintf(batch + length, sizeof batch - (size_t)length, "%s[0,500]",
                               row ? "," : "");
        snprintf(batch + length, sizeof batch - (size_t)length, "]}");
        world_say_text(&w, "device/pod/steps", batch);
        seq += 256;
    }
    world_wait(&w, 2100);
    assert_non_null(strstr(world_lines(&w),
                           " steps=153600i,missed=0i,lost=0i,late=0i,duration_s=76800,"
                           "cadence_spm=120,step_time_ms=500,step_time_sd_ms=0,"));
    world_wait(&w, 400000);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.windows, 0);
    world_end(&w);
}

static void bounds_are_counted_and_leave_no_trace(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"max_members\":2");
    world_wait(&w, 120000); /* nothing is there to be forgotten as yet */
    for (int device = 0; device < 4; device++) {
        char name[16];
        snprintf(name, sizeof name, "d%d", device);
        world_step(&w, name, "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    }
    assert_int_equal(rejected(&w, BS_STEP_OVER_LIMIT), 2);
    for (int boot = 0; boot < 20; boot++)
        world_step(&w, "d0", "{\"v\":1,\"boot\":%d,\"seq\":9,\"t\":%lld}", boot, (long long)w.tick);
    assert_int_equal(rejected(&w, BS_STEP_OVER_LIMIT), 6);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.devices, 2);
    world_wait(&w, 25 * 3600 * 1000);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.devices, 0);
    assert_int_equal(bs_engine_deadline(w.engine).ms, BS_NEVER_MS);
    world_end(&w);
}

static void a_changed_window_size_counts_no_step_twice(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"window_s\":7");
    uint32_t seq = 0;
    int sizes[] = {10, 3, 60, 7};
    for (int i = 0; i < 400; i++) {
        if (i % 100 == 50) {
            char more[64];
            snprintf(more, sizeof more, ",\"window_s\":%d", sizes[i / 100]);
            world_welcome_guests(&w, more);
        }
        world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"F\"}", seq++,
                   (long long)w.tick);
        world_wait(&w, 700);
    }
    world_wait(&w, 500000);
    /* Of each key the last row counts; the rows of finals are all there is to add. */
    uint64_t steps = 0;
    const char *lines = world_lines(&w);
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        if (memmem(line, (size_t)(end - line), "final=true", 10))
            steps += strtoull(strstr(line, " steps=") + 7, NULL, 10);
    }
    assert_int_equal(steps, 400);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 400);
    world_end(&w);
}

/* Each boundary of the changed size is one that a step was placed beyond: under a max_future_ms
 * that was larger then, or in the very moment of the change. No two windows may share a start. */
static void a_changed_window_size_leaves_placed_steps_alone(void **state)
{
    (void)state;
    static const struct {
        const char *before, *between;
        int future_ms, later_ms;
    } cases[] = {
        {",\"max_future_ms\":60000", ",\"max_future_ms\":0", 50000, 51000},
        {",\"max_future_ms\":10000", ",\"max_future_ms\":10000", 10000, 11000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        char last[64];
        world_begin(&w);
        world_welcome_guests(&w, cases[i].before);
        world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}",
                   (long long)w.tick + cases[i].future_ms);
        world_welcome_guests(&w, cases[i].between);
        snprintf(last, sizeof last, "%s,\"window_s\":5", cases[i].between);
        world_welcome_guests(&w, last);
        world_wait(&w, cases[i].later_ms);
        world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", (long long)w.tick);
        world_wait(&w, 500000);
        assert_int_equal(bs_engine_books(w.engine)->steps_counted, 2);
        struct row_summary windows = rows_of(world_lines(&w), "gait_window", "final=true", NULL);
        assert_true(windows.count == 1 &&
                    row_has(windows.last, " steps=2i,missed=0i,lost=0i,late=0i,"));
        world_end(&w);
    }
}

/* The size changes at the first boundary 5 s after its document, not at the first after a later
 * document that changes something else. */
static void another_setting_moves_no_boundary(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.tick += 9000;
    world_welcome_guests(&w, ",\"window_s\":1,\"max_future_ms\":0");
    world_wait(&w, 100);
    world_welcome_guests(&w, ",\"window_s\":1,\"max_future_ms\":0,\"refresh_s\":3");
    world_wait(&w, 2000);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    world_wait(&w, 500000);
    assert_non_null(strstr(world_lines(&w), "final=true 1795716010000\n"));
    world_end(&w);
}

/* The larger max_future_ms of both counts, whichever came with the new size. */
static void a_changed_window_size_waits_for_the_furthest_step(void **state)
{
    (void)state;
    for (int raised = 0; raised < 2; raised++) {
        struct world w;
        world_begin(&w);
        world_welcome_guests(&w, raised ? ",\"max_future_ms\":0" : ",\"max_future_ms\":15000");
        world_welcome_guests(&w, raised ? ",\"window_s\":1,\"max_future_ms\":15000"
                                        : ",\"window_s\":1,\"max_future_ms\":0");
        world_wait(&w, 19999);
        world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
        w.tick++;
        world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", (long long)w.tick);
        world_wait(&w, 500000);
        const char *lines = world_lines(&w);
        assert_non_null(
            strstr(lines, "steps=1i,missed=0i,lost=0i,late=0i,final=true 1795716010000\n"));
        world_end(&w);
    }
}

static void a_stepped_clock_ends_what_was_open(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    struct bs_clock_body clock = {.offset_ms = -3600000, .stepped = true};
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    bs_clock_body_write(&clock, bytes);
    world_fold(&w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
    assert_row(&w, "X", " steps=1i,missed=0i,lost=0i,late=0i,final=true 1795716000000");
    /* What was final stays final, also under the new time. */
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", (long long)w.tick - 3600000);
    assert_int_equal(rejected(&w, BS_STEP_TOO_LATE), 1);
    clock.offset_ms = 0;
    bs_clock_body_write(&clock, bytes);
    w.tick += 10000;
    world_fold(&w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":3,\"t\":%lld}", (long long)w.tick);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 2);
    world_end(&w);
}

static void who_is_unknown_is_asked_anew_for_each_step(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    world_say_text(&w, "config/settings/site", "{\"unknown_devices\":\"ignore\"}");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", (long long)w.tick);
    assert_int_equal(rejected(&w, BS_STEP_UNKNOWN_DEVICE), 1);
    /* What was marked before stays marked; what was turned away left no trace. */
    world_welcome_guests(&w, "");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":2,\"t\":%lld}", (long long)w.tick);
    assert_int_equal(rejected(&w, BS_STEP_DUPLICATE), 1);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 2);
    world_end(&w);
}

/* A pod that never heard that its live steps arrived uploads them later as stored. */
static void a_live_step_that_comes_again_as_stored_is_a_duplicate(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    long long begin = (long long)w.tick;
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", begin);
    world_wait(&w, 2 * 3600 * 1000);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld,\"stored\":true}", begin);
    assert_int_equal(rejected(&w, BS_STEP_DUPLICATE), 1);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 1);
    world_end(&w);
}

/* A boot is remembered for its latest step, in whatever order they came. */
static void an_early_step_that_comes_last_forgets_nothing(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"stored_lateness_s\":3600");
    const char *step = "{\"v\":1,\"boot\":1,\"seq\":%d,\"t\":%lld,\"stored\":true}";
    long long begin = (long long)w.tick;
    world_step(&w, "pod", step, 1, begin);
    world_step(&w, "pod", step, 2, begin - 3000000);
    world_wait(&w, 1200000);
    world_step(&w, "pod", step, 1, begin);
    assert_int_equal(rejected(&w, BS_STEP_DUPLICATE), 1);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 2);
    world_end(&w);
}

/* The same class the day after: switched on before a day has passed, walking when it has. */
static void a_birth_is_not_forgotten_before_the_steps(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    world_wait(&w, 24 * 3600 * 1000 - 30000);
    world_say_text(&w, "device/pod/birth", "{\"side\":\"L\"}");
    world_wait(&w, 120000);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.devices, 1);
    world_end(&w);
}

/* A damaged log may begin behind its first start record: what came before the next one is taken. */
static void a_log_without_its_first_start_is_taken(void **state)
{
    (void)state;
    struct world w;
    struct bs_engine_options options = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};
    world_begin(&w);
    bs_engine_free(w.engine);
    assert_int_equal(bs_engine_new(&w.engine, &options), BS_OK);
    world_say_text(&w, "config/drill/back",
                   "{\"phases\":[{\"name\":\"imprint\",\"direction\":\"B\"}]}");
    world_say_text(&w, "config/session/tue",
                   "{\"drill\":\"back\",\"start\":\"2026-11-26T18:00:00Z\"}");
    world_start(&w, 7);
    world_welcome_guests(&w, "");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 1);
    assert_int_equal(bs_engine_documents(w.engine), 3);
    world_end(&w);
}

static void a_refused_body_is_told(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    struct bs_record r = {.tick = {w.tick}, .type = BS_RECORD_MESSAGE, .body = BS_SLICE("x")};
    struct bs_effects effects = {&w, world_line, world_publish};
    assert_int_equal(bs_engine_step(w.engine, &r, &effects), BS_CORRUPT);
    r.type = 99;
    assert_int_equal(bs_engine_step(w.engine, &r, &effects), BS_CORRUPT);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_devices_are_ignored_by_default),
        cmocka_unit_test(a_window_is_written_refreshed_ended_and_final),
        cmocka_unit_test(half_a_stride_stands_for_a_step),
        cmocka_unit_test(verdicts_fall_in_their_order),
        cmocka_unit_test(messages_are_rejected_by_the_first_reason),
        cmocka_unit_test(lateness_raised_brings_nothing_back),
        cmocka_unit_test(lateness_set_before_the_first_step_holds_for_all),
        cmocka_unit_test(lateness_raised_holds_for_what_was_never_final),
        cmocka_unit_test(late_steps_correct_their_window),
        cmocka_unit_test(stored_steps_have_windows_of_their_own),
        cmocka_unit_test(stored_windows_are_bounded_as_windows),
        cmocka_unit_test(a_birth_names_the_foot),
        cmocka_unit_test(more_steps_than_one_row_of_sums_holds),
        cmocka_unit_test(bounds_are_counted_and_leave_no_trace),
        cmocka_unit_test(a_changed_window_size_counts_no_step_twice),
        cmocka_unit_test(a_changed_window_size_leaves_placed_steps_alone),
        cmocka_unit_test(another_setting_moves_no_boundary),
        cmocka_unit_test(a_changed_window_size_waits_for_the_furthest_step),
        cmocka_unit_test(a_stepped_clock_ends_what_was_open),
        cmocka_unit_test(who_is_unknown_is_asked_anew_for_each_step),
        cmocka_unit_test(a_live_step_that_comes_again_as_stored_is_a_duplicate),
        cmocka_unit_test(an_early_step_that_comes_last_forgets_nothing),
        cmocka_unit_test(a_birth_is_not_forgotten_before_the_steps),
        cmocka_unit_test(a_log_without_its_first_start_is_taken),
        cmocka_unit_test(a_refused_body_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
