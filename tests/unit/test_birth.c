/* Birth messages: what they say of the foot, and what is no birth message. */
#include "backstep/core/birth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void sides(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        enum bs_status status;
        enum bs_foot side;
    } cases[] = {
        {"", BS_OK, BS_FOOT_UNKNOWN},
        {"{}", BS_OK, BS_FOOT_UNKNOWN},
        {"{\"kind\":\"foot\",\"side\":\"L\",\"battery_pct\":80}", BS_OK, BS_FOOT_LEFT},
        {"{\"side\":\"R\"}", BS_OK, BS_FOOT_RIGHT},
        {"{\"side\":\"\"}", BS_INVALID, 0},
        {"{\"side\":\"LL\"}", BS_INVALID, 0},
        {"{\"side\":\"l\"}", BS_INVALID, 0},
        {"{\"side\":1}", BS_INVALID, 0},
        {"[\"side\"]", BS_INVALID, 0},
        {"{", BS_INVALID, 0},
        {"L", BS_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum bs_foot side = BS_FOOT_UNKNOWN;
        enum bs_status status = bs_birth_parse(bs_slice_text(cases[i].payload), &side);
        if (status != cases[i].status || (status == BS_OK && side != cases[i].side))
            fail_msg("%s: status %d, side %d", cases[i].payload, (int)status, (int)side);
    }
}

static void a_huge_one_is_refused(void **state)
{
    (void)state;
    static char payload[8192];
    memset(payload, ' ', sizeof payload);
    payload[0] = '{';
    payload[sizeof payload - 1] = '}';
    enum bs_foot side = BS_FOOT_LEFT;
    assert_int_equal(bs_birth_parse(bs_slice_of(payload, sizeof payload), &side), BS_INVALID);
    assert_int_equal(side, BS_FOOT_LEFT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sides),
        cmocka_unit_test(a_huge_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
