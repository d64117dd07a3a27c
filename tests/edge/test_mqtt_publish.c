/* Publishing to a real mosquitto: the newest content of each topic arrives, whatever happened to
 * the link meanwhile, and nothing older after it. */
#include "mqtt_broker.h"

#define RESULTS 5000

static struct bs_mqtt *start_usual(int version)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);

    options.version = version;
    return start(&options);
}

/* Not connected before bs_mqtt_connect. */
static struct bs_mqtt *start_held(void)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);

    options.start_held = true;
    return start(&options);
}

static void put_qos0(struct bs_mqtt *mqtt, const char *topic, const char *payload)
{
    struct bs_mqtt_publication p = {.topic = bs_slice_text(topic),
                                    .payload = bs_slice_text(payload)};

    assert_int_equal(bs_mqtt_publish(mqtt, &p), BS_OK);
}

static void test_slots_filled_without_a_broker_are_sent_when_online(void **state)
{
    static const int versions[] = {5, 311};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bs_mqtt *mqtt;
        struct peer p;

        broker_end(&broker, SIGKILL);
        mqtt = start_usual(versions[i]);
        put(mqtt, "t/result/a", "old");
        put(mqtt, "t/result/a", i == 0 ? "five" : "three");
        put(mqtt, "t/result/b", "b");
        put_qos0(mqtt, "t/live/a", "given up");
        broker_run(&broker);
        expect_online(mqtt, 1);
        peer_start(&p, &broker, "t/#");
        sink_find(&p.sink, 0, "t/result/a", i == 0 ? "five" : "three");
        sink_find(&p.sink, 0, "t/result/b", "b");
        sink_expect(&p.sink, 2);
        peer_stop(&p);
        bs_mqtt_stop(mqtt);
    }
}

/* As when the configuration is read again: another client, under other options. */
static void test_what_waits_outlasts_the_client(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    struct peer p;

    (void)state;
    broker_end(&broker, SIGKILL);
    mqtt = start_usual(5);
    put(mqtt, "t/result/a", "old");
    put_qos0(mqtt, "t/live/a", "given up");
    bs_mqtt_leave(mqtt);
    expect_phase(mqtt, BS_MQTT_STOPPED);
    put(mqtt, "t/result/a", "newer");
    broker_run(&broker);
    options.version = 311;
    options.client_id = "another";
    assert_int_equal(bs_mqtt_return(mqtt, &options), BS_OK);
    expect_online(mqtt, 1);
    peer_start(&p, &broker, "t/#");
    sink_expect(&p.sink, 1);
    sink_find(&p.sink, 0, "t/result/a", "newer");
    peer_stop(&p);
    bs_mqtt_leave(mqtt);
    bs_mqtt_stop(mqtt);
}

static void test_the_newest_content_wins(void **state)
{
    struct bs_mqtt *mqtt = start_held();
    struct peer p;
    char text[16];

    (void)state;
    peer_start(&p, &broker, "t/result/#");
    for (int i = 0; i <= 100; i++) {
        snprintf(text, sizeof(text), "%d", i);
        put(mqtt, "t/result/a", text);
    }
    bs_mqtt_connect(mqtt, false);
    expect_online(mqtt, 1);
    sink_expect(&p.sink, 1);
    assert_string_equal(sink_get(&p.sink, 0).payload, "100");
    /* And while it is connected: any of them may be left out but the last, none comes late. */
    for (int i = 101; i <= 3000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        put(mqtt, "t/result/a", text);
    }
    sink_find(&p.sink, 1, "t/result/a", "3000");
    for (size_t i = 1; i < sink_count(&p.sink); i++) {
        assert_true(atoi(sink_get(&p.sink, i).payload) > atoi(sink_get(&p.sink, i - 1).payload));
    }
    peer_stop(&p);
    bs_mqtt_stop(mqtt);
}

