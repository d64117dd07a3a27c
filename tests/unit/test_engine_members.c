/* Members and guests: who a step belongs to, what consent withholds, and what is left when they go.
 */
#include "documents_world.h"

static void a_device_is_its_members(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    step(&w, "other");
    assert_int_equal(rejected(&w, BS_STEP_UNKNOWN_DEVICE), 1);
    say(&w, "member/m2", "{\"consent\":\"none\",\"devices\":[\"belt\"]}");
    step(&w, "belt");
    assert_int_equal(rejected(&w, BS_STEP_NO_CONSENT), 1);
    say(&w, "member/m1", "");
    step(&w, "pod"); /* nobody's now, and no guest either */
    world_welcome_guests(&w, "");
    step(&w, "pod");
    step(&w, "other");
    assert_int_equal(rejected(&w, BS_STEP_UNKNOWN_DEVICE), 3);
    world_wait(&w, 3000);
    take_rows(&w, &b);
    assert_int_equal(
        steps_in(&b, "alias=Ruth,direction=F,drill=none,group=tue,member=m1,phase=none", ""), 1);
    assert_int_equal(steps_in(&b, "member=guest-other", "group=none"), 1);
    assert_int_equal(b.count, 2);
    world_end(&w);
}

static void a_device_moves_on(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    step(&w, "pod");
    say(&w, "member/m1", "{\"consent\":\"member\"}");
    say(&w, "member/m2", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    step(&w, "pod");
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "alias=m1,", "member=m1"), 1);
    assert_int_equal(steps_in(&b, "alias=m2,", "member=m2"), 2);
    world_end(&w);
}

static void step_clock(struct world *w)
{
    struct bs_clock_body clock = {.offset_ms = 0, .stepped = true};
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    bs_clock_body_write(&clock, bytes);
    world_fold(w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
}

static void withdraw_to(const char *consent, bool deleted_first, bool by_clock)
{
    struct world w;
    struct board b = {.count = 0};
    char document[64];
    world_begin(&w);
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"stored\":true}", next_seq++,
               (long long)w.tick);
    if (deleted_first)
        say(&w, "member/m1", "");
    assert_int_equal(take_rows(&w, &b), 0);
    snprintf(document, sizeof document, "{\"consent\":\"%s\",\"devices\":[\"pod\"]}", consent);
    say(&w, "member/m1", document);
    assert_int_equal(take_rows(&w, &b), 2);
    step(&w, "pod");
    say(&w, "settings/site", "{\"window_s\":1,\"allowed_lateness_s\":0}");
    if (by_clock)
        step_clock(&w);
    say(&w, "member/m1", ""); /* nor does a deletion bring it back */
    world_wait(&w, 10 * MINUTE);
    assert_int_equal(take_rows(&w, &b), 0);
    world_wait(&w, INT64_C(24) * 60 * MINUTE);
    assert_int_equal(take_rows(&w, &b), 0);
    world_end(&w);
}

static void withdrawn_consent_stays_the_last_word(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++)
        withdraw_to(i & 1 ? "none" : "group", i & 2, i & 4);
}

static void withdrawn_consent_is_the_last_word(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "settings/site", "{\"allowed_lateness_s\":60}");
    say(&w, "member/m1", ruth);
    say(&w, "member/m2", "{\"consent\":\"member\",\"devices\":[\"pod2\"],\"groups\":[\"tue\"]}");
    step(&w, "pod");
    step(&w, "pod");
    step(&w, "pod2");
    assert_int_equal(take_rows(&w, &b), 0);
    say(&w, "member/m1", "{\"consent\":\"none\",\"devices\":[\"pod\"]}");
    assert_int_equal(take_rows(&w, &b), 1); /* at that moment, and its own row alone */
    assert_int_equal(steps_in(&b, "member=m1", ""), 2);
    step(&w, "pod");
    assert_int_equal(rejected(&w, BS_STEP_NO_CONSENT), 1);
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    for (int i = 0; i < b.count; i++)
        if (strstr(b.rows[i].key, "member=m1"))
            assert_int_equal(b.rows[i].written, 1);
    assert_int_equal(steps_in(&b, "member=m2", ""), 1);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.windows, 0);
    world_end(&w);
}

