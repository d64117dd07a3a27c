/* Boards in the engine: what documents, steps and time make of them, and that nobody is shown who
 * did not consent. */
#include "documents_world.h"

#define LIVE "backstep/v1/gym/live/"

/* What was published since the last call. */
static const char *published(struct world *w)
{
    bs_buffer_add_char(&w->publications, 0);
    assert_false(w->publications.failed);
    w->publications.length = 0;
    return w->publications.at;
}

/* A document, and what it made the engine publish. */
static const char *say_and_listen(struct world *w, const char *document, const char *payload)
{
    char topic[128];
    snprintf(topic, sizeof topic, "config/%s", document);
    world_fold(w, BS_RECORD_TICK, 0, (struct bs_slice){0}); /* what is due anyway */
    published(w);
    world_say(w, topic, BS_RECORD_RETAINED, bs_slice_text(payload));
    return published(w);
}

static void begin_class(struct world *w, const char *consent)
{
    char document[160], start[128];
    struct bs_buffer time;
    world_begin(w);
    say(w, "settings/site", "{\"reorder_ms\":0}");
    say(w, "drill/back-twenty",
        "{\"phases\":[{\"name\":\"imprint\",\"direction\":\"B\",\"duration_s\":5},"
        "{\"name\":\"carry over\",\"direction\":\"F\",\"duration_s\":600}]}");
    bs_buffer_init(&time, 64);
    bs_buffer_add_iso_time(&time, w->tick);
    snprintf(start, sizeof start, "{\"drill\":\"back-twenty\",\"start\":\"%.*s\"}",
             (int)time.length, time.at);
    bs_buffer_fini(&time);
    say(w, "session/tue", start);
    snprintf(document, sizeof document,
             "{\"consent\":\"%s\",\"alias\":\"Ruth\",\"devices\":[\"pod\"],\"groups\":[\"tue\"]}",
             consent);
    say(w, "member/m1", document);
    say(w, "member/m2",
        "{\"consent\":\"member\",\"alias\":\"Ida\",\"devices\":[\"belt\"],\"groups\":[\"tue\"]}");
}

static void walk(struct world *w, const char *device)
{
    world_step(w, device,
               "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"B\",\"step_ms\":611,"
               "\"step_mm\":402}",
               next_seq++, (long long)w->tick - 600);
}

#define RUTH                                                                                       \
    "{\"member\":\"m1\",\"alias\":\"Ruth\",\"dir\":\"B\",\"cadence_spm\":98.2,\"step_mm\":402,"    \
    "\"walk_ratio\":0.00409,\"last_step_age_s\":"
#define IDA                                                                                        \
    "{\"member\":\"m2\",\"alias\":\"Ida\",\"dir\":\"B\",\"cadence_spm\":98.2,\"step_mm\":402,"     \
    "\"walk_ratio\":0.00409,\"last_step_age_s\":"

static void a_class_has_a_board(void **state)
{
    (void)state;
    struct world w;
    begin_class(&w, "member");
    walk(&w, "pod");
    world_wait(&w, 100);
    assert_string_equal(published(&w), LIVE
                        "tue  {\"t\":1795716000100,\"group\":\"tue\",\"drill\":\"back-twenty\","
                        "\"phase\":\"imprint\",\"members\":[" RUTH "0.7}]}\n");
    world_wait(&w, 5000); /* the phase changes, nothing else */
    assert_string_equal(published(&w), LIVE
                        "tue  {\"t\":1795716005100,\"group\":\"tue\",\"drill\":\"back-twenty\","
                        "\"phase\":\"carry over\",\"members\":[" RUTH "5.7}]}\n");
    walk(&w, "belt");
    world_wait(&w, 2100);
    assert_non_null(strstr(published(&w), "\"members\":[" RUTH "7.8}," IDA "2.7}]}"));
    /* A coach's word is followed as fast as any change. */
    say(&w, "drill/back-twenty", "{\"phases\":[{\"name\":\"free\",\"direction\":\"N\"}]}");
    world_wait(&w, 2500);
    assert_non_null(strstr(published(&w), "\"drill\":\"back-twenty\",\"phase\":\"none\""));
    assert_string_equal(say_and_listen(&w, "session/tue", ""),
                        LIVE "tue  \nbackstep/v1/gym/result/session/tue  \n");
    world_wait(&w, 10 * MINUTE);
    assert_string_equal(published(&w), "");
    world_end(&w);
}

static void consent_withdrawn_is_followed_before_it_is_answered(void **state)
{
    (void)state;
    static const char *const consents[] = {
        "{\"consent\":\"group\",\"devices\":[\"pod\"],\"groups\":[\"tue\"]}",
        "{\"consent\":\"none\",\"devices\":[\"pod\"],\"groups\":[\"tue\"]}", ""};
    for (int i = 0; i < 3; i++) {
        struct world w;
        begin_class(&w, "member");
        walk(&w, "belt");
        walk(&w, "pod");
        world_wait(&w, 3000);
        assert_non_null(strstr(published(&w), "Ruth"));
        const char *said = say_and_listen(&w, "member/m1", consents[i]);
        assert_memory_equal(said, LIVE "tue", strlen(LIVE "tue"));
        assert_non_null(
            strstr(said, "\"members\":[" IDA "3.6}]}\nbackstep/v1/gym/result/member/m1"));
        for (int step = 0; step < 100; step++) {
            walk(&w, "pod");
            world_wait(&w, 700);
        }
        assert_null(strstr(published(&w), "m1"));
        world_end(&w);
    }
}

