/* Birth messages: what they say of the sensor, and what is no birth message. */
#include "backstep/core/birth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void tellings(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        enum bs_status status;
        struct bs_birth birth;
    } cases[] = {
        {"", BS_OK, {0, 0, -1}},
        {"{}", BS_OK, {0, 0, -1}},
        {"{\"kind\":\"foot\",\"side\":\"L\",\"battery_pct\":80}",
         BS_OK,
         {BS_SENSOR_FOOT, BS_FOOT_LEFT, 80}},
        {"{\"kind\":\"trunk\"}", BS_OK, {BS_SENSOR_TRUNK, 0, -1}},
        {"{\"kind\":\"wrist\",\"battery_pct\":0}", BS_OK, {BS_SENSOR_WRIST, 0, 0}},
        {"{\"kind\":\"chest\",\"battery_pct\":101}", BS_OK, {BS_SENSOR_CHEST, 0, -1}},
        {"{\"battery_pct\":\"80\"}", BS_OK, {0, 0, -1}},
        {"{\"side\":\"R\"}", BS_OK, {0, BS_FOOT_RIGHT, -1}},
        {"{\"side\":\"\"}", BS_INVALID, {0}},
        {"{\"side\":\"LL\"}", BS_INVALID, {0}},
        {"{\"side\":\"l\"}", BS_INVALID, {0}},
        {"{\"side\":1}", BS_INVALID, {0}},
        {"{\"kind\":\"hat\"}", BS_INVALID, {0}},
        {"{\"kind\":null}", BS_INVALID, {0}},
        {"[\"side\"]", BS_INVALID, {0}},
        {"{", BS_INVALID, {0}},
        {"L", BS_INVALID, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bs_birth b = {0};
        enum bs_status status = bs_birth_parse(bs_slice_text(cases[i].payload), &b);
        if (status != cases[i].status || b.side != cases[i].birth.side ||
            b.kind != cases[i].birth.kind || b.battery_pct != cases[i].birth.battery_pct)
            fail_msg("%s: status %d, kind %d, side %d, battery %d", cases[i].payload, (int)status,
                     (int)b.kind, (int)b.side, b.battery_pct);
    }
}

static void a_huge_one_is_refused(void **state)
{
    (void)state;
    static char payload[8192];
    memset(payload, ' ', sizeof payload);
    payload[0] = '{';
    payload[sizeof payload - 1] = '}';
    struct bs_birth birth = {.side = BS_FOOT_LEFT};
    assert_int_equal(bs_birth_parse(bs_slice_of(payload, sizeof payload), &birth), BS_INVALID);
    assert_int_equal(birth.side, BS_FOOT_LEFT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tellings),
        cmocka_unit_test(a_huge_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
