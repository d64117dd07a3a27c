/* The slots alone: the newest content wins, what flies stays, answers keep their turn, the bounds
 * hold, and random runs against a model of one number per topic. */
#include "../../daemon/edge/mqtt_slots.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define NOW    (1000 * SECOND)

static enum bs_status put(struct bs_mqtt_slots *s, const char *topic, const char *payload, int qos)
{
    /* With its zero byte, so that it can be read as text. */
    struct bs_mqtt_publication p = {.topic = bs_slice_text(topic),
                                    .payload = bs_slice_of(payload, strlen(payload) + 1),
                                    .qos = qos};

    return bs_mqtt_slots_put(s, &p, NOW);
}

static enum bs_status put_answer(struct bs_mqtt_slots *s, const char *topic, const char *payload)
{
    struct bs_mqtt_publication p = {.topic = bs_slice_text(topic),
                                    .payload = bs_slice_of(payload, strlen(payload) + 1),
                                    .qos = 1,
                                    .in_turn = true};

    return bs_mqtt_slots_put(s, &p, NOW);
}

static void expect_flying(const struct bs_mqtt_slot *slot, const char *topic, const char *payload)
{
    assert_non_null(slot);
    assert_string_equal(slot->topic, topic);
    assert_string_equal(slot->flying->payload.at, payload);
}

static void test_an_acknowledged_slot_is_gone(void **state)
{
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_slot *slot;

    (void)state;
    assert_true(bs_mqtt_slots_idle(&s));
    assert_int_equal(put(&s, "a", "1", 1), BS_OK);
    assert_int_equal(put(&s, "a", "2", 1), BS_OK);
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "a", "2");
    assert_null(bs_mqtt_slots_take(&s, NOW));
    assert_false(bs_mqtt_slots_idle(&s));
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    assert_true(bs_mqtt_slots_idle(&s));
    assert_null(s.by_topic);
    bs_mqtt_slots_fini(&s);
}

static void test_what_flies_stays_until_it_lands(void **state)
{
    static const enum bs_mqtt_outcome outcomes[] = {BS_MQTT_DELIVERED, BS_MQTT_LOST,
                                                    BS_MQTT_REFUSED};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bs_mqtt_slots s = {0};
        struct bs_mqtt_slot *slot;

        put(&s, "a", "old", 1);
        slot = bs_mqtt_slots_take(&s, NOW);
        put(&s, "a", "newer", 1);
        put(&s, "a", "newest", 1);
        expect_flying(slot, "a", "old");
        assert_null(bs_mqtt_slots_take(&s, NOW));
        bs_mqtt_slots_settle(&s, slot, outcomes[i]);
        slot = bs_mqtt_slots_take(&s, NOW);
        expect_flying(slot, "a", "newest");
        bs_mqtt_slots_fini(&s);
    }
}

/* Somebody waits for each of them: none is left out, and one that was lost goes again before the
 * others. */
static void test_answers_keep_their_turn(void **state)
{
    static const char *const order[] = {"1", "2", "3"};
    struct bs_mqtt_slots s = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(put_answer(&s, "a", order[i]), BS_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        struct bs_mqtt_slot *slot = bs_mqtt_slots_take(&s, NOW);

        expect_flying(slot, "a", order[i]);
        bs_mqtt_slots_settle(&s, slot, BS_MQTT_LOST);
        slot = bs_mqtt_slots_take(&s, NOW);
        expect_flying(slot, "a", order[i]);
        assert_null(bs_mqtt_slots_take(&s, NOW));
        bs_mqtt_slots_settle(&s, slot, i == 1 ? BS_MQTT_REFUSED : BS_MQTT_DELIVERED);
    }
    assert_true(bs_mqtt_slots_idle(&s));
    assert_null(s.by_topic);
    assert_int_equal(s.in_turn_bytes, 0);
    assert_int_equal(s.bytes, 0);
    bs_mqtt_slots_fini(&s);
}

/* What nobody waits for is left out for an answer, and the other way round. */
static void test_only_answers_wait_behind_each_other(void **state)
{
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_slot *slot;

    (void)state;
    put(&s, "a", "replayed", 1);
    put_answer(&s, "a", "first");
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "a", "first");
    put_answer(&s, "a", "second");
    put(&s, "a", "replayed", 1);
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "a", "replayed");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    assert_true(bs_mqtt_slots_idle(&s));
    assert_int_equal(s.in_turn_bytes, 0);
    assert_int_equal(s.bytes, 0);
    bs_mqtt_slots_fini(&s);
}