static void test_an_empty_payload_deletes_the_topic(void **state)
{
    struct bs_mqtt *mqtt = start_usual(5);
    struct peer first, second;

    (void)state;
    expect_online(mqtt, 1);
    peer_start(&first, &broker, "t/result/#");
    put(mqtt, "t/result/a", "x");
    put(mqtt, "t/result/b", "y");
    sink_expect(&first.sink, 2);
    put(mqtt, "t/result/a", "");
    sink_find(&first.sink, 2, "t/result/a", "");
    peer_start(&second, &broker, "t/result/#");
    sink_expect(&second.sink, 1);
    assert_string_equal(sink_get(&second.sink, 0).topic, "t/result/b");
    peer_stop(&first);
    peer_stop(&second);
    bs_mqtt_stop(mqtt);
}

static void test_correlation_data_and_expiry_go_out(void **state)
{
    struct bs_mqtt *mqtt = start_usual(5);
    struct bs_mqtt_publication short_lived = {.topic = BS_SLICE("t/live/g"),
                                              .payload = BS_SLICE("soon gone"),
                                              .qos = 1,
                                              .retained = true,
                                              .expiry_s = 1};
    struct bs_mqtt_publication answer = {.topic = BS_SLICE("t/result/a"),
                                         .payload = BS_SLICE("{}"),
                                         .correlation = BS_SLICE("q\0r"),
                                         .qos = 1,
                                         .retained = true};
    struct peer first, second;

    (void)state;
    expect_online(mqtt, 1);
    peer_start(&first, &broker, "t/#");
    assert_int_equal(bs_mqtt_publish(mqtt, &short_lived), BS_OK);
    assert_int_equal(bs_mqtt_publish(mqtt, &answer), BS_OK);
    sink_expect(&first.sink, 2);
    assert_int_equal(sink_get(&first.sink, 1).correlation_length, 3);
    assert_memory_equal(sink_get(&first.sink, 1).correlation, "q\0r", 3);
    sleep(3);
    peer_start(&second, &broker, "t/#");
    sink_expect(&second.sink, 1);
    assert_string_equal(sink_get(&second.sink, 0).topic, "t/result/a");
    peer_stop(&first);
    peer_stop(&second);
    bs_mqtt_stop(mqtt);
}

/* What is retained at the broker is replaced when it is there again, though at QoS 0; all else of
 * QoS 0 is of its moment. What waited has that much less to live. */
static void test_a_board_waits_for_the_broker(void **state)
{
    struct bs_mqtt *mqtt = start_held();
    struct bs_mqtt_publication board = {.topic = BS_SLICE("t/live/a"),
                                        .payload = BS_SLICE("old"),
                                        .retained = true,
                                        .expiry_s = 60};
    struct bs_mqtt_publication short_lived = {.topic = BS_SLICE("t/live/b"),
                                              .payload = BS_SLICE("expired here"),
                                              .retained = true,
                                              .expiry_s = 1};
    struct peer p;

    (void)state;
    peer_start(&p, &broker, "t/#");
    assert_int_equal(bs_mqtt_publish(mqtt, &board), BS_OK);
    board.payload = BS_SLICE("new");
    assert_int_equal(bs_mqtt_publish(mqtt, &board), BS_OK);
    assert_int_equal(bs_mqtt_publish(mqtt, &short_lived), BS_OK);
    put_qos0(mqtt, "t/feedback/a", "given up");
    usleep(1200000);
    bs_mqtt_connect(mqtt, false);
    expect_online(mqtt, 1);
    sink_expect(&p.sink, 1);
    assert_string_equal(sink_get(&p.sink, 0).payload, "new");
    assert_in_range(p.expiry_s, 50, 59);
    peer_stop(&p);
    bs_mqtt_stop(mqtt);
}

