/* The delivery table, answer by answer; the back-off; what is sent once more. No clock: the times
 * are numbers of the test. */
#include "backstep/core/delivery.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct bs_delivery_transfer whole = {100, 200, 50};

static struct bs_delivery_answer answer(int http_status)
{
    return (struct bs_delivery_answer){.http_status = http_status, .retry_after_s = -1};
}

static enum bs_delivery_outcome take(struct bs_delivery *d, int http_status, uint64_t from,
                                     uint64_t until, uint64_t now_ms)
{
    struct bs_delivery_answer a = answer(http_status);
    a.sent = true;
    struct bs_delivery_transfer t = {from, until, 1};
    enum bs_delivery_outcome outcome = bs_delivery_take(d, &a, t, now_ms, 0).outcome;
    if (outcome == BS_DELIVERY_DELIVERED)
        bs_delivery_pass(d, until);
    return outcome;
}

static enum bs_delivery_outcome take_said(struct bs_delivery *d, const struct bs_delivery_answer *a)
{
    return bs_delivery_take(d, a, whole, 0, 0).outcome;
}

/* Retrying and refused keep the lines; every other outcome is a judgement and the state is well. */
enum { RETRY = 100, REFUSE };

struct row {
    int http_status;
    const char *error, *body;
    int expected[3]; /* by version of the interface: an outcome, RETRY or REFUSE */
};

#define ALL(x)                                                                                     \
    {                                                                                              \
        x, x, x                                                                                    \
    }
#define DELIVERED BS_DELIVERY_DELIVERED
#define BAD       BS_DELIVERY_BAD
#define TOO_LARGE BS_DELIVERY_TOO_LARGE
#define EXPIRED   BS_DELIVERY_EXPIRED
#define NAMED     BS_DELIVERY_NAMED

#define LIST      "{\"error\":\"partial write\",\"data\":[{\"line_number\":2}]}"
#define OBJECT    "{\"error\":\"parsing failed\",\"data\":{\"line_number\":2}}"
#define CONFLICT  "partial write: field type conflict: input field \"f\" dropped=1"
#define NO_ROOM   "partial write: write /x/_series/01/0000: no space left on device dropped=1"
#define BEYOND    "partial write: points beyond retention policy"

