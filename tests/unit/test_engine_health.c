/* `device_health` rows: which devices have them, when, and what they count. */
#include "backstep/core/roster.h"
#include "engine_world.h"

#include <string.h>

#define MINUTE 60000

static void member(struct world *w, const char *consent)
{
    char payload[128];
    snprintf(payload, sizeof payload, "{\"consent\":\"%s\",\"devices\":[\"pod\"]}", consent);
    world_say(w, "config/member/m1", BS_RECORD_RETAINED, bs_slice_text(payload));
}

static void begin(struct world *w)
{
    world_begin(w);
    member(w, "member");
}

static void step(struct world *w, uint32_t seq, int64_t ahead_ms)
{
    world_step(w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld}", seq,
               (long long)(w->tick + ahead_ms));
}

/* The rows about devices since the last call, each shortened to its fields and its time (s since
 * the beginning). */
static const char *health(struct world *w)
{
    static char found[1u << 20];
    char *text = strdup(world_lines(w)), *rest = text, *at = found;
    *at = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (strncmp(line, "device_health,device=pod,site=gym ", 34) != 0)
            continue;
        char *stamp = strrchr(line, ' ');
        at += sprintf(at, "%.*s at %g\n", (int)(stamp - line - 34), line + 34,
                      (double)(strtoll(stamp, NULL, 10) - WORLD_NOW) / 1000);
    }
    free(text);
    return found;
}

