/* Receiving from a real mosquitto: order, exactly what was sent, sessions that outlive us and the
 * broker, what arrives before what. */
#include "mqtt_broker.h"

#define STORM 20000

static void publish_numbers(struct peer *p, int count)
{
    for (int i = 0; i < count; i++) {
        char text[130];
        int length = snprintf(text, sizeof(text), "%d %0112d", i, 0);

        assert_int_equal(mosquitto_publish(p->m, NULL, "t/device/a/steps", length, text, 1, false),
                         MOSQ_ERR_SUCCESS);
        /* libmosquitto numbers its messages with 16 bits and looks for no collision. */
        if (i % 1000 == 999) {
            wait_for(&p->acknowledged, i + 1);
        }
    }
    wait_for(&p->acknowledged, count);
}

static void storm(int version)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    struct peer p;

    options.version = version;
    mqtt = start(&options);
    expect_online(mqtt, 1);
    peer_start(&p, &broker, NULL);
    publish_numbers(&p, STORM);
    sink_expect(&sink, STORM);
    for (size_t i = 0; i < STORM; i++) {
        assert_string_equal(sink_get(&sink, i).topic, "t/device/a/steps");
        assert_int_equal(strtol(sink_get(&sink, i).payload, NULL, 10), (long)i);
    }
    assert_true(state_of(mqtt).last_message_ns > 0);
    peer_stop(&p);
    bs_mqtt_stop(mqtt);
}

static void test_20000_messages_arrive_once_each_in_order(void **state)
{
    (void)state;
    storm(5);
}

static void test_mqtt_311_receives_too(void **state)
{
    (void)state;
    storm(311);
}

/* What was published while we were away arrives; what was acknowledged does not come again. */
static void test_a_session_survives_our_restart(void **state)
{
    static const int versions[] = {5, 311};
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct peer p;

    (void)state;
    peer_start(&p, &broker, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct bs_mqtt *mqtt;
        size_t before = sink_count(&sink);

        options.version = versions[i];
        options.client_id = i == 0 ? "five" : "three";
        mqtt = start(&options);
        expect_online(mqtt, 1);
        peer_publish(&p, "t/device/a/steps", "present", false);
        sink_expect(&sink, before + 1);
        bs_mqtt_stop(mqtt);
        peer_publish(&p, "t/device/a/steps", "away 1", false);
        peer_publish(&p, "t/device/a/steps", "away 2", false);
        mqtt = start(&options);
        expect_online(mqtt, 1);
        sink_expect(&sink, before + 3);
        assert_string_equal(sink_get(&sink, before + 1).payload, "away 1");
        assert_string_equal(sink_get(&sink, before + 2).payload, "away 2");
        bs_mqtt_stop(mqtt);
    }
    peer_stop(&p);
}

static void test_a_killed_broker_comes_back(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt = start(&options);
    struct peer p;

    (void)state;
    for (uint64_t round = 1; round <= 3; round++) {
        char text[16];

        expect_online(mqtt, round);
        peer_start(&p, &broker, NULL);
        snprintf(text, sizeof(text), "round %d", (int)round);
        peer_publish(&p, "t/device/a/steps", text, false);
        sink_find(&sink, 0, "t/device/a/steps", text);
        peer_stop(&p);
        broker_end(&broker, SIGKILL);
        expect_phase(mqtt, BS_MQTT_WAITING);
        assert_string_not_equal(state_of(mqtt).error, "");
        broker_run(&broker);
    }
    bs_mqtt_stop(mqtt);
}

/* At every CONNACK the broker is asked for them again. What is published later carries the flag
 * where it is a document, and does not where it came from a wearable. */
static void test_retained_ones_come_flagged_at_every_connack(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    struct peer p;

    (void)state;
    peer_start(&p, &broker, NULL);
    peer_publish(&p, "t/config/member/m1", "{}", true);
    for (size_t i = 1; i <= 3; i++) {
        mqtt = start(&options);
        expect_online(mqtt, 1);
        sink_expect(&sink, i);
        assert_true(sink_get(&sink, i - 1).retained);
        if (i < 3) {
            bs_mqtt_stop(mqtt);
        }
    }
    peer_publish(&p, "t/config/member/m1", "{\"rev\":2}", true);
    peer_publish(&p, "t/device/a/birth", "{}", true);
    sink_expect(&sink, 5);
    assert_true(sink_get(&sink, 3).retained);
    assert_false(sink_get(&sink, 4).retained);
    bs_mqtt_stop(mqtt);
    peer_stop(&p);
}

#define DOCUMENTS 3000

