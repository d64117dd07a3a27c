/* The delivery table, answer by answer; the back-off; what is sent once more. No clock: the times
 * are numbers of the test. */
#include "backstep/core/delivery.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct bs_delivery_batch first_batch = {100, 200};

static struct bs_delivery_answer answer(int http_status)
{
    return (struct bs_delivery_answer){.http_status = http_status, .retry_after_s = -1};
}

static enum bs_delivery_verdict take(struct bs_delivery *d, int http_status, uint64_t from,
                                     uint64_t until, uint64_t now_ms)
{
    struct bs_delivery_answer a = answer(http_status);
    a.sent = true;
    return bs_delivery_take(d, &a, (struct bs_delivery_batch){from, until}, now_ms, 0);
}

static void every_answer_has_its_meaning(void **state)
{
    (void)state;
    static const struct {
        int http_status;
        const char *error, *body;
        enum bs_delivery_state expected;
    } table[] = {
        {204, "", "", BS_DELIVERY_OK},
        {200, "", "{}", BS_DELIVERY_OK},
        {0, "Connection refused", "", BS_DELIVERY_RETRYING},
        {408, "", "", BS_DELIVERY_RETRYING},
        {425, "", "", BS_DELIVERY_RETRYING},
        {429, "", "", BS_DELIVERY_RETRYING},
        {500, "timeout", "", BS_DELIVERY_RETRYING},
        {500, "", "engine: cache maximum memory size exceeded", BS_DELIVERY_RETRYING},
        {500, "retention policy not found: two", "", BS_DELIVERY_REFUSED},
        {500, "", "{\"error\":\"retention policy not found: two\"}", BS_DELIVERY_REFUSED},
        {502, "", "", BS_DELIVERY_RETRYING},
        {503, "", "", BS_DELIVERY_RETRYING},
        {599, "", "", BS_DELIVERY_RETRYING},
        {600, "", "", BS_DELIVERY_REFUSED},
        {302, "", "", BS_DELIVERY_REFUSED},
        {206, "", "", BS_DELIVERY_REFUSED},
        {400, "partial write: field type conflict dropped=1", "", BS_DELIVERY_REFUSED},
        {401, "authorization failed", "", BS_DELIVERY_REFUSED},
        {403, "", "", BS_DELIVERY_REFUSED},
        {404, "database not found: \"x\"", "", BS_DELIVERY_REFUSED},
        {413, "", "", BS_DELIVERY_REFUSED},
        {422, "", "", BS_DELIVERY_REFUSED},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bs_delivery d;
        bs_delivery_init(&d, BS_DELIVERY_NOWHERE);
        struct bs_delivery_answer a = answer(table[i].http_status);
        a.error = bs_slice_text(table[i].error);
        a.body = bs_slice_text(table[i].body);
        enum bs_delivery_verdict verdict = bs_delivery_take(&d, &a, first_batch, 1000, 77);
        if (d.state != table[i].expected)
            fail_msg("HTTP %d \"%s\": state is %d, must be %d", table[i].http_status,
                     table[i].error, (int)d.state, (int)table[i].expected);
        assert_int_equal(verdict,
                         d.state == BS_DELIVERY_OK ? BS_DELIVERY_DELIVERED : BS_DELIVERY_AGAIN);
        assert_int_equal(d.error[0] == '\0', d.state == BS_DELIVERY_OK);
        if (d.state == BS_DELIVERY_REFUSED)
            assert_int_equal(d.again_ms, 31000);
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
    bs_delivery_init(&d, BS_DELIVERY_NOWHERE);
    struct bs_delivery_answer none = answer(0);
    for (int i = 0; i < 2000; i++) {
        bs_delivery_take(&d, &none, first_batch, 5000, bs_random_next(&random));
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
    bs_delivery_take(&d, &none, first_batch, 10000, UINT64_MAX);
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
        bs_delivery_init(&d, BS_DELIVERY_NOWHERE);
        struct bs_delivery_answer a = answer(503);
        a.retry_after_s = table[i].seconds;
        bs_delivery_take(&d, &a, first_batch, 0, 0x123456789abcdef);
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
        {"x alias=Ruth", "HTTP 400: x alias=*"},
        {"a\nb\tc\xc3\xbc\x7f", "HTTP 400: a b?c???"},
        {"", "HTTP 400: no reason given"},
    };
    struct bs_delivery d;
    bs_delivery_init(&d, BS_DELIVERY_NOWHERE);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bs_delivery_answer a = answer(400);
        a.body = bs_slice_text(table[i].said);
        bs_delivery_take(&d, &a, first_batch, 0, 0);
        assert_string_equal(d.error, table[i].expected);
    }
    char many[4096];
    for (size_t cut = 0; cut < 400; cut++) {
        memset(many, 'a', sizeof many);
        memcpy(many + cut, "alias=Ruth", 10);
        struct bs_delivery_answer a = answer(400);
        a.error = bs_slice_of(many, sizeof many);
        bs_delivery_take(&d, &a, first_batch, 0, 0);
        assert_true(strlen(d.error) <= BS_DELIVERY_ERROR_MAX);
        assert_null(strstr(d.error, "Ruth"));
        assert_null(strstr(d.error, "alias=R"));
    }
}

static void what_had_no_answer_is_sent_once_more(void **state)
{
    (void)state;
    struct bs_delivery d;
    uint64_t from = 0;
    bs_delivery_init(&d, BS_DELIVERY_NOWHERE);
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
    bs_delivery_init(&d, 100); /* as an earlier run left it */
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
    bs_delivery_init(&d, BS_DELIVERY_NOWHERE);
    struct bs_delivery_answer a = answer(0);
    bs_delivery_take(&d, &a, first_batch, 0, 0);
    assert_int_equal(bs_delivery_kept_from(&d), BS_DELIVERY_NOWHERE);
    take(&d, 503, 100, 200, 0);
    take(&d, 401, 100, 200, 0);
    assert_int_equal(bs_delivery_kept_from(&d), BS_DELIVERY_NOWHERE);
}

static void what_was_given_up_is_not_sent_again(void **state)
{
    (void)state;
    struct bs_delivery d;
    uint64_t from = 0;
    bs_delivery_init(&d, 100);
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