static void consent_that_returns_goes_on_with_the_row(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    say(&w, "member/m1",
        "{\"consent\":\"group\",\"alias\":\"Ruth\",\"devices\":[\"pod\"],"
        "\"groups\":[\"tue\"]}");
    step(&w, "pod"); /* in no row of the member's */
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 3);
    assert_int_equal(steps_in(&b, "member=m1", ""), 2);
    assert_int_equal(b.count, 1);
    world_end(&w);
}

static void a_birth_comes_before_its_document(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_say_text(&w, "device/pod/birth", "{\"side\":\"L\"}");
    say(&w, "member/m1", ruth);
    for (int i = 0; i < 4; i++)
        world_step(&w, "pod",
                   "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"F\",\"foot\":"
                   "\"R\",\"step_ms\":500}",
                   next_seq++, (long long)w.tick);
    for (int i = 0; i < 4; i++)
        world_step(&w, "pod",
                   "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"F\","
                   "\"step_ms\":500}",
                   next_seq++, (long long)w.tick);
    world_wait(&w, 5000);
    assert_non_null(strstr(world_lines(&w), "symmetry_pct=0,"));
    world_end(&w);
}

/* The first window of a new size begins before the size holds: a belt tells the direction of what a
 * pod said in it. */
static void a_direction_told_late_stays_in_its_window(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\",\"belt\"]}");
    say(&w, "settings/site", "{\"window_s\":7}"); /* from 10 s on */
    world_wait(&w, 10500);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld}", (long long)w.tick);
    world_step(&w, "belt", "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":%lld,\"dir\":\"F\"}",
               (long long)w.tick);
    world_wait(&w, 10 * MINUTE);
    const char *lines = world_lines(&w);
    assert_non_null(strstr(lines,
                           ",direction=F,drill=none,group=none,member=m1,phase=none,site=gym "
                           "steps=1i,missed=0i,lost=0i,late=0i,final=true 1795716006000\n"));
    assert_null(strstr(lines, "direction=X"));
    assert_null(strstr(lines, " 1795716000000\n"));
    world_end(&w);
}

static void guests_and_members_share_the_bound(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"max_members\":2");
    say(&w, "member/m1", ruth);
    step(&w, "a");
    step(&w, "b");
    assert_int_equal(rejected(&w, BS_STEP_OVER_LIMIT), 1);
    step(&w, "a");
    step(&w, "pod");
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 3);
    world_say(&w, "config/member/m2", BS_RECORD_RETAINED, BS_SLICE("{\"consent\":\"none\"}"));
    assert_int_equal(bs_engine_books(w.engine)->config_rejected, 1);
    world_end(&w);
}

static void a_row_outlives_its_members_document(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "member/m1", ruth);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"stored\":true}", next_seq++,
               (long long)w.tick);
    say(&w, "member/m1", "");
    world_wait(&w, 5 * MINUTE); /* nobody wears anything of hers, and no live row is open */
    say(&w, "member/m1", ruth);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"stored\":true}", next_seq++,
               (long long)w.tick - 5 * MINUTE + 500);
    world_wait(&w, INT64_C(24) * 60 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "stored=1", ""), 2);
    assert_int_equal(b.count, 1);
    world_end(&w);
}

static void guests_leave_room_when_they_go(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"max_members\":2,\"stored_lateness_s\":0");
    world_wait(&w, 2 * MINUTE);
    step(&w, "a");
    world_say_text(&w, "device/b/birth", "{\"side\":\"L\"}");
    step(&w, "b");
    step(&w, "b"); /* one guest, however many steps */
    step(&w, "c");
    assert_int_equal(rejected(&w, BS_STEP_OVER_LIMIT), 1);
    world_wait(&w, INT64_C(25) * 60 * MINUTE);
    step(&w, "c");
    step(&w, "d");
    step(&w, "e");
    assert_int_equal(rejected(&w, BS_STEP_OVER_LIMIT), 2);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 5);
    world_end(&w);
}

