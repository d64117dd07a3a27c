/* Documents take effect: which tags a step carries, and how every arrival is answered. */
#include "documents_world.h"

/* The same key within a window is the same row, however often the names changed between. */
static void an_alias_changes_and_returns(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    const char *form = "{\"consent\":\"member\",\"alias\":\"%s\",\"devices\":[\"pod\"]}";
    char document[128];
    for (int i = 0; i < 5; i++) {
        snprintf(document, sizeof document, form, i % 2 ? "B b" : "A");
        say(&w, "member/m1", document);
        step(&w, "pod");
    }
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "alias=A,", ""), 3);
    assert_int_equal(steps_in(&b, "alias=B\\ b,", ""), 2);
    assert_int_equal(b.count, 2);
    world_end(&w);
}

static const char drill[] =
    "{\"phases\":[{\"name\":\"imprint\",\"direction\":\"B\",\"duration_s\":60},"
    "{\"name\":\"carry on\",\"direction\":\"F\",\"duration_s\":60}]}";

static void say_session(struct world *w, const char *group, int64_t start_s, const char *more)
{
    char topic[96], document[256];
    struct bs_buffer at;
    bs_buffer_init(&at, 64);
    bs_buffer_add_iso_time(&at, start_s * 1000);
    snprintf(topic, sizeof topic, "session/%s", group);
    snprintf(document, sizeof document, "{\"drill\":\"back\",\"start\":\"%.*s\"%s}", (int)at.length,
             at.at, more);
    say(w, topic, document);
    bs_buffer_fini(&at);
}

static void a_session_gives_drill_and_phase(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    int64_t start = w.tick / 1000;
    say(&w, "member/m1", ruth);
    say_session(&w, "mon", start, "");
    step(&w, "pod"); /* before its drill is there, the session runs nothing */
    say(&w, "drill/back", drill);
    step(&w, "pod");
    world_wait(&w, 70000);
    step(&w, "pod");
    step_at(&w, "pod", start * 1000 + 59999); /* late: the phase of its own time */
    world_wait(&w, 100000);
    step(&w, "pod"); /* behind the last phase */
    say_session(&w, "mon", start, ",\"phase\":\"imprint\"");
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=none,group=tue", "phase=none"), 1);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", "phase=imprint"), 3);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", "phase=carry\\ on"), 1);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", "phase=none"), 1);
    assert_int_equal(steps_in(&b, "", ""), 6);
    world_end(&w);
}

static void the_first_running_group_counts(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    int64_t start = w.tick / 1000;
    say(&w, "drill/back", drill);
    say(&w, "member/m1", ruth);
    say_session(&w, "tue", start, "");
    step(&w, "pod");
    say_session(&w, "mon", start, ""); /* by id, not by the document's order */
    step(&w, "pod");
    say(&w, "session/mon", "");
    step(&w, "pod");
    world_wait(&w, 31 * MINUTE); /* without an end it closes half an hour after the last step */
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=back,group=tue", ""), 2);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", ""), 1);
    assert_int_equal(steps_in(&b, "drill=none,group=tue", ""), 1);
    world_end(&w);
}

/* What is cached for one event time holds for no other. */
static void a_late_step_finds_the_group_of_its_time(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    int64_t start = w.tick / 1000;
    say(&w, "drill/back", drill);
    say(&w, "member/m1", ruth);
    say_session(&w, "tue", start, "");
    step(&w, "pod"); /* the first one brings the end of the class nearer: asked anew */
    step(&w, "pod");
    step_at(&w, "pod", start * 1000 - 1000);
    say_session(&w, "mon", start - 20, "");
    step_at(&w, "pod", start * 1000 - 1000);
    step_at(&w, "pod", start * 1000 - 20001);
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=back,group=tue", ""), 2);
    assert_int_equal(steps_in(&b, "drill=none,group=tue", ""), 2);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", ""), 1);
    world_end(&w);
}

/* As long as a window takes steps, it is known what was on at its begin. */
static void a_class_is_known_while_its_steps_may_come(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "settings/site",
        "{\"window_s\":300,\"allowed_lateness_s\":60,\"stored_lateness_s\":0}");
    world_wait(&w, 5 * MINUTE);
    int64_t begin = w.tick;
    say(&w, "drill/back", drill);
    say(&w, "member/m1", ruth);
    say_session(&w, "mon", begin / 1000, "");
    world_wait(&w, 1000);
    say(&w, "session/mon", "");
    world_wait(&w, 358900);
    step_at(&w, "pod", begin);
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", "phase=imprint"), 1);
    world_end(&w);
}

static void a_group_has_rows_from_the_size_on_that_is_set(void **state)
{
    (void)state;
    for (int size = 3; size <= 4; size++) {
        struct world w;
        char settings[64];
        world_begin(&w);
        snprintf(settings, sizeof settings, "{\"min_group_size\":%d,\"reorder_ms\":0}", size);
        say(&w, "settings/site", settings);
        for (int i = 0; i < 3; i++) {
            char member[16], document[96], device[8];
            snprintf(member, sizeof member, "member/m%d", i);
            snprintf(device, sizeof device, "pod%d", i);
            snprintf(document, sizeof document,
                     "{\"consent\":\"group\",\"devices\":[\"%s\"],\"groups\":[\"tue\"]}", device);
            say(&w, member, document);
            step(&w, device);
        }
        world_wait(&w, 3000);
        const char *row =
            "group_window,drill=none,group=tue,phase=none,site=gym members=3i,steps=3i,";
        const char *lines = world_lines(&w);
        assert_int_equal(strncmp(lines, row, strlen(row)) == 0, size == 3);
        assert_null(strstr(lines, "member=m"));
        world_end(&w);
    }
}