static const struct row rows[] = {
    {204, "", "", ALL(DELIVERED)},
    {200, "", "{}", ALL(DELIVERED)},
    {0, "Connection refused", "", ALL(RETRY)},
    {408, "", "", ALL(RETRY)},
    {425, "", "", ALL(RETRY)},
    {429, "", "", ALL(RETRY)},
    {500, "timeout", "", ALL(RETRY)},
    {500, "", "engine: cache maximum memory size exceeded", ALL(RETRY)},
    {501, "", "", ALL(RETRY)},
    {502, "", "", ALL(RETRY)},
    {503, "", "", ALL(RETRY)},
    {504, "", "", ALL(RETRY)},
    {599, "", "", ALL(RETRY)},
    {413, "", "{\"error\":\"Request Entity Too Large\"}", ALL(TOO_LARGE)},
    {401, "authorization failed", "", ALL(REFUSE)},
    {403, "", "", ALL(REFUSE)},
    {404, "database not found: \"x\"", "", ALL(REFUSE)},
    {500, "retention policy not found: two", "", ALL(REFUSE)},
    {500, "", "{\"error\":\"retention policy not found: two\"}", ALL(REFUSE)},
    {400,
     "partial write: max-values-per-tag limit exceeded (3/3): measurement=\"m\" dropped=2",
     "",
     {REFUSE, REFUSE, BAD}},
    {400, "", "{\"error\":\"max-series-per-database limit exceeded: (9)\"}", {REFUSE, REFUSE, BAD}},
    {400, "unable to parse 'm,alias=max-values-per-tag f=': bad", "", ALL(BAD)},
    {400, NO_ROOM, "", {RETRY, RETRY, BAD}},
    {400, "", "{\"error\":\"" NO_ROOM "\"}", {RETRY, RETRY, BAD}},
    {422, NO_ROOM, "", {RETRY, RETRY, BAD}},
    {400, "partial write: write /x/_series/01/0000: disk quota exceeded", "", {RETRY, RETRY, BAD}},
    {400, "partial write: write /x/_series/01/0000: input/output error", "", {RETRY, RETRY, BAD}},
    {400, "partial write: open /x/index: read-only file system", "", {RETRY, RETRY, BAD}},
    {400, "partial write: open /x/index: too many open files", "", {RETRY, RETRY, BAD}},
    {400, "unable to parse 'm,a=no space left on device f=': bad", "", ALL(BAD)},
    {400, "unable to parse 'm,a=points\\ beyond\\ retention\\ policy f=': x", "", ALL(BAD)},
    {400, CONFLICT, "", ALL(BAD)},
    {400, "", "{\"error\":\"" CONFLICT "\"}", ALL(BAD)},
    {400, "unable to parse 'm f=': missing field value", "", ALL(BAD)},
    {400, "", "", ALL(BAD)},
    {400, "", LIST, {BAD, BAD, NAMED}},
    {400, "", OBJECT, ALL(BAD)},
    {400, BEYOND " dropped=7", "", {EXPIRED, BAD, BAD}},
    {400, "", "{\"error\":\"" BEYOND " dropped=7\"}", {EXPIRED, BAD, BAD}},
    {400, BEYOND, "", ALL(BAD)}, /* how many? they are looked for */
    {422, "", "", ALL(BAD)},
    {422, CONFLICT, "", ALL(BAD)},
    {422, "", "{\"message\":\"unprocessable entity: " BEYOND " dropped=7\"}", {BAD, EXPIRED, BAD}},
    {422, "", LIST, {BAD, BAD, NAMED}},
    {402, "", "", ALL(REFUSE)},
    {405, "", "", ALL(REFUSE)},
    {406, "", "", ALL(REFUSE)},
    {407, "", "", ALL(REFUSE)},
    {410, "", "", ALL(REFUSE)},
    {411, "", "", ALL(REFUSE)},
    {412, "", "", ALL(BAD)},
    {414, "", "", ALL(REFUSE)},
    {415, "", "", ALL(REFUSE)},
    {421, "", "", ALL(REFUSE)},
    {426, "", "", ALL(REFUSE)},
    {431, "", "", ALL(REFUSE)},
    {451, "", "", ALL(REFUSE)},
    {400, "", "Client sent an HTTP request to an HTTPS server.\n", ALL(REFUSE)},
    {400, "", "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port",
     ALL(REFUSE)},
    {200, "", "\r\n <!DOCTYPE html><html>Welcome to the hall's network", ALL(REFUSE)},
    {422, "", "<html>", ALL(REFUSE)},
    {413, "", "<html><head><title>413 Request Entity Too Large", ALL(TOO_LARGE)},
    {503, "", "<html><head><title>503 Service Temporarily Unavailable", ALL(RETRY)},
    {400, "", "{\"error\":\"<html>\"}", ALL(BAD)},
    {409, "", LIST, ALL(BAD)},
    {418, "", "", ALL(BAD)},
    {499, "", "", ALL(BAD)},
    {101, "", "", ALL(REFUSE)},
    {206, "", "", ALL(REFUSE)},
    {302, "", "", ALL(REFUSE)},
    {600, "", "", ALL(REFUSE)},
};

static int found_for(const struct row *row, enum bs_delivery_api api)
{
    struct bs_delivery d;
    bs_delivery_init(&d, api, BS_DELIVERY_NOWHERE);
    struct bs_delivery_answer a = answer(row->http_status);
    a.error = bs_slice_text(row->error);
    a.body = bs_slice_text(row->body);
    struct bs_delivery_verdict v = bs_delivery_take(&d, &a, whole, 1000, 77);
    assert_int_equal(v.expired, v.outcome == EXPIRED ? 7 : 0);
    assert_int_equal(d.error[0] == '\0', d.state == BS_DELIVERY_OK);
    assert_int_equal(v.outcome == BS_DELIVERY_AGAIN, d.state != BS_DELIVERY_OK);
    assert_int_equal(d.complaint[0] == '\0',
                     v.outcome == DELIVERED || v.outcome == BS_DELIVERY_AGAIN);
    if (d.state == BS_DELIVERY_REFUSED)
        assert_int_equal(d.again_ms, 31000);
    return d.state == BS_DELIVERY_RETRYING  ? RETRY
           : d.state == BS_DELIVERY_REFUSED ? REFUSE
                                            : (int)v.outcome;
}

