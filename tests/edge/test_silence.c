/* When silence is said: soon after a connection that brings nothing, late after one that did, and
 * each silence once. */
#include "../../daemon/shell/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND    UINT64_C(1000000000)
#define MINUTE    (60 * SECOND)
#define CONNECTED (500 * MINUTE)

/* Looks every ten seconds from one minute to another: how often it said what. */
static void look(struct bs_silence *s, uint64_t from, uint64_t to, uint64_t connected,
                 uint64_t last, unsigned ret[3])
{
    for (int i = 0; i < 3; i++)
        ret[i] = 0;
    for (uint64_t now = from; now < to; now += 10 * SECOND)
        ret[bs_silence_judge(s, now, connected, last)]++;
}

static void a_connection_that_brings_nothing(void **state)
{
    (void)state;
    struct bs_silence s = {0};
    unsigned said[3];
    look(&s, CONNECTED, CONNECTED + 2 * MINUTE, CONNECTED, 0, said);
    assert_int_equal(said[BS_SILENCE_AT_ONCE] + said[BS_SILENCE_SINCE], 0);
    look(&s, CONNECTED + 2 * MINUTE, CONNECTED + 60 * MINUTE, CONNECTED, 0, said);
    assert_int_equal(said[BS_SILENCE_AT_ONCE], 1);
    assert_int_equal(said[BS_SILENCE_SINCE], 0);
    /* Messages of the connection before are no messages of this one. */
    uint64_t again = CONNECTED + 90 * MINUTE;
    look(&s, again, again + 60 * MINUTE, again, again - 5 * MINUTE, said);
    assert_int_equal(said[BS_SILENCE_AT_ONCE], 1);
    assert_int_equal(said[BS_SILENCE_SINCE], 0);
}

static void a_connection_that_falls_silent(void **state)
{
    (void)state;
    struct bs_silence s = {0};
    unsigned said[3];
    uint64_t last = CONNECTED + 3 * MINUTE;
    look(&s, last, last + 10 * MINUTE, CONNECTED, last, said);
    assert_int_equal(said[BS_SILENCE_NONE], 60);
    look(&s, last + 10 * MINUTE, last + 600 * MINUTE, CONNECTED, last, said);
    assert_int_equal(said[BS_SILENCE_SINCE], 1);
    /* It speaks, and falls silent again: that is another silence. */
    last += 700 * MINUTE;
    look(&s, last, last + 600 * MINUTE, CONNECTED, last, said);
    assert_int_equal(said[BS_SILENCE_SINCE], 1);
    assert_int_equal(said[BS_SILENCE_AT_ONCE], 0);
}

static void the_first_message_may_bear_the_coarse_clocks_time(void **state)
{
    (void)state;
    struct bs_silence s = {0};
    unsigned said[3];
    look(&s, CONNECTED, CONNECTED + 9 * MINUTE, CONNECTED, CONNECTED - 4000000, said);
    assert_int_equal(said[BS_SILENCE_NONE], 54);
}

static void nobody_expects_a_word_while_away(void **state)
{
    (void)state;
    struct bs_silence s = {0};
    unsigned said[3];
    look(&s, CONNECTED, CONNECTED + 60 * MINUTE, 0, CONNECTED - 60 * MINUTE, said);
    assert_int_equal(said[BS_SILENCE_NONE], 360);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_brings_nothing),
        cmocka_unit_test(a_connection_that_falls_silent),
        cmocka_unit_test(the_first_message_may_bear_the_coarse_clocks_time),
        cmocka_unit_test(nobody_expects_a_word_while_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