static int rows(const char *lines)
{
    int count = 0;
    for (const char *at = lines; (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

static void steps_are_counted_by_what_became_of_them(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    world_wait(&w, 5030);
    step(&w, 1, 0);
    step(&w, 1, 0);     /* duplicate */
    step(&w, 4, 0);     /* two lost */
    step(&w, 9, 90000); /* future, and four more are lost */
    world_step(&w, "pod", "{\"v\":1,\"boot\":2,\"seq\":7,\"up\":5,\"stored\":true}"); /* unplaced */
    world_say_text(&w, "device/pod/steps", "{\"v\":1");
    world_wait(&w, 59900);
    assert_string_equal(health(&w), "");
    world_wait(&w, 200);
    assert_string_equal(health(&w), "received=5i,duplicate=1i,lost=6i,rejected=2i,"
                                    "clock_offset_ms=90000,last_seen_age_s=59.97 at 65\n");
    step(&w, 10, 0);
    step(&w, 2, 0); /* came late; what was lost stays so */
    world_wait(&w, MINUTE);
    assert_string_equal(health(&w), "received=7i,duplicate=1i,lost=6i,rejected=2i,"
                                    "clock_offset_ms=0,last_seen_age_s=59.87 at 125\n");
    world_end(&w);
}

static void a_device_over_a_limit_is_counted_as_rejected(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (int boot = 0; boot < BS_BOOTS_MAX + 3; boot++)
        world_step(&w, "pod", "{\"v\":1,\"boot\":%d,\"seq\":1,\"t\":%lld}", boot,
                   (long long)w.tick);
    world_wait(&w, MINUTE + 100);
    assert_non_null(strstr(health(&w), "received=19i,duplicate=0i,lost=0i,rejected=3i,"));
    world_end(&w);
}

static void a_device_is_active_for_ten_minutes(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    step(&w, 1, 0);
    world_wait(&w, 20 * MINUTE);
    const char *lines = health(&w);
    assert_int_equal(rows(lines), 10);
    assert_non_null(strstr(lines, "rejected=0i,clock_offset_ms=0,last_seen_age_s=60 at 60\n"));
    assert_non_null(strstr(lines, "rejected=0i,last_seen_age_s=600 at 600\n"));
    step(&w, 2, 0);
    world_wait(&w, MINUTE + 100);
    assert_string_equal(health(&w),
                        "received=2i,duplicate=0i,lost=0i,rejected=0i,clock_offset_ms=0,"
                        "clock_skew_ppm=0,last_seen_age_s=60 at 1260\n");
    world_end(&w);
}

static void say_state(struct world *w, const char *word, bool retained)
{
    world_say(w, "device/pod/state", retained ? BS_RECORD_RETAINED : 0, bs_slice_text(word));
}

static void a_device_that_goes_has_a_last_row(void **state)
{
    (void)state;
    for (int retained = 0; retained < 2; retained++) {
        struct world w;
        begin(&w);
        say_state(&w, "offline", retained); /* nobody has heard of it */
        step(&w, 1, 0);
        world_wait(&w, MINUTE / 2);
        step(&w, 2, 0);
        say_state(&w, "offline", retained);
        say_state(&w, "online", true); /* was so at some time */
        world_wait(&w, 5 * MINUTE);
        const char *lines = health(&w);
        assert_int_equal(rows(lines), 1);
        assert_non_null(strstr(lines, "received=2i,"));
        say_state(&w, "online", false);
        world_wait(&w, 5 * MINUTE);
        assert_int_equal(rows(health(&w)), 5);
        say_state(&w, "offline", retained);
        step(&w, 3, 0); /* it is there all the same */
        world_wait(&w, 5 * MINUTE);
        assert_int_equal(rows(health(&w)), 5);
        world_end(&w);
    }
}

static void states_that_say_nothing_are_counted(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    say_state(&w, "online", false);
    say_state(&w, "offline", true);
    say_state(&w, "", true); /* deleted at the broker */
    say_state(&w, "Offline", true);
    world_say_text(&w, "device/a/b/state", "online");
    assert_int_equal(bs_engine_books(w.engine)->state_received, 5);
    assert_int_equal(bs_engine_books(w.engine)->state_rejected, 2);
    world_wait(&w, 5 * MINUTE);
    assert_string_equal(health(&w), "");
    world_end(&w);
}

static void a_birth_tells_the_battery_before_the_first_step(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    world_say_text(&w, "device/pod/birth", "{\"battery_pct\":8}");
    world_wait(&w, MINUTE + 100);
    assert_string_equal(health(&w), "received=0i,duplicate=0i,lost=0i,rejected=0i,battery_pct=8,"
                                    "last_seen_age_s=60 at 60\n");
    world_wait(&w, 20 * MINUTE);
    health(&w);
    world_say(&w, "device/pod/birth", BS_RECORD_RETAINED, BS_SLICE("{\"battery_pct\":7}"));
    world_wait(&w, 5 * MINUTE); /* of some time ago: it is not there */
    assert_string_equal(health(&w), "");
    step(&w, 1, 0);
    world_wait(&w, MINUTE + 100);
    assert_non_null(strstr(health(&w), ",battery_pct=7,"));
    world_end(&w);
}

/* Whom the interface knows no row of, and that none tells afterwards what was walked without. */
static void without_consent_there_is_no_row_and_no_count(void **state)
{
    (void)state;
    static const char *const consents[] = {"none", "group"};
    for (int i = 0; i < 2; i++) {
        struct world w;
        begin(&w);
        step(&w, 1, 0);
        world_wait(&w, MINUTE / 2);
        member(&w, consents[i]);
        for (uint32_t seq = 2; seq < 10; seq++)
            step(&w, 2 * seq, 0);
        world_wait(&w, 5 * MINUTE);
        assert_string_equal(health(&w), "");
        member(&w, "member");
        world_wait(&w, 5 * MINUTE);
        assert_string_equal(health(&w), ""); /* not before it walks again */
        step(&w, 18, 0);
        world_wait(&w, MINUTE + 100);
        char expected[128];
        snprintf(expected, sizeof expected, "received=2i,duplicate=%di,lost=%di,rejected=0i,", i,
                 i ? 0 : 16);
        const char *lines = health(&w);
        if (strncmp(lines, expected, strlen(expected)) != 0)
            fail_msg("consent %s: %s expected %s", consents[i], lines, expected);
        world_end(&w);
    }
}

static void what_nobody_wears_has_no_row(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    step(&w, 1, 0);
    world_say(&w, "config/member/m1", BS_RECORD_RETAINED, BS_SLICE(""));
    world_wait(&w, 5 * MINUTE);
    assert_string_equal(health(&w), "");
    world_end(&w);
}

static void guests_have_rows_while_they_are_welcome(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    step(&w, 1, 0);
    world_wait(&w, 2 * MINUTE + 100);
    assert_int_equal(rows(health(&w)), 2);
    world_say(&w, "config/settings/site", BS_RECORD_RETAINED, BS_SLICE("{}"));
    world_wait(&w, 5 * MINUTE);
    assert_string_equal(health(&w), "");
    world_end(&w);
}

static void a_clock_is_told_by_live_messages(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    step(&w, 1, -800);
    step(&w, 2, -300); /* half a second less on the way */
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":3,\"t\":%lld,\"stored\":true}",
               (long long)w.tick);
    world_wait(&w, MINUTE + 100);
    assert_non_null(strstr(health(&w), ",clock_offset_ms=-300,last_seen"));
    for (uint32_t minute = 1; minute <= 11; minute++) { /* gains 6 ms a minute: 100 ppm */
        step(&w, 3 + minute, -300 + 6 * (int64_t)minute);
        world_wait(&w, MINUTE);
    }
    const char *lines = health(&w);
    assert_non_null(strstr(lines, ",clock_offset_ms=-246,last_seen_age_s=59.9 at 600\n"));
    assert_non_null(strstr(lines, ",clock_offset_ms=-240,clock_skew_ppm="));
    assert_int_equal(strtol(strstr(lines, "ppm=") + 4, NULL, 10), 99); /* 60 in 600.1 s */
    struct bs_clock_body clock = {.offset_ms = 5000, .stepped = true};
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    bs_clock_body_write(&clock, bytes);
    world_fold(&w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
    step(&w, 30, 5000); /* all is as it was, but for the daemon's clock */
    world_wait(&w, MINUTE);
    assert_non_null(strstr(health(&w), ",clock_offset_ms=0,last_seen_age_s=59.9 at 785\n"));
    world_end(&w);
}

static void time_since_power_up_has_a_drift(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (uint32_t minute = 0; minute < 3; minute++) {
        world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"up\":%u}", minute,
                   1000 + 60007 * minute);
        world_wait(&w, minute ? MINUTE : MINUTE + 100);
    }
    const char *lines = health(&w);
    assert_non_null(
        strstr(lines, "received=1i,duplicate=0i,lost=0i,rejected=0i,clock_offset_ms=0,"));
    assert_non_null(strstr(lines, "received=3i,duplicate=0i,lost=0i,rejected=0i,"
                                  "clock_offset_ms=-86,")); /* 2 · 7, less the 100 */
    world_end(&w);
}

/* Three minutes nobody folded anything, a thousand devices were active: a record has its share of
 * the work, and every row says its own time. */
static void a_standstill_is_made_up_for_in_parts(void **state)
{
    (void)state;
    enum { DEVICES = 1000 };
    struct world w;
    char id[16];
    world_begin(&w);
    world_welcome_guests(&w, "");
    for (int i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof id, "%04d", i);
        world_step(&w, id, "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    }
    world_wait(&w, MINUTE - 1000);
    world_lines(&w);
    w.tick = WORLD_NOW + 3 * MINUTE + 30000;
    int most = 0, all = 0;
    for (int i = 0; i < 100; i++) {
        world_fold(&w, BS_RECORD_TICK, 0, (struct bs_slice){0});
        int count = 0;
        for (const char *at = world_lines(&w); (at = strstr(at, "device_health,")); at++)
            count++;
        most = count > most ? count : most;
        all += count;
    }
    assert_in_range(most, 1, 256 + 40);
    assert_int_equal(all, 3 * DEVICES);
    world_wait(&w, MINUTE);
    const char *lines = world_lines(&w);
    assert_non_null(strstr(lines, "device=0000,site=gym received=1i,duplicate=0i,lost=0i,rejected="
                                  "0i,last_seen_age_s=240 1795716240000\n"));
    world_end(&w);
}

/* Whose device it is has been forgotten for long when the rows that are due are looked at. */
static void a_long_standstill_forgets_devices(void **state)
{
    (void)state;
    enum { DEVICES = 1000 };
    struct world w;
    char id[16];
    world_begin(&w);
    world_welcome_guests(&w, ",\"stored_lateness_s\":60,\"allowed_lateness_s\":60");
    for (int i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof id, "%04d", i);
        world_step(&w, id, "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    }
    w.tick += INT64_C(3) * 24 * 60 * MINUTE;
    struct bs_engine_held held;
    for (int i = 0; i < 100; i++)
        world_fold(&w, BS_RECORD_TICK, 0, (struct bs_slice){0});
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.devices, 0);
    assert_true(bs_engine_deadline(w.engine).ms > w.tick);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_counted_by_what_became_of_them),
        cmocka_unit_test(a_device_over_a_limit_is_counted_as_rejected),
        cmocka_unit_test(a_device_is_active_for_ten_minutes),
        cmocka_unit_test(a_device_that_goes_has_a_last_row),
        cmocka_unit_test(states_that_say_nothing_are_counted),
        cmocka_unit_test(a_birth_tells_the_battery_before_the_first_step),
        cmocka_unit_test(without_consent_there_is_no_row_and_no_count),
        cmocka_unit_test(what_nobody_wears_has_no_row),
        cmocka_unit_test(guests_have_rows_while_they_are_welcome),
        cmocka_unit_test(a_clock_is_told_by_live_messages),
        cmocka_unit_test(time_since_power_up_has_a_drift),
        cmocka_unit_test(a_standstill_is_made_up_for_in_parts),
        cmocka_unit_test(a_long_standstill_forgets_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