static void every_answer_has_its_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (enum bs_delivery_api api = BS_DELIVERY_V1; api <= BS_DELIVERY_V3; api++)
            if (found_for(&rows[i], api) != rows[i].expected[api])
                fail_msg("v%d, HTTP %d \"%s%s\": found %d, must be %d", (int)api + 1,
                         rows[i].http_status, rows[i].error, rows[i].body, found_for(&rows[i], api),
                         rows[i].expected[api]);
}

static void expired_points_are_counted_as_said(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        uint32_t lines, expected; /* 0: not said, they are looked for */
    } table[] = {
        {BEYOND " dropped=3", 50, 3},
        {BEYOND " dropped=50", 50, 50},
        {BEYOND " dropped=51", 50, 50},
        {BEYOND " dropped=1234567890", 50, 0},
        {BEYOND " dropped=", 50, 0},
        {BEYOND " dropped=x", 50, 0},
        {BEYOND, 50, 0},
        {BEYOND, 1, 1},
        {BEYOND " dropped=0", 1, 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bs_delivery d;
        bs_delivery_init(&d, BS_DELIVERY_V1, BS_DELIVERY_NOWHERE);
        struct bs_delivery_answer a = answer(400);
        a.error = bs_slice_text(table[i].said);
        struct bs_delivery_transfer t = {100, 200, table[i].lines};
        struct bs_delivery_verdict v = bs_delivery_take(&d, &a, t, 0, 0);
        assert_int_equal(v.outcome, table[i].expected ? EXPIRED : BAD);
        assert_int_equal(v.expired, table[i].expected);
    }
}

static void back_off_grows_to_a_minute_with_full_jitter(void **state)
{
    (void)state;
    uint64_t seed = 4711;
    struct bs_random random;
    bs_random_init(&random, seed);
    uint64_t ceiling_ms = 250, longest_ms = 0, shortest_ms = UINT64_MAX;
    struct bs_delivery d;
    bs_delivery_init(&d, BS_DELIVERY_V1, BS_DELIVERY_NOWHERE);
    struct bs_delivery_answer none = answer(0);
    for (int i = 0; i < 2000; i++) {
        bs_delivery_take(&d, &none, whole, 5000, bs_random_next(&random));
        uint64_t delay_ms = d.again_ms - 5000;
        if (delay_ms > ceiling_ms)
            fail_msg("seed %llu, failure %d: %llu ms, must be at most %llu",
                     (unsigned long long)seed, i, (unsigned long long)delay_ms,
                     (unsigned long long)ceiling_ms);
        ceiling_ms = ceiling_ms * 2 > 60000 ? 60000 : ceiling_ms * 2;
        if (i < 20)
            continue;
        longest_ms = delay_ms > longest_ms ? delay_ms : longest_ms;
        shortest_ms = delay_ms < shortest_ms ? delay_ms : shortest_ms;
    }
    assert_in_range(longest_ms, 59000, 60000);
    assert_in_range(shortest_ms, 0, 1000);
    assert_int_equal(take(&d, 204, 100, 200, 9000), BS_DELIVERY_DELIVERED);
    assert_int_equal(d.again_ms, 0);
    bs_delivery_take(&d, &none, whole, 10000, UINT64_MAX);
    assert_in_range(d.again_ms, 10000, 10250);
}

