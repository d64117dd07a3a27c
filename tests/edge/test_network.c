/* A network with faults between a sender and a sink that writes down what arrives. Must never lose
 * a message, whatever the faults. */
#include "network.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 3000u
#define GAP_MS   7 /* between two sendings */

struct arrival {
    uint32_t number; /* of the message, from 0 */
    int64_t at_ms;
};

struct sink {
    int64_t now_ms;
    struct arrival arrivals[2 * MESSAGES];
    uint32_t count;
    int64_t closed_from_ms; /* waiting for that ends with a stop */
};

static enum bs_status wait(void *context, int64_t at_ms)
{
    struct sink *s = context;
    assert_true(at_ms >= s->now_ms);
    if (at_ms >= s->closed_from_ms)
        return BS_CLOSED;
    s->now_ms = at_ms;
    return BS_OK;
}

/* The payload is the number, and so is the contact of its one event: both must be kept. */
static enum bs_status deliver(void *context, const struct bs_parcel *parcel)
{
    struct sink *s = context;
    uint32_t number;
    assert_int_equal(parcel->payload.length, sizeof number);
    memcpy(&number, parcel->payload.at, sizeof number);
    assert_int_equal(parcel->count, 1);
    assert_int_equal(parcel->events[0].contact, number);
    s->arrivals[s->count++] = (struct arrival){number, s->now_ms};
    return BS_OK;
}

static struct sink *new_sink(void)
{
    struct sink *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->closed_from_ms = INT64_MAX;
    return s;
}

static struct bs_network *new_network(struct bs_network_options options, struct sink *sink)
{
    struct bs_network *n;
    const struct bs_sink to = {sink, wait, deliver};
    assert_int_equal(bs_network_new(&n, &options, &to), BS_OK);
    return n;
}

static enum bs_status send(struct bs_network *n, uint32_t number, int64_t later_ms)
{
    const struct bs_event event = {.contact = number};
    const struct bs_parcel parcel = {
        .topic = "t", .payload = bs_slice_of(&number, sizeof number), .events = &event, .count = 1};
    return later_ms > 0 ? bs_network_send_later(n, &parcel, later_ms) : bs_network_send(n, &parcel);
}

/* Message i is sent at i * GAP_MS. */
static struct sink *send_all(struct bs_network_options options, uint64_t *ret_duplicates)
{
    struct sink *s = new_sink();
    struct bs_network *n = new_network(options, s);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(bs_network_advance(n, (int64_t)i * GAP_MS), BS_OK);
        assert_int_equal(send(n, i, 0), BS_OK);
    }
    assert_int_equal(bs_network_flush(n, false), BS_OK);
    *ret_duplicates = bs_network_duplicates(n);
    bs_network_free(n);
    return s;
}

/* How often each message came; every one at least once. */
static uint32_t count_copies(const struct sink *s)
{
    static uint32_t times[MESSAGES];
    memset(times, 0, sizeof times);
    uint32_t copies = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        times[s->arrivals[i].number]++;
        copies += times[s->arrivals[i].number] > 1;
    }
    for (uint32_t i = 0; i < MESSAGES; i++)
        assert_in_range(times[i], 1, 2);
    return copies;
}

static void test_without_faults(void **state)
{
    (void)state;
    uint64_t duplicates;
    struct sink *s = send_all((struct bs_network_options){0}, &duplicates);
    assert_int_equal(s->count, MESSAGES);
    assert_int_equal(duplicates, 0);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(s->arrivals[i].number, i);
        assert_int_equal(s->arrivals[i].at_ms, (int64_t)i * GAP_MS);
    }
    free(s);
}

static void test_late_by_messages(void **state)
{
    (void)state;
    uint64_t duplicates;
    struct sink *s =
        send_all((struct bs_network_options){.duplicates_pct = 10, .reorder_pct = 20, .seed = 3},
                 &duplicates);
    assert_int_equal(count_copies(s), duplicates);
    assert_in_range(duplicates, MESSAGES / 20, MESSAGES / 5);
    uint32_t late = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        int64_t behind = s->arrivals[i].at_ms / GAP_MS - s->arrivals[i].number;
        assert_in_range(behind, 0, 10);
        late += behind > 0;
    }
    assert_in_range(late, MESSAGES / 5, MESSAGES / 2);
    free(s);
}

