/* Documents in the log: what a line says, and how many lines there are of a storm. The lines are
 * read where an operator would: from standard error. */
#include "../../daemon/shell/answers.h"
#include "../../daemon/shell/report.h"

#include "backstep/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND     UINT64_C(1000000000)
#define SAID_BYTES 65536

static struct {
    FILE *file;
    int stderr_before;
    char text[SAID_BYTES];
} log_lines;

static int listen_to_the_log(void **state)
{
    (void)state;
    bs_report_set(BS_LOG_INFO, false);
    log_lines.file = tmpfile();
    log_lines.stderr_before = dup(STDERR_FILENO);
    bs_check(log_lines.file && log_lines.stderr_before >= 0);
    return dup2(fileno(log_lines.file), STDERR_FILENO) < 0;
}

static int stop_listening(void **state)
{
    (void)state;
    dup2(log_lines.stderr_before, STDERR_FILENO);
    close(log_lines.stderr_before);
    fclose(log_lines.file);
    return 0;
}

/* All that was said since it was asked last. */
static const char *said(void)
{
    ssize_t length = pread(fileno(log_lines.file), log_lines.text, SAID_BYTES - 1, 0);
    bs_check(length >= 0 && ftruncate(fileno(log_lines.file), 0) == 0);
    lseek(fileno(log_lines.file), 0, SEEK_SET);
    log_lines.text[length] = 0;
    return log_lines.text;
}

static unsigned count(const char *text, const char *part)
{
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        found++;
    return found;
}

static void expect_said(const char *part)
{
    const char *text = said();
    if (count(text, part) != 1)
        fail_msg("expected once: %s\nfound: %s", part, text);
}

static struct bs_publication answer(const char *topic, const char *payload)
{
    return (struct bs_publication){.topic = bs_slice_text(topic),
                                   .payload = bs_slice_text(payload),
                                   .qos = 1,
                                   .retained = true};
}

#define RESULT "backstep/v1/gym/result/"

static void take(struct bs_answers *a, const char *topic, const char *payload)
{
    struct bs_publication p = answer(topic, payload);
    bs_answers_take(a, 1, BS_SLICE(RESULT), &p);
}

static void a_line_says_what_became_of_it(void **state)
{
    (void)state;
    struct bs_answers a = {0};
    take(&a, RESULT "member/m-7", "{\"ok\":true,\"rev\":3,\"sha256\":\"00\",\"at\":\"x\"}");
    expect_said("info: member/m-7 rev 3 is in force\n");
    take(&a, RESULT "member/m-7", "{\"ok\":true,\"rev\":null,\"sha256\":\"00\",\"at\":\"x\"}");
    expect_said("info: member/m-7 is in force\n");
    take(&a, RESULT "session/tue",
         "{\"ok\":true,\"rev\":1,\"warning\":{\"pointer\":\"/drill\",\"message\":\"not there\"}}");
    expect_said("warning: session/tue rev 1 is in force, with a warning at /drill: not there\n");
    take(&a, RESULT "member/m-7", "");
    expect_said("info: member/m-7 is deleted\n");
}

static void a_rejection_says_where_and_what_holds(void **state)
{
    (void)state;
    struct bs_answers a = {0};
    take(&a, RESULT "member/m-7",
         "{\"ok\":false,\"rev\":4,\"error\":{\"pointer\":\"/devices/1\",\"message\":\"a device of "
         "m-2\"},\"in_force\":{\"rev\":3,\"sha256\":\"00\"}}");
    expect_said("warning: member/m-7 rev 4 is rejected at /devices/1: a device of m-2; what was in "
                "force stays, rev 3\n");
    take(&a, RESULT "member/m-7",
         "{\"ok\":false,\"rev\":null,\"error\":{\"pointer\":\"\",\"message\":\"no\"},\"in_force\":"
         "{\"rev\":null,\"sha256\":\"00\"}}");
    expect_said("warning: member/m-7 is rejected: no; what was in force stays\n");
    take(&a, RESULT "drill/d",
         "{\"ok\":false,\"rev\":null,\"error\":{\"pointer\":\"\",\"message\":\"not JSON\"},"
         "\"in_force\":null}");
    expect_said("warning: drill/d is rejected: not JSON\n");
}

static void other_publications_are_passed_over(void **state)
{
    (void)state;
    struct bs_answers a = {0};
    take(&a, "backstep/v1/gym/live/tue", "{\"members\":[]}");
    /* A site may be named as the topic is. */
    struct bs_publication live = answer("backstep/v1/result/live/tue", "{\"members\":[]}");
    bs_answers_take(&a, 1, BS_SLICE("backstep/v1/result/result/"), &live);
    bs_answers_sum_up(&a);
    assert_string_equal(said(), "");
    struct bs_publication deleted = answer("backstep/v1/result/result/drill/d", "");
    bs_answers_take(&a, 1, BS_SLICE("backstep/v1/result/result/"), &deleted);
    expect_said("info: drill/d is deleted\n");
}

static void of_a_storm_there_are_counts(void **state)
{
    (void)state;
    struct bs_answers a = {0};
    struct bs_publication again = answer(RESULT "member/m-1", "{\"ok\":true,\"rev\":1}");
    again.unchanged = true;
    for (unsigned i = 0; i < 5000; i++) {
        bs_answers_take(&a, 1, BS_SLICE(RESULT), &again);
        take(&a, RESULT "member/m-2", "{\"ok\":true,\"rev\":2}");
        take(&a, RESULT "member/m-3",
             "{\"ok\":false,\"rev\":2,\"error\":{\"pointer\":\"\",\"message\":\"no\"}}");
    }
    const char *text = said();
    assert_int_equal(count(text, "m-1"), 0);
    assert_int_equal(count(text, "m-2"), 20);
    assert_int_equal(count(text, "m-3"), 20);
    bs_answers_sum_up(&a);
    expect_said("of the documents 5000 came again unchanged, 4980 more came into force or were "
                "deleted, 4980 more were rejected\n");
    bs_answers_sum_up(&a);
    assert_string_equal(said(), "");
    struct bs_publication later = answer(RESULT "member/m-4", "");
    bs_answers_take(&a, 61 * SECOND, BS_SLICE(RESULT), &later);
    expect_said("m-4 is deleted");
}

static void an_unknown_kind_is_named_by_its_topic(void **state)
{
    (void)state;
    struct bs_answers a = {0};
    bs_answers_take_unknown(&a, 1, BS_SLICE("backstep/v1/gym/config/weather/here"));
    expect_said("on backstep/v1/gym/config/weather/here\n");
    /* Cut where a character ends. */
    char topic[400];
    for (size_t i = 0; i < sizeof topic; i += 2)
        memcpy(topic + i, i == 0 ? "xx" : "\xc3\xa9", 2);
    bs_answers_take_unknown(&a, 1, bs_slice_of(topic + 1, sizeof topic - 1));
    expect_said("\xc3\xa9…\n");
    for (unsigned i = 0; i < 100; i++)
        bs_answers_take_unknown(&a, 1, BS_SLICE("x"));
    assert_int_equal(count(said(), "unknown kind"), 18);
    bs_answers_sum_up(&a);
    expect_said("of the documents 82 more were of an unknown kind\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_what_became_of_it),
        cmocka_unit_test(a_rejection_says_where_and_what_holds),
        cmocka_unit_test(other_publications_are_passed_over),
        cmocka_unit_test(of_a_storm_there_are_counts),
        cmocka_unit_test(an_unknown_kind_is_named_by_its_topic),
    };
    return cmocka_run_group_tests(tests, listen_to_the_log, stop_listening);
}