/* Every one of them comes, each time, and a change while we are away still waits for us. */
static void test_more_documents_than_a_queue_holds(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    struct peer p;

    (void)state;
    peer_start(&p, &broker, NULL);
    for (int i = 0; i < DOCUMENTS; i++) {
        char topic[64];

        snprintf(topic, sizeof(topic), "t/config/member/m%d", i);
        assert_int_equal(mosquitto_publish(p.m, NULL, topic, 2, "{}", 1, true), MOSQ_ERR_SUCCESS);
        if (i % 1000 == 999) {
            wait_for(&p.acknowledged, i + 1);
        }
    }
    options.config_first = true;
    mqtt = start(&options);
    expect_online(mqtt, 1);
    sink_expect(&sink, 2 * (size_t)DOCUMENTS); /* for the configuration's link, and for ours */
    bs_mqtt_stop(mqtt);
    peer_publish(&p, "t/config/member/m0", "", true);
    peer_publish(&p, "t/config/member/m0", "{}", true);
    options.config_first = false;
    mqtt = start(&options);
    expect_online(mqtt, 1);
    sink_expect(&sink, 3 * (size_t)DOCUMENTS + 2);
    sink_find(&sink, 2 * (size_t)DOCUMENTS, "t/config/member/m0", "");
    bs_mqtt_stop(mqtt);
    peer_stop(&p);
}

static void test_correlation_data_arrives(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt = start(&options);
    mosquitto_property *properties = NULL;
    struct peer p;

    (void)state;
    expect_online(mqtt, 1);
    peer_start(&p, &broker, NULL);
    mosquitto_property_add_binary(&properties, MQTT_PROP_CORRELATION_DATA, "a\0b", 3);
    mosquitto_publish_v5(p.m, NULL, "t/config/site/s", 2, "{}", 1, false, properties);
    sink_expect(&sink, 1);
    assert_int_equal(sink_get(&sink, 0).correlation_length, 3);
    assert_memory_equal(sink_get(&sink, 0).correlation, "a\0b", 3);
    mosquitto_property_free_all(&properties);
    peer_stop(&p);
    bs_mqtt_stop(mqtt);
}

/* The documents of a fresh state come before the steps that an old session kept for us. */
static void test_documents_come_before_the_steps_of_an_old_session(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    struct peer p;
    size_t document;
    char client_id[700] = "";

    (void)state;
    /* So long that "-config" behind it must not get lost: the real session would start clean. */
    memset(client_id, 'c', sizeof(client_id) - 1);
    options.client_id = client_id;
    mqtt = start(&options);
    expect_online(mqtt, 1);
    bs_mqtt_stop(mqtt);
    peer_start(&p, &broker, NULL);
    peer_publish(&p, "t/device/a/steps", "step 1", false);
    peer_publish(&p, "t/device/a/steps", "step 2", false);
    for (int i = 0; i < 200; i++) {
        char topic[64];

        snprintf(topic, sizeof(topic), "t/config/member/m%d", i);
        peer_publish(&p, topic, "{}", true);
    }
    options.config_first = true;
    mqtt = start(&options);
    expect_online(mqtt, 1);
    document = sink_find(&sink, 0, "t/config/member/m199", "{}");
    assert_int_equal(document, 199);
    /* Then what waited in the session: the documents that were published live, and the steps. */
    assert_int_equal(sink_find(&sink, 200, "t/device/a/steps", "step 1"), 200);
    assert_int_equal(sink_find(&sink, 200, "t/device/a/steps", "step 2"), 201);
    for (size_t i = 0; i < sink_count(&sink); i++) {
        assert_string_not_equal(sink_get(&sink, i).topic, "t/marker/ours");
    }
    bs_mqtt_stop(mqtt);
    peer_stop(&p);
}

static void test_a_marker_that_never_comes_back_costs_ten_seconds(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    uint64_t began = now_ms();

    (void)state;
    options.config_first = true;
    options.marker_topic = "forbidden/marker";
    mqtt = start(&options);
    expect_online(mqtt, 1);
    assert_in_range(now_ms() - began, 9500, 25000);
    bs_mqtt_stop(mqtt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_20000_messages_arrive_once_each_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_mqtt_311_receives_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_session_survives_our_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_killed_broker_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retained_ones_come_flagged_at_every_connack, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_more_documents_than_a_queue_holds,
                                        set_up_with_short_queues, tear_down),
        cmocka_unit_test_setup_teardown(test_correlation_data_arrives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_documents_come_before_the_steps_of_an_old_session,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_marker_that_never_comes_back_costs_ten_seconds,
                                        set_up_with_acl, tear_down),
    };

    return skipped() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
