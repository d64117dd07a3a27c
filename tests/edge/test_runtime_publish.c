/* What the engine publishes on its way to the broker: of a replay boards and notices are left out,
 * notices of one moment all go, of boards the newest is enough. */
#include "runtime_scene.h"

static void say(struct scene *s, const char *topic, const char *payload, int qos, bool retained)
{
    struct bs_publication p = {.topic = bs_slice_text(topic),
                               .payload = bs_slice_text(payload),
                               .qos = qos,
                               .retained = retained,
                               .expiry_s = payload[0] && retained && qos == 0 ? 60 : 0};
    bs_runtime_take_publication(&s->rt, &p);
}

static void show(struct scene *s, const char *group, const char *payload)
{
    char topic[32];
    snprintf(topic, sizeof topic, "t/live/%s", group);
    say(s, topic, payload, 0, true);
}

static void notify(struct scene *s, const char *payload)
{
    say(s, "t/feedback/pod", payload, 0, false);
}

static void answer(struct scene *s, const char *payload)
{
    say(s, "t/result/member/m1", payload, 1, true);
}

static void a_replay_tells_nothing_of_what_was(void **state)
{
    (void)state;
    struct scene s;
    struct peer p, late;
    peer_start(&late, &broker, NULL);
    peer_publish(&late, "t/live/over", "a board of yesterday", true);
    begin(&s);
    peer_start(&p, &broker, "t/#");
    sink_expect(&p.sink, 1);
    show(&s, "tue", "a board");
    show(&s, "over", "a board");
    show(&s, "over", "");
    show(&s, "mon", "");
    notify(&s, "a slip");
    answer(&s, "{\"ok\":false}");
    answer(&s, "{\"ok\":true}");
    s.rt.live = true;
    show(&s, "tue", "the board of now");
    bs_runtime_link_connect(&s.rt);
    expect_online(s.rt.mqtt, 1);
    sink_find(&p.sink, 1, "t/live/over", "");
    sink_find(&p.sink, 1, "t/live/mon", "");
    size_t board = sink_find(&p.sink, 1, "t/live/tue", "the board of now");
    assert_true(sink_find(&p.sink, 1, "t/result/member/m1", "{\"ok\":true}") > board);
    sink_expect(&p.sink, 5);
    peer_subscribe(&late, "t/live/#");
    sink_expect(&late.sink, 1);
    assert_string_equal(sink_get(&late.sink, 0).topic, "t/live/tue");
    assert_in_range(late.expiry_s, 1, 60);
    peer_stop(&p);
    peer_stop(&late);
    end(&s);
}

/* Faster than the publisher takes them: between two looks of it there are many. */
static void notices_of_one_moment_all_go(void **state)
{
    (void)state;
    struct scene s;
    struct peer p;
    char text[16];
    begin(&s);
    peer_start(&p, &broker, "t/#");
    s.rt.live = true;
    notify(&s, "nobody is there to hear it");
    bs_runtime_link_connect(&s.rt);
    expect_online(s.rt.mqtt, 1);
    kill(broker.pid, SIGSTOP);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "%d", i);
        notify(&s, text);
        show(&s, "tue", text);
        answer(&s, text);
    }
    kill(broker.pid, SIGCONT);
    sink_find(&p.sink, 0, "t/live/tue", "99");
    sink_find(&p.sink, 0, "t/result/member/m1", "99");
    int notices = 0, answers = 0, last_board = -1;
    for (size_t i = 0; i < sink_count(&p.sink); i++) {
        struct received m = sink_get(&p.sink, i);
        if (strcmp(m.topic, "t/feedback/pod") == 0)
            assert_int_equal(atoi(m.payload), notices++);
        else if (strcmp(m.topic, "t/result/member/m1") == 0)
            assert_int_equal(atoi(m.payload), answers++);
        else
            last_board = atoi(m.payload);
    }
    assert_int_equal(notices, 100);
    assert_int_equal(answers, 100);
    assert_int_equal(last_board, 99);
    peer_stop(&p);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_replay_tells_nothing_of_what_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notices_of_one_moment_all_go, set_up, tear_down),
    };
    return skipped() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