static void test_the_bound_of_waiting_answers_holds(void **state)
{
    static char large[60000];
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_slot *slot;
    size_t sent = 0;
    char last[sizeof(large)];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    for (char mark = 'a'; mark <= 'b'; mark++) {
        large[0] = mark;
        for (size_t i = 0; i < BS_MQTT_IN_TURN_BYTES / sizeof(large); i++) {
            assert_int_equal(put_answer(&s, "a", large), BS_OK);
            assert_true(s.in_turn_bytes <= BS_MQTT_IN_TURN_BYTES);
        }
    }
    assert_int_equal(put_answer(&s, "another", "x"), BS_OK);
    while ((slot = bs_mqtt_slots_take(&s, NOW)) != NULL) {
        if (strcmp(slot->topic, "a") == 0) {
            memcpy(last, slot->flying->payload.at, sizeof(last));
            sent++;
        }
        bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    }
    printf("%zu of %zu answers fit\n", sent, 2 * (BS_MQTT_IN_TURN_BYTES / sizeof(large)));
    assert_true(sent > 250 && sent <= BS_MQTT_IN_TURN_BYTES / sizeof(large) + 1);
    assert_string_equal(last, large);
    assert_int_equal(s.in_turn_bytes, 0);
    assert_int_equal(s.bytes, 0);
    bs_mqtt_slots_fini(&s);
}

static void test_only_qos_1_is_kept_when_lost(void **state)
{
    struct bs_mqtt_slots s = {0};

    (void)state;
    put(&s, "kept", "k", 1);
    put(&s, "unkept", "u", 0);
    bs_mqtt_slots_settle(&s, bs_mqtt_slots_take(&s, NOW), BS_MQTT_LOST);
    bs_mqtt_slots_settle(&s, bs_mqtt_slots_take(&s, NOW), BS_MQTT_LOST);
    put(&s, "waiting", "w", 0);
    bs_mqtt_slots_drop_unkept(&s);
    expect_flying(bs_mqtt_slots_take(&s, NOW), "kept", "k");
    assert_null(bs_mqtt_slots_take(&s, NOW));
    bs_mqtt_slots_fini(&s);
}

static enum bs_status put_other(struct bs_mqtt_slots *s, const char *topic, const char *payload,
                                bool retained, bool in_turn, uint32_t expiry_s)
{
    struct bs_mqtt_publication p = {.topic = bs_slice_text(topic),
                                    .payload = bs_slice_of(payload, strlen(payload) + 1),
                                    .retained = retained,
                                    .in_turn = in_turn,
                                    .expiry_s = expiry_s};

    return bs_mqtt_slots_put(s, &p, NOW);
}

/* A board that the broker has must be replaced or deleted however long it is away; notices for a
 * wearable are of their moment. */
static void test_what_is_retained_is_kept_at_qos_0(void **state)
{
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_slot *slot;

    (void)state;
    put_other(&s, "live/a", "old", true, false, 0);
    put_other(&s, "feedback/a", "1", false, true, 0);
    put_other(&s, "feedback/a", "2", false, true, 0);
    put_other(&s, "feedback/a", "3", false, true, 0);
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "live/a", "old");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_LOST);
    assert_true(s.in_turn_bytes > 0);
    bs_mqtt_slots_drop_unkept(&s);
    assert_int_equal(s.in_turn_bytes, 0);
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "live/a", "old");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_LOST);
    put_other(&s, "live/a", "new", true, false, 0);
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "live/a", "new");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    assert_true(bs_mqtt_slots_idle(&s));
    assert_null(s.by_topic);
    bs_mqtt_slots_fini(&s);
}

/* Two for one wearable in one moment are two; one that was lost is not told later. */
static void test_notices_keep_their_turn(void **state)
{
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_slot *slot;

    (void)state;
    put_other(&s, "feedback/a", "1", false, true, 0);
    put_other(&s, "feedback/a", "2", false, true, 0);
    put_other(&s, "feedback/a", "3", false, true, 0);
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "feedback/a", "1");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "feedback/a", "2");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_LOST);
    slot = bs_mqtt_slots_take(&s, NOW);
    expect_flying(slot, "feedback/a", "3");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    assert_true(bs_mqtt_slots_idle(&s));
    assert_int_equal(s.in_turn_bytes, 0);
    assert_int_equal(s.bytes, 0);
    bs_mqtt_slots_fini(&s);
}