static void what_waited_brings_nobody_back_whose_document_is_deleted(void **state)
{
    (void)state;
    struct world w;
    begin_class(&w, "member");
    walk(&w, "belt");
    walk(&w, "pod");
    say(&w, "settings/site", "{\"reorder_ms\":5000}");
    walk(&w, "pod");
    world_wait(&w, 2000);
    assert_non_null(strstr(published(&w), "Ruth"));
    assert_int_equal(bs_engine_books(w.engine)->steps_waiting, 1);
    say(&w, "member/m1", "");
    published(&w);
    world_wait(&w, 2 * MINUTE);
    assert_int_equal(bs_engine_books(w.engine)->steps_waiting, 0);
    assert_null(strstr(published(&w), "m1"));
    world_end(&w);
}

static void who_did_not_consent_is_never_shown(void **state)
{
    (void)state;
    struct world w;
    begin_class(&w, "group");
    world_welcome_guests(&w, "");
    published(&w);
    for (int step = 0; step < 20; step++) {
        walk(&w, "pod");
        walk(&w, "a-guests");
        world_wait(&w, 700);
    }
    assert_string_equal(published(&w), "");
    say(&w, "member/m1", ruth);
    walk(&w, "pod");
    world_wait(&w, 700);
    assert_non_null(strstr(published(&w), "\"members\":[" RUTH "0.7}]}"));
    world_end(&w);
}

static void another_group_or_alias_is_followed(void **state)
{
    (void)state;
    struct world w;
    begin_class(&w, "member");
    walk(&w, "pod");
    world_wait(&w, 1000);
    published(&w);
    say(&w, "member/m1",
        "{\"consent\":\"member\",\"alias\":\"R.\",\"devices\":[\"pod\"],\"groups\":[\"tue\"]}");
    world_wait(&w, 2000);
    assert_non_null(strstr(published(&w), "\"alias\":\"R.\""));
    const char *said = say_and_listen(
        &w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"],\"groups\":[\"mon\"]}");
    assert_memory_equal(said, LIVE "tue", strlen(LIVE "tue"));
    assert_non_null(strstr(said, "\"members\":[]}\nbackstep"));
    walk(&w, "pod");
    world_wait(&w, 1000);
    assert_memory_equal(published(&w), LIVE "mon", strlen(LIVE "mon"));
    world_end(&w);
}

/* Stored steps and late ones bring nobody in, nor do those of long ago. */
static void only_what_is_done_now_is_shown(void **state)
{
    (void)state;
    struct world w;
    begin_class(&w, "member");
    for (int step = 0; step < 20; step++)
        step_at(&w, "pod", w.tick - 61000);
    for (int step = 0; step < 20; step++)
        world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"stored\":true}",
                   next_seq++, (long long)w.tick);
    world_wait(&w, 1000);
    assert_string_equal(published(&w), "");
    world_end(&w);
}

static void start_again(struct world *w)
{
    world_start(w, 7);
    world_wait(w, 100);
}

static void a_start_publishes_the_boards_anew(void **state)
{
    (void)state;
    struct world w;
    begin_class(&w, "member");
    walk(&w, "pod");
    world_wait(&w, 1000);
    published(&w);
    start_again(&w);
    assert_non_null(strstr(published(&w), "\"members\":[" RUTH "1.7}]}"));
    w.tick += 70000; /* the daemon was away */
    start_again(&w);
    assert_non_null(strstr(published(&w), "\"members\":[]}\n"));
    world_end(&w);
}

static void a_stepped_clock_empties_the_boards(void **state)
{
    (void)state;
    struct world w;
    struct bs_clock_body clock = {.offset_ms = 30000, .stepped = true};
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    begin_class(&w, "member");
    walk(&w, "pod");
    world_wait(&w, 5000);
    published(&w);
    bs_clock_body_write(&clock, bytes);
    world_fold(&w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
    world_wait(&w, 2500);
    assert_non_null(strstr(published(&w), "\"members\":[]}\n"));
    world_end(&w);
}

/* With all rows closed at once there is nothing but the board to keep the member. */
static void a_board_outlives_the_rows(void **state)
{
    (void)state;
    struct world w;
    begin_class(&w, "member");
    say(&w, "settings/site",
        "{\"allowed_lateness_s\":0,\"window_s\":1,\"refresh_s\":1,"
        "\"reorder_ms\":0}");
    walk(&w, "pod");
    world_wait(&w, 59000);
    published(&w);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.windows, 0);
    say(&w, "member/m1", "");
    world_wait(&w, 10 * MINUTE);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 1);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_has_a_board),
        cmocka_unit_test(consent_withdrawn_is_followed_before_it_is_answered),
        cmocka_unit_test(what_waited_brings_nobody_back_whose_document_is_deleted),
        cmocka_unit_test(who_did_not_consent_is_never_shown),
        cmocka_unit_test(another_group_or_alias_is_followed),
        cmocka_unit_test(only_what_is_done_now_is_shown),
        cmocka_unit_test(a_start_publishes_the_boards_anew),
        cmocka_unit_test(a_stepped_clock_empties_the_boards),
        cmocka_unit_test(a_board_outlives_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
