/* The books: both equations, and a document that leaves nothing out. */
#include "backstep/core/books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

static void both_equations_must_hold(void **state)
{
    (void)state;
    struct bs_books b = {.messages_received = 5,
                         .messages_parsed = 3,
                         .steps_received = 10,
                         .steps_counted = 6,
                         .steps_fused = 1};
    b.messages_rejected[BS_MESSAGE_RETAINED] = 1;
    b.messages_rejected[BS_MESSAGE_SCHEMA] = 1;
    b.steps_rejected[BS_STEP_DUPLICATE] = 3;
    assert_true(bs_books_balance(&b));
    b.steps_rejected[BS_STEP_TOO_LATE] = 1;
    assert_false(bs_books_balance(&b));
    b.steps_received++;
    assert_true(bs_books_balance(&b));
    b.messages_parsed++;
    assert_false(bs_books_balance(&b));
}

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(item))
        fail_msg("%s is missing", name);
    return item->valuedouble;
}

static void every_counter_and_reason_is_written(void **state)
{
    (void)state;
    struct bs_books b = {0};
    uint64_t next = 1;
#define NUMBER_COUNTER(name, sentence) b.name = next++;
    BS_BOOKS_COUNTERS(NUMBER_COUNTER)
#undef NUMBER_COUNTER
    for (int i = 0; i < BS_MESSAGE_REASON_COUNT; i++)
        b.messages_rejected[i] = next++;
    struct bs_buffer out;
    bs_buffer_init(&out, 65536);
    bs_books_write(&b, &out);
    assert_false(out.failed);
    cJSON *books = cJSON_ParseWithLength(out.at, out.length);
    assert_non_null(books);
#define FIND_COUNTER(name, sentence) assert_true(number(books, #name) == (double)b.name);
    BS_BOOKS_COUNTERS(FIND_COUNTER)
#undef FIND_COUNTER
    const cJSON *messages = cJSON_GetObjectItem(books, "messages_rejected");
    for (int i = 0; i < BS_MESSAGE_REASON_COUNT; i++)
        assert_true(number(messages, bs_message_reason_name((enum bs_message_reason)i)) ==
                    (double)b.messages_rejected[i]);
    const cJSON *steps = cJSON_GetObjectItem(books, "steps_rejected");
    for (int i = 0; i < BS_STEP_REASON_COUNT; i++)
        assert_true(number(steps, bs_step_reason_name((enum bs_step_reason)i)) == 0);
    cJSON_Delete(books);
    bs_buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_equations_must_hold),
        cmocka_unit_test(every_counter_and_reason_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