/* The broker took the bytes and died before it answered. */
static void test_what_was_not_acknowledged_is_published_again(void **state)
{
    static const int versions[] = {5, 311};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bs_mqtt *mqtt = start_usual(versions[i]);
        struct peer p;
        char topic[32];

        expect_online(mqtt, 1);
        kill(broker.pid, SIGSTOP);
        for (int k = 0; k < 120; k++) {
            snprintf(topic, sizeof(topic), "t/result/%d", k);
            put(mqtt, topic, "before");
        }
        usleep(200000);
        put(mqtt, "t/result/0", "newer");
        put_qos0(mqtt, "t/live/a", "lost");
        broker_end(&broker, SIGKILL);
        expect_phase(mqtt, BS_MQTT_WAITING);
        broker_run(&broker);
        expect_online(mqtt, 2);
        peer_start(&p, &broker, "t/#");
        sink_expect(&p.sink, 120);
        sink_find(&p.sink, 0, "t/result/0", "newer");
        sink_find(&p.sink, 0, "t/result/119", "before");
        peer_stop(&p);
        bs_mqtt_stop(mqtt);
        broker_end(&broker, SIGKILL);
        broker_run(&broker);
    }
}

static void test_a_storm_of_results_arrives_once_each(void **state)
{
    struct bs_mqtt *mqtt = start_usual(5);
    char topic[48], seen[RESULTS] = {0};
    struct peer p;

    (void)state;
    expect_online(mqtt, 1);
    peer_start(&p, &broker, "t/result/#");
    for (int i = 0; i < RESULTS; i++) {
        snprintf(topic, sizeof(topic), "t/result/member/%d", i);
        put(mqtt, topic, "{\"ok\":true,\"rev\":1}");
    }
    sink_expect(&p.sink, RESULTS);
    for (size_t i = 0; i < RESULTS; i++) {
        int n = atoi(sink_get(&p.sink, i).topic + strlen("t/result/member/"));

        assert_int_equal(seen[n], 0);
        seen[n] = 1;
    }
    peer_stop(&p);
    bs_mqtt_stop(mqtt);
}

static void test_a_stop_sends_what_waits_first(void **state)
{
    struct bs_mqtt *mqtt = start_usual(5);
    char topic[48];
    struct peer p;

    (void)state;
    expect_online(mqtt, 1);
    peer_start(&p, &broker, "t/#");
    for (int i = 0; i < 300; i++) {
        snprintf(topic, sizeof(topic), "t/result/member/%d", i);
        put(mqtt, topic, "{}");
    }
    put_qos0(mqtt, "t/live/a", "last words");
    bs_mqtt_stop(mqtt);
    sink_expect(&p.sink, 301);
    peer_stop(&p);
}

/* mosquitto 2.0.11 ends the connection when it refuses: that must not go on for ever. */
static void test_a_refused_publication_is_named_and_given_up(void **state)
{
    struct bs_mqtt *mqtt = start_usual(5);
    uint64_t connects;
    struct peer p;

    (void)state;
    expect_online(mqtt, 1);
    peer_start(&p, &broker, "t/#");
    put(mqtt, "forbidden/a", "x");
    wait_for_error(mqtt, "refused the publication of forbidden/a: reason 135");
    put(mqtt, "t/result/a", "allowed");
    sink_find(&p.sink, 0, "t/result/a", "allowed");
    usleep(500000);
    expect_phase(mqtt, BS_MQTT_ONLINE);
    connects = state_of(mqtt).connects;
    assert_in_range(connects, 1, 2);
    sleep(1);
    assert_int_equal(state_of(mqtt).connects, connects);
    peer_stop(&p);
    bs_mqtt_stop(mqtt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_slots_filled_without_a_broker_are_sent_when_online,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_waits_outlasts_the_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_newest_content_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_empty_payload_deletes_the_topic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_correlation_data_and_expiry_go_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_board_waits_for_the_broker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_not_acknowledged_is_published_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_storm_of_results_arrives_once_each, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_sends_what_waits_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_publication_is_named_and_given_up,
                                        set_up_with_acl, tear_down),
    };

    return skipped() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