static void retry_after_wins_but_for_ten_minutes_at_most(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        uint64_t shortest_ms, longest_ms;
    } table[] = {{1, 1000, 1000},
                 {7, 7000, 7000},
                 {600, 600000, 600000},
                 {601, 600000, 600000},
                 {INT64_MAX, 600000, 600000},
                 {0, 0, 250},
                 {-1, 0, 250}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bs_delivery d;
        bs_delivery_init(&d, BS_DELIVERY_V1, BS_DELIVERY_NOWHERE);
        struct bs_delivery_answer a = answer(503);
        a.retry_after_s = table[i].seconds;
        bs_delivery_take(&d, &a, whole, 0, 0x123456789abcdef);
        assert_in_range(d.again_ms, table[i].shortest_ms, table[i].longest_ms);
    }
}

static void an_error_is_short_printable_and_names_no_one(void **state)
{
    (void)state;
    static const struct {
        const char *said, *expected;
    } table[] = {
        {"unable to parse 'gait_window,alias=Ruth\\ M\\,x,direction=B steps=1 5': bad",
         "HTTP 400: unable to parse 'gait_window,alias=*,direction=B steps=1 5': bad"},
        {"{\"error\":\"x,alias=Ruth\\\\ M steps=1\"}",
         "HTTP 400: {\"error\":\"x,alias=* steps=1\"}"},
        {"g,member=m-1,phase=back\\ wards f=1", "HTTP 400: g,member=m-1,phase=* f=1"},
        {"tag=\"alias\" value=\"Ruth \\\"M\" dropped=2",
         "HTTP 400: tag=\"alias\" value=* dropped=2"},
        {"{\"e\":\"value=\\\"Ruth \\\\\\\"M\\\" dropped=2\"}",
         "HTTP 400: {\"e\":\"value=* dropped=2\"}"},
        {"value=Ruth,x", "HTTP 400: value=*,x"},
        {"value=\"Ruth", "HTTP 400: value=*"},
        {"x alias=Ruth", "HTTP 400: x alias=*"},
        {"a\nb\tc\xc3\xbc\x7f", "HTTP 400: a b?c???"},
        {"", "HTTP 400: no reason given"},
        {" \n \r\n", "HTTP 400: no reason given"},
    };
    struct bs_delivery d;
    bs_delivery_init(&d, BS_DELIVERY_V1, BS_DELIVERY_NOWHERE);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bs_delivery_answer a = answer(400);
        a.body = bs_slice_text(table[i].said);
        assert_int_equal(take_said(&d, &a), BAD);
        assert_string_equal(d.complaint, table[i].expected);
    }
    static const char *const marks[] = {"alias=Ruth", "phase=Ruth", "value=\"Ruth\""};
    char many[4096];
    for (size_t cut = 0; cut < 3 * 400; cut++) {
        memset(many, 'a', sizeof many);
        memcpy(many + cut / 3, marks[cut % 3], strlen(marks[cut % 3]));
        struct bs_delivery_answer a = answer(403);
        a.error = bs_slice_of(many, sizeof many);
        assert_int_equal(take_said(&d, &a), BS_DELIVERY_AGAIN);
        assert_true(strlen(d.error) <= BS_DELIVERY_ERROR_MAX);
        if (strstr(d.error, "Ruth") || strstr(d.error, "=R") || strstr(d.error, "=\""))
            fail_msg("cut %zu lets a name through: %s", cut, d.error);
    }
}

static void what_had_no_answer_is_sent_once_more(void **state)
{
    (void)state;
    struct bs_delivery d;
    uint64_t from = 0;
    bs_delivery_init(&d, BS_DELIVERY_V1, BS_DELIVERY_NOWHERE);
    take(&d, 204, 0, 100, 0);
    take(&d, 0, 100, 200, 1000);
    assert_int_equal(bs_delivery_kept_from(&d), 100);
    assert_int_equal(bs_delivery_go_back_ms(&d), BS_DELIVERY_NOWHERE);
    take(&d, 204, 100, 220, 2000);
    assert_int_equal(bs_delivery_go_back_ms(&d), 12000);
    take(&d, 204, 220, 300, 3000);
    take(&d, 503, 300, 400, 4000); /* a break: the ten seconds begin again */
    assert_int_equal(bs_delivery_go_back_ms(&d), BS_DELIVERY_NOWHERE);
    take(&d, 204, 300, 400, 5000);
    assert_false(bs_delivery_go_back(&d, 400, 14999, &from));
    assert_true(bs_delivery_go_back(&d, 400, 15000, &from));
    assert_int_equal(from, 100);
    assert_int_equal(bs_delivery_kept_from(&d), 100);
    assert_false(bs_delivery_go_back(&d, 400, 99999, &from));

    take(&d, 204, 100, 399, 16000);
    assert_int_equal(bs_delivery_kept_from(&d), 100);
    take(&d, 204, 399, 450, 17000);
    assert_int_equal(bs_delivery_kept_from(&d), BS_DELIVERY_NOWHERE);
}