static void test_what_has_waited_too_long_is_given_up(void **state)
{
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_slot *slot;

    (void)state;
    put_other(&s, "a", "1", false, true, 5);
    put_other(&s, "a", "2", false, true, 5);
    put_other(&s, "a", "3", false, true, 6);
    put_other(&s, "b", "1", true, false, 4);
    put_other(&s, "c", "1", true, false, 0);
    slot = bs_mqtt_slots_take(&s, NOW + 5 * SECOND - 1);
    expect_flying(slot, "a", "1");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    slot = bs_mqtt_slots_take(&s, NOW + 5 * SECOND);
    expect_flying(slot, "c", "1"); /* neither b nor a's second */
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    slot = bs_mqtt_slots_take(&s, NOW + 5 * SECOND);
    expect_flying(slot, "a", "3");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_DELIVERED);
    assert_null(bs_mqtt_slots_take(&s, NOW + 5 * SECOND));
    assert_true(bs_mqtt_slots_idle(&s));
    assert_null(s.by_topic);
    assert_int_equal(s.in_turn_bytes, 0);
    assert_int_equal(s.bytes, 0);
    bs_mqtt_slots_fini(&s);
}

static void test_the_bound_holds(void **state)
{
    struct bs_mqtt_slots s = {0};
    char topic[16];

    (void)state;
    for (unsigned i = 0; i < BS_MQTT_SLOTS_MAX; i++) {
        snprintf(topic, sizeof(topic), "t/%u", i);
        assert_int_equal(put(&s, topic, "x", 1), BS_OK);
    }
    assert_int_equal(put(&s, "one more", "x", 1), BS_FULL);
    assert_int_equal(put(&s, "t/7", "newer", 1), BS_OK);
    bs_mqtt_slots_settle(&s, bs_mqtt_slots_take(&s, NOW), BS_MQTT_DELIVERED);
    assert_int_equal(put(&s, "one more", "x", 1), BS_OK);
    bs_mqtt_slots_fini(&s);
}

/* Large ones do not get beyond what may wait, and keep nothing else out. */
static void test_the_bound_of_bytes_holds(void **state)
{
    static char correlation[65535];
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_publication answer = {.qos = 1, .patient = true, .in_turn = true};
    struct bs_mqtt_publication service = {
        .topic = BS_SLICE("service"), .payload = BS_SLICE("stalled"), .qos = 1};
    unsigned count = 0;
    char topic[16];

    (void)state;
    answer.correlation = bs_slice_of(correlation, sizeof(correlation));
    for (enum bs_status status = BS_OK; status == BS_OK; count += status == BS_OK) {
        snprintf(topic, sizeof(topic), "t/%u", count);
        answer.topic = bs_slice_text(topic);
        status = bs_mqtt_slots_put(&s, &answer, NOW);
        assert_true(status == BS_OK || status == BS_FULL);
    }
    assert_in_range(count, 2040, 2048);
    assert_in_range(s.bytes, BS_MQTT_WAITING_BYTES, BS_MQTT_WAITING_BYTES + 66000);
    assert_int_equal(bs_mqtt_slots_put(&s, &service, NOW), BS_OK);
    bs_mqtt_slots_settle(&s, bs_mqtt_slots_take(&s, NOW), BS_MQTT_DELIVERED);
    bs_mqtt_slots_settle(&s, bs_mqtt_slots_take(&s, NOW), BS_MQTT_DELIVERED);
    assert_int_equal(bs_mqtt_slots_put(&s, &answer, NOW), BS_OK);
    bs_mqtt_slots_fini(&s);
    assert_int_equal(s.bytes, 0);
}

