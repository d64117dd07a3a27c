/* Topics, one row each. */
#include "backstep/core/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROOT  "backstep/v1/north/"
#define ID_64 "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

static void test_topics(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        enum bs_topic_kind kind;
        bool valid;
        const char *id, *document;
    } rows[] = {
        {ROOT "device/pod-12L/steps", BS_TOPIC_STEPS, true, "pod-12L", ""},
        {ROOT "device/pod-12L/birth", BS_TOPIC_BIRTH, true, "pod-12L", ""},
        {ROOT "device/pod-12L/state", BS_TOPIC_STATE, true, "pod-12L", ""},
        {ROOT "device/" ID_64 "/steps", BS_TOPIC_STEPS, true, ID_64, ""},
        {ROOT "device/" ID_64 "x/steps", BS_TOPIC_STEPS, false, "", ""},
        {ROOT "device/steps/steps", BS_TOPIC_STEPS, true, "steps", ""},
        {ROOT "device//steps", BS_TOPIC_STEPS, false, "", ""},
        {ROOT "device/steps", BS_TOPIC_STEPS, false, "", ""},
        {ROOT "device/a/b/steps", BS_TOPIC_STEPS, false, "", ""},
        {ROOT "device/a/steps/steps", BS_TOPIC_STEPS, false, "", ""},
        {ROOT "device/a b/steps", BS_TOPIC_STEPS, false, "", ""},
        {ROOT "device/a\xc3\xa4/birth", BS_TOPIC_BIRTH, false, "", ""},
        {ROOT "device/a.b/state", BS_TOPIC_STATE, false, "", ""},
        {ROOT "device/a/Steps", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "device/a/steps/", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "device/a/", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "device/", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "device", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "devices/a/steps", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "config/settings/site", BS_TOPIC_CONFIG, true, "site", "settings"},
        {ROOT "config/nonsense/x", BS_TOPIC_CONFIG, true, "x", "nonsense"},
        {ROOT "config/member/guest-1", BS_TOPIC_CONFIG, true, "guest-1", "member"},
        {ROOT "config/member/a.b", BS_TOPIC_CONFIG, false, "", ""},
        {ROOT "config/member/", BS_TOPIC_CONFIG, false, "", ""},
        {ROOT "config/member", BS_TOPIC_CONFIG, false, "", ""},
        {ROOT "config/member/a/b", BS_TOPIC_CONFIG, false, "", ""},
        {ROOT "config//a", BS_TOPIC_CONFIG, false, "", ""},
        {ROOT "config/", BS_TOPIC_CONFIG, false, "", ""},
        {ROOT "config", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "command/forget/m1", BS_TOPIC_FORGET, true, "m1", ""},
        {ROOT "command/forget/", BS_TOPIC_FORGET, false, "", ""},
        {ROOT "command/forget/a/b", BS_TOPIC_FORGET, false, "", ""},
        {ROOT "command/forget", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "command/other/m1", BS_TOPIC_OTHER, false, "", ""},
        {ROOT "service/north", BS_TOPIC_OTHER, false, "", ""},
        {ROOT, BS_TOPIC_OTHER, false, "", ""},
        {"backstep/v1/north", BS_TOPIC_OTHER, false, "", ""},
        {"backstep/v1/south/device/a/steps", BS_TOPIC_OTHER, false, "", ""},
        {"", BS_TOPIC_OTHER, false, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bs_topic got = bs_topic_parse(BS_SLICE(ROOT), bs_slice_text(rows[i].topic));
        if (got.kind != rows[i].kind || got.valid != rows[i].valid ||
            !bs_slice_equal(got.id, bs_slice_text(rows[i].id)) ||
            !bs_slice_equal(got.document, bs_slice_text(rows[i].document)))
            fail_msg("%s: kind %d, valid %d, id %.*s, document %.*s; expected %d, %d, %s, %s",
                     rows[i].topic, got.kind, got.valid, (int)got.id.length, got.id.at,
                     (int)got.document.length, got.document.at, rows[i].kind, rows[i].valid,
                     rows[i].id, rows[i].document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