/* A class that fell silent is opened again by its document alone: not by its drill, nor by a
 * document that says what it said. */
static void a_silent_class_is_opened_by_its_document(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    int64_t start = w.tick / 1000;
    say(&w, "drill/back", drill);
    say(&w, "member/m1", ruth);
    say_session(&w, "mon", start, "");
    step(&w, "pod");
    world_wait(&w, 20 * MINUTE); /* what is stored keeps no class open */
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"stored\":true}", next_seq++,
               (long long)w.tick);
    world_wait(&w, 11 * MINUTE);
    step(&w, "pod");
    say(&w, "drill/back", "{\"phases\":[{\"name\":\"imprint\",\"direction\":\"B\"}]}");
    say_session(&w, "mon", start, "");
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=back", ""), 1 + 1);
    say_session(&w, "mon", start, ",\"phase\":\"imprint\"");
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=back", ""), 2 + 1);
    assert_int_equal(steps_in(&b, "drill=none", ""), 2);
    world_end(&w);
}

/* An outage of forty minutes: what comes then is late, and its class never paused. */
static void a_backlog_keeps_its_class(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    int64_t begin = w.tick;
    say(&w, "settings/site", "{\"allowed_lateness_s\":3600}");
    say(&w, "drill/back", drill);
    say(&w, "member/m1", ruth);
    say_session(&w, "mon", begin / 1000, "");
    step(&w, "pod");
    world_wait(&w, 40 * MINUTE);
    step(&w, "belt"); /* nobody's: only time has passed */
    for (int64_t t = begin; t < w.tick; t += 5 * MINUTE)
        step_at(&w, "pod", t + 1);
    step(&w, "pod");
    world_wait(&w, 2 * 60 * MINUTE);
    step(&w, "pod");
    world_wait(&w, 2 * 60 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=back", ""), 1 + 8 + 1);
    assert_int_equal(steps_in(&b, "drill=none", ""), 1);
    world_end(&w);
}

/* A row that is open keeps its tags, whatever its member's are by now. */
static void a_row_goes_on_after_a_sweep(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    int64_t begin = w.tick;
    const char *a = "{\"consent\":\"member\",\"alias\":\"A\",\"devices\":[\"pod\"]}";
    say(&w, "member/m1", a);
    step_at(&w, "pod", begin);
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    step_at(&w, "pod", begin);
    world_wait(&w, 2 * MINUTE);
    say(&w, "member/m1", a);
    step_at(&w, "pod", begin);
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "alias=A,", ""), 2);
    assert_int_equal(steps_in(&b, "alias=m1,", ""), 1);
    assert_int_equal(b.count, 2);
    world_end(&w);
}

static void assert_answer(struct world *w, const char *beginning)
{
    bs_buffer_add_char(&w->publications, 0);
    if (strncmp(w->publications.at, beginning, strlen(beginning)) != 0 || !beginning[0])
        assert_string_equal(w->publications.at, beginning);
    w->publications.length = 0;
}

static void every_arrival_is_answered(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    struct bs_slice m1 = bs_slice_text(ruth);
    world_ask(&w, "config/member/m1", "q1", BS_RECORD_RETAINED, m1);
    assert_answer(&w, "backstep/v1/gym/result/member/m1 q1 {\"ok\":true,\"rev\":null,\"sha256\":");
    world_ask(&w, "config/member/m1", "q2", BS_RECORD_RETAINED, m1);
    assert_answer(&w, "backstep/v1/gym/result/member/m1 q2 unchanged {\"ok\":true,");
    world_ask(&w, "config/member/m1", "q3", BS_RECORD_RETAINED, BS_SLICE("{}"));
    assert_answer(&w, "backstep/v1/gym/result/member/m1 q3 {\"ok\":false,");
    world_ask(&w, "config/member/m1", "", BS_RECORD_RETAINED, BS_SLICE(""));
    assert_answer(&w, "backstep/v1/gym/result/member/m1  \n");
    world_ask(&w, "config/member/m1", "q4", BS_RECORD_RETAINED, BS_SLICE(""));
    assert_answer(&w, "backstep/v1/gym/result/member/m1 q4 \n");
    world_ask(&w, "config/shoe/m1", "q5", BS_RECORD_RETAINED, m1);
    assert_answer(&w, "");
    world_ask(&w, "config/member/m 1", "q6", BS_RECORD_RETAINED, m1);
    assert_answer(&w, "");
    const struct bs_books *books = bs_engine_books(w.engine);
    assert_int_equal(books->config_received, 7);
    assert_int_equal(books->config_accepted, 2);
    assert_int_equal(books->config_rejected, 1);
    assert_int_equal(books->config_deleted, 2);
    assert_int_equal(books->config_unknown_kind, 2);
    assert_int_equal(bs_engine_documents(w.engine), 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alias_changes_and_returns),
        cmocka_unit_test(a_session_gives_drill_and_phase),
        cmocka_unit_test(the_first_running_group_counts),
        cmocka_unit_test(a_late_step_finds_the_group_of_its_time),
        cmocka_unit_test(a_class_is_known_while_its_steps_may_come),
        cmocka_unit_test(a_group_has_rows_from_the_size_on_that_is_set),
        cmocka_unit_test(a_silent_class_is_opened_by_its_document),
        cmocka_unit_test(a_backlog_keeps_its_class),
        cmocka_unit_test(a_row_goes_on_after_a_sweep),
        cmocka_unit_test(every_arrival_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