static void a_second_sending_without_an_answer_is_repeated_too(void **state)
{
    (void)state;
    struct bs_delivery d;
    uint64_t from = 0;
    bs_delivery_init(&d, BS_DELIVERY_V1, 100); /* as an earlier run left it */
    assert_int_equal(bs_delivery_kept_from(&d), 100);
    take(&d, 204, 300, 400, 0);
    assert_true(bs_delivery_go_back(&d, 400, 10000, &from));
    take(&d, 204, 100, 200, 11000);
    take(&d, 504, 200, 300, 12000);
    take(&d, 204, 200, 400, 13000);
    assert_int_equal(bs_delivery_kept_from(&d), 200);
    assert_true(bs_delivery_go_back(&d, 400, 23000, &from));
    assert_int_equal(from, 200);
    take(&d, 204, 200, 400, 24000);
    assert_int_equal(bs_delivery_kept_from(&d), BS_DELIVERY_NOWHERE);
}

static void a_refused_connection_leaves_nothing_unresolved(void **state)
{
    (void)state;
    struct bs_delivery d;
    bs_delivery_init(&d, BS_DELIVERY_V1, BS_DELIVERY_NOWHERE);
    struct bs_delivery_answer a = answer(0);
    bs_delivery_take(&d, &a, whole, 0, 0);
    assert_int_equal(bs_delivery_kept_from(&d), BS_DELIVERY_NOWHERE);
    take(&d, 503, 100, 200, 0);
    take(&d, 401, 100, 200, 0);
    take(&d, 400, 100, 200, 0);
    assert_int_equal(bs_delivery_kept_from(&d), BS_DELIVERY_NOWHERE);
    a.http_status = 500; /* InfluxDB 1 stopped waiting for its own disk */
    a.error = BS_SLICE("timeout");
    bs_delivery_take(&d, &a, whole, 0, 0);
    assert_int_equal(bs_delivery_kept_from(&d), 100);
}

static void what_was_given_up_is_not_sent_again(void **state)
{
    (void)state;
    struct bs_delivery d;
    uint64_t from = 0;
    bs_delivery_init(&d, BS_DELIVERY_V1, 100);
    bs_delivery_forget_before(&d, 250);
    assert_int_equal(bs_delivery_kept_from(&d), 250);
    take(&d, 204, 300, 400, 0);
    assert_true(bs_delivery_go_back(&d, 400, 10000, &from));
    assert_int_equal(from, 250);
    bs_delivery_forget_before(&d, 400);
    assert_int_equal(bs_delivery_kept_from(&d), BS_DELIVERY_NOWHERE);
    bs_delivery_forget_before(&d, 500);
    assert_int_equal(bs_delivery_kept_from(&d), BS_DELIVERY_NOWHERE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_has_its_meaning),
        cmocka_unit_test(expired_points_are_counted_as_said),
        cmocka_unit_test(back_off_grows_to_a_minute_with_full_jitter),
        cmocka_unit_test(retry_after_wins_but_for_ten_minutes_at_most),
        cmocka_unit_test(an_error_is_short_printable_and_names_no_one),
        cmocka_unit_test(what_had_no_answer_is_sent_once_more),
        cmocka_unit_test(a_second_sending_without_an_answer_is_repeated_too),
        cmocka_unit_test(a_refused_connection_leaves_nothing_unresolved),
        cmocka_unit_test(what_was_given_up_is_not_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