static void test_late_by_time(void **state)
{
    (void)state;
    uint64_t duplicates;
    const int64_t most_ms = 1500;
    struct sink *s = send_all(
        (struct bs_network_options){
            .duplicates_pct = 10, .reorder_pct = 100, .reorder_ms = most_ms, .seed = 3},
        &duplicates);
    assert_int_equal(count_copies(s), duplicates);
    assert_in_range(duplicates, MESSAGES / 20, MESSAGES / 5);
    uint32_t overtaken = 0;
    int64_t longest_ms = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        int64_t late_ms = s->arrivals[i].at_ms - (int64_t)s->arrivals[i].number * GAP_MS;
        assert_in_range(late_ms, 0, most_ms);
        longest_ms = late_ms > longest_ms ? late_ms : longest_ms;
        overtaken += i > 0 && s->arrivals[i].number < s->arrivals[i - 1].number;
    }
    assert_true(longest_ms > most_ms - 50);
    assert_true(overtaken > MESSAGES / 3);
    free(s);
}

static void test_the_same_seed_has_the_same_faults(void **state)
{
    (void)state;
    struct bs_network_options options = {
        .duplicates_pct = 10, .reorder_pct = 50, .reorder_ms = 300, .seed = 9};
    uint64_t duplicates;
    struct sink *a = send_all(options, &duplicates), *b = send_all(options, &duplicates);
    options.seed++;
    struct sink *c = send_all(options, &duplicates);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->arrivals, b->arrivals, a->count * sizeof *a->arrivals);
    assert_true(a->count != c->count ||
                memcmp(a->arrivals, c->arrivals, a->count * sizeof *a->arrivals) != 0);
    free(a);
    free(b);
    free(c);
}

static void expect_arrival(const struct sink *s, uint32_t i, uint32_t number, int64_t at_ms)
{
    assert_true(i < s->count);
    assert_int_equal(s->arrivals[i].number, number);
    assert_int_equal(s->arrivals[i].at_ms, at_ms);
}

static void test_what_is_sent_for_later_comes_then(void **state)
{
    (void)state;
    struct sink *s = new_sink();
    struct bs_network *n = new_network((struct bs_network_options){0}, s);
    assert_int_equal(bs_network_advance(n, 1000), BS_OK);
    assert_int_equal(send(n, 1, 5000), BS_OK);
    assert_int_equal(send(n, 2, 5000), BS_OK);
    assert_int_equal(send(n, 3, 9000), BS_OK);
    assert_int_equal(send(n, 4, 0), BS_OK);
    assert_int_equal(s->count, 1);
    expect_arrival(s, 0, 4, 1000);
    assert_int_equal(bs_network_advance(n, 6000), BS_OK);
    assert_int_equal(send(n, 5, 0), BS_OK);
    expect_arrival(s, 1, 1, 5000);
    expect_arrival(s, 2, 2, 5000);
    expect_arrival(s, 3, 5, 6000);
    assert_int_equal(bs_network_flush(n, false), BS_OK);
    expect_arrival(s, 4, 3, 9000);
    assert_int_equal(s->count, 5);
    bs_network_free(n);
    free(s);
}

/* Who stops does not wait an hour for an upload, and leaves nothing behind. */
static void test_a_stop_delivers_at_once(void **state)
{
    (void)state;
    struct sink *s = new_sink();
    struct bs_network *n = new_network((struct bs_network_options){0}, s);
    assert_int_equal(bs_network_advance(n, 1000), BS_OK);
    assert_int_equal(send(n, 1, 3601000), BS_OK);
    assert_int_equal(send(n, 2, 5000), BS_OK);
    s->closed_from_ms = 2000;
    assert_int_equal(bs_network_advance(n, 6000), BS_CLOSED);
    assert_int_equal(s->count, 0);
    assert_int_equal(bs_network_flush(n, true), BS_OK);
    expect_arrival(s, 0, 2, 1000);
    expect_arrival(s, 1, 1, 1000);
    bs_network_free(n);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_faults),
        cmocka_unit_test(test_late_by_messages),
        cmocka_unit_test(test_late_by_time),
        cmocka_unit_test(test_the_same_seed_has_the_same_faults),
        cmocka_unit_test(test_what_is_sent_for_later_comes_then),
        cmocka_unit_test(test_a_stop_delivers_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