static void a_birth_alone_is_forgotten(void **state)
{
    (void)state;
    struct world w;
    struct bs_engine_held held;
    world_begin(&w);
    world_say_text(&w, "device/pod/birth", "{\"side\":\"L\"}");
    world_say_text(&w, "device/belt/birth", "{}"); /* says nothing that would be kept */
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"left\"]}");
    world_say_text(&w, "device/left/birth", "{\"side\":\"L\"}");
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.devices, 2);
    world_wait(&w, INT64_C(8) * 24 * 60 * MINUTE);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.devices, 1); /* what a document names is kept */
    world_end(&w);
}

/* Guests are welcome, then not, then again; whom a document names in between is none any more. */
static void guests_are_welcome_or_not(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    world_welcome_guests(&w, "");
    step(&w, "a");
    step(&w, "b");
    say(&w, "settings/site", "");
    step(&w, "a");
    step(&w, "c");
    assert_int_equal(rejected(&w, BS_STEP_UNKNOWN_DEVICE), 2);
    say(&w, "member/m1", "{\"consent\":\"none\",\"devices\":[\"a\"]}");
    step(&w, "a");
    assert_int_equal(rejected(&w, BS_STEP_NO_CONSENT), 1);
    say(&w, "member/m1", "{\"consent\":\"none\"}");
    world_welcome_guests(&w, "");
    step(&w, "a");
    step(&w, "b");
    assert_int_equal(rejected(&w, BS_STEP_UNKNOWN_DEVICE), 3);
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "member=guest-a", ""), 1);
    assert_int_equal(steps_in(&b, "member=guest-b", ""), 2);
    world_end(&w);
}

/* Without a single step. */
static void members_who_never_walked_leave_no_trace(void **state)
{
    (void)state;
    struct world w;
    struct bs_engine_held held;
    world_begin(&w);
    say(&w, "member/m1", ruth);
    say(&w, "member/m2", "{\"consent\":\"member\"}");
    say(&w, "member/m1", "");
    world_wait(&w, 2 * MINUTE);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 1); /* a document names her */
    say(&w, "member/m2", "");
    world_wait(&w, 2 * MINUTE);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 0);
    assert_int_equal(bs_engine_deadline(w.engine).ms, BS_NEVER_MS);
    world_end(&w);
}

static void members_come_and_go_without_a_trace(void **state)
{
    (void)state;
    struct world w;
    struct bs_engine_held held;
    world_begin(&w);
    for (int i = 0; i < 200; i++) {
        char name[32], document[96], device[16];
        snprintf(name, sizeof name, "member/m%d", i);
        snprintf(device, sizeof device, "pod%d", i);
        snprintf(document, sizeof document, "{\"consent\":\"member\",\"devices\":[\"%s\"]}",
                 device);
        say(&w, name, document);
        step(&w, device);
        say(&w, name, "");
    }
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 200);
    world_wait(&w, INT64_C(8) * 24 * 60 * MINUTE);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 0);
    assert_int_equal(held.devices, 0);
    assert_int_equal(held.windows, 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_its_members),
        cmocka_unit_test(a_device_moves_on),
        cmocka_unit_test(withdrawn_consent_is_the_last_word),
        cmocka_unit_test(withdrawn_consent_stays_the_last_word),
        cmocka_unit_test(consent_that_returns_goes_on_with_the_row),
        cmocka_unit_test(a_birth_comes_before_its_document),
        cmocka_unit_test(a_row_outlives_its_members_document),
        cmocka_unit_test(guests_leave_room_when_they_go),
        cmocka_unit_test(a_birth_alone_is_forgotten),
        cmocka_unit_test(guests_are_welcome_or_not),
        cmocka_unit_test(members_who_never_walked_leave_no_trace),
        cmocka_unit_test(a_direction_told_late_stays_in_its_window),
        cmocka_unit_test(guests_and_members_share_the_bound),
        cmocka_unit_test(members_come_and_go_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