/* Thousands of answers must not keep one line about the daemon itself waiting. */
static void test_the_patient_wait_for_the_others(void **state)
{
    static const struct bs_mqtt_publication answers[] = {
        {.topic = BS_SLICE("answer/1"), .payload = BS_SLICE("a"), .qos = 1, .patient = true},
        {.topic = BS_SLICE("answer/2"), .payload = BS_SLICE("a"), .qos = 1, .patient = true},
    };
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_slot *slot;

    (void)state;
    bs_mqtt_slots_put(&s, &answers[0], NOW);
    bs_mqtt_slots_put(&s, &answers[1], NOW);
    put(&s, "service", "s", 1);
    put(&s, "live", "l", 0);
    slot = bs_mqtt_slots_take(&s, NOW);
    assert_string_equal(slot->topic, "service");
    bs_mqtt_slots_settle(&s, slot, BS_MQTT_LOST); /* waits again, ahead of the answers as before */
    assert_string_equal(bs_mqtt_slots_take(&s, NOW)->topic, "live");
    assert_string_equal(bs_mqtt_slots_take(&s, NOW)->topic, "service");
    assert_string_equal(bs_mqtt_slots_take(&s, NOW)->topic, "answer/1");
    assert_string_equal(bs_mqtt_slots_take(&s, NOW)->topic, "answer/2");
    assert_null(bs_mqtt_slots_take(&s, NOW));
    bs_mqtt_slots_fini(&s);
}

#define TOPICS 40

/* Whatever is lost, refused or overtaken on the way: in the end each topic's last content was
 * delivered last. */
static void run_at_random(bool in_turn)
{
    const uint64_t seed = 20261122;
    struct bs_mqtt_slots s = {0};
    struct bs_mqtt_slot *flying[8] = {0};
    unsigned newest[TOPICS] = {0}, delivered[TOPICS] = {0}, put_count = 0, delivered_count = 0;
    struct bs_random random;

    printf("seed %llu\n", (unsigned long long)seed);
    bs_random_init(&random, seed);
    for (unsigned step = 1; step <= (in_turn ? 600000 : 200000); step++) {
        size_t place = (size_t)bs_random_below(&random, 8);
        bool late = step > 190000;

        if (!late && bs_random_below(&random, 2) == 0) {
            unsigned n = (unsigned)bs_random_below(&random, TOPICS);
            char topic[8], payload[12];

            snprintf(topic, sizeof(topic), "%u", n);
            snprintf(payload, sizeof(payload), "%u", step);
            assert_int_equal(in_turn ? put_answer(&s, topic, payload) : put(&s, topic, payload, 1),
                             BS_OK);
            newest[n] = step;
            put_count++;
        } else if (flying[place] == NULL) {
            flying[place] = bs_mqtt_slots_take(&s, NOW);
        } else {
            bool lost = !late && bs_random_below(&random, 3) == 0;
            struct bs_mqtt_slot *slot = flying[place];

            if (!lost) {
                unsigned *last = &delivered[strtoul(slot->topic, NULL, 10)];
                unsigned number = (unsigned)strtoul(slot->flying->payload.at, NULL, 10);

                assert_true(number > *last);
                *last = number;
                delivered_count++;
            }
            bs_mqtt_slots_settle(&s, slot, lost ? BS_MQTT_LOST : BS_MQTT_DELIVERED);
            flying[place] = NULL;
        }
    }
    assert_true(bs_mqtt_slots_idle(&s));
    for (size_t n = 0; n < TOPICS; n++) {
        assert_int_equal(delivered[n], newest[n]);
    }
    if (in_turn) {
        assert_int_equal(delivered_count, put_count);
        assert_int_equal(s.in_turn_bytes, 0);
        assert_int_equal(s.bytes, 0);
    }
    bs_mqtt_slots_fini(&s);
}

static void test_a_random_run_ends_with_the_newest(void **state)
{
    (void)state;
    run_at_random(false);
}

static void test_a_random_run_of_answers_leaves_none_out(void **state)
{
    (void)state;
    run_at_random(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_acknowledged_slot_is_gone),
        cmocka_unit_test(test_what_flies_stays_until_it_lands),
        cmocka_unit_test(test_answers_keep_their_turn),
        cmocka_unit_test(test_only_answers_wait_behind_each_other),
        cmocka_unit_test(test_the_bound_of_waiting_answers_holds),
        cmocka_unit_test(test_only_qos_1_is_kept_when_lost),
        cmocka_unit_test(test_what_is_retained_is_kept_at_qos_0),
        cmocka_unit_test(test_notices_keep_their_turn),
        cmocka_unit_test(test_what_has_waited_too_long_is_given_up),
        cmocka_unit_test(test_the_bound_holds),
        cmocka_unit_test(test_the_bound_of_bytes_holds),
        cmocka_unit_test(test_the_patient_wait_for_the_others),
        cmocka_unit_test(test_a_random_run_ends_with_the_newest),
        cmocka_unit_test(test_a_random_run_of_answers_leaves_none_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
