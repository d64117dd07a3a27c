/* Reading the daemon's answers: what bs_config writes is read whole, and anything else is survived.
 * Must never need a broker. */
#include "answer.h"

#include "backstep/core/config.h"

#include <stdio.h>
#include <stdlib.h>

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct bs_answer judge(struct bs_config *config, const char *kind, const char *text)
{
    struct bs_config_arrival arrival = {.kind = bs_slice_text(kind),
                                        .id = BS_SLICE("tue"),
                                        .payload = bs_slice_text(text),
                                        .retained = true,
                                        .at = {INT64_C(1795716000123)}};
    struct bs_config_outcome outcome;
    struct bs_answer answer;
    bs_config_arrive(config, &arrival, &outcome);
    assert_true(bs_answer_read(outcome.result, &answer));
    return answer;
}

static void test_own_answers(void **state)
{
    (void)state;
    struct bs_config *config;
    assert_int_equal(bs_config_new(&config), BS_OK);

    struct bs_answer a = judge(config, "group", "{\"rev\":4294967295}");
    assert_true(a.ok && !a.has_finding && a.rev.known);
    assert_int_equal(a.rev.number, UINT32_MAX);
    assert_string_equal(a.sha256,
                        "ffdba527199d67c02b6724f472782de345367a7e4f63b814b1a138beb35b012d");

    a = judge(config, "group", "{\"rev\":3}");
    assert_true(!a.ok && a.has_finding && a.has_in_force && a.in_force.known);
    assert_int_equal(a.rev.number, 3);
    assert_int_equal(a.in_force.number, UINT32_MAX);
    assert_string_equal(a.finding.pointer, "/rev");

    a = judge(config, "drill", "[]");
    assert_true(!a.ok && a.has_finding && !a.has_in_force && !a.rev.known);
    assert_string_equal(a.finding.pointer, "");

    a = judge(config, "session", "{\"drill\":\"x\",\"start\":\"2026-11-24T18:00:00Z\"}");
    assert_true(a.ok && a.has_finding && !a.rev.known);
    assert_string_equal(a.finding.pointer, "/drill");
    bs_config_free(config);
}

static void test_what_is_no_answer(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "{", "[]", "null", "{\"rev\":1}", "{\"ok\":1}", "{\"ok\":null}", "\xff\xfe"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bs_answer a;
        print_message("%s\n", texts[i]);
        assert_false(bs_answer_read(bs_slice_text(texts[i]), &a));
    }
}

/* Another program may have written it: no number, no text of it is trusted. */
static void test_strange_answers(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"ok\":false}",
        "{\"ok\":false,\"rev\":-1,\"error\":[],\"in_force\":3,\"sha256\":7}",
        "{\"ok\":true,\"rev\":1e300,\"warning\":{\"pointer\":7}}",
        "{\"ok\":false,\"error\":{\"message\":null}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bs_answer a;
        print_message("%s\n", texts[i]);
        assert_true(bs_answer_read(bs_slice_text(texts[i]), &a));
        assert_false(a.rev.known || a.has_in_force);
        assert_string_equal(a.sha256, "");
        assert_string_equal(a.finding.message, "");
    }
}

static void test_lines(void **state)
{
    (void)state;
    struct bs_answer a;
    char *text;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    assert_non_null(to);
    assert_true(bs_answer_read(
        BS_SLICE("{\"ok\":false,\"error\":{\"pointer\":\"/a\",\"message\":\"no\\u001b[2J\"}}"),
        &a));
    bs_answer_write_finding(&a, "x/y.json", to);
    assert_true(bs_answer_read(
        BS_SLICE("{\"ok\":true,\"warning\":{\"pointer\":\"\",\"message\":\"well\"}}"), &a));
    bs_answer_write_finding(&a, "x/z.json", to);
    assert_true(bs_answer_read(BS_SLICE("{\"ok\":true}"), &a));
    bs_answer_write_finding(&a, "x/q.json", to);
    fclose(to);
    assert_string_equal(text, "x/y.json:/a: no?[2J\nx/z.json:: warning: well\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_answers),
        cmocka_unit_test(test_what_is_no_answer),
        cmocka_unit_test(test_strange_answers),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
