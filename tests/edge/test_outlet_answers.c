/* What the outlet makes of answers that are neither a yes nor silence: bad lines are found and
 * become dead letters, what is too large goes in parts, a refusal keeps everything, in order. The
 * server of exact bytes judges by the lines it is sent. */
#include "judge_rig.h"

/* Bad lines ----------------------------------------------------------------------------------- */

static void bad_lines_become_letters(void **state)
{
    (void)state;
    static const struct {
        int api;
        const char *answer, *body, *message; /* body NULL: the answer is all */
        bool stores_the_rest;
    } table[] = {
        {1, SAYS("partial write: field type conflict dropped=1"), NULL,
         "HTTP 400: partial write: field type conflict dropped=1", true},
        {1, SAYS("unable to parse 'm,alias=Ruth f='"), NULL,
         "HTTP 400: unable to parse 'm,alias=* f='", true},
        {2, HEAD_400, "{\"code\":\"\\u00e9\"}", "HTTP 400: {\\\"code\\\":\\\"\\\\u00e9\\\"}",
         false},
        {2, "HTTP/1.1 422 No\r\n" EMPTY, NULL, "HTTP 422: no reason given", true},
        {3, HEAD_400, "{\"error\":\"x\",\"data\":{\"a\":\"[1\"}}",
         "HTTP 400: {\\\"error\\\":\\\"x\\\",\\\"data\\\":{\\\"a\\\":\\\"[1\\\"}}", false},
        {2, "HTTP/1.1 418 Teapot\r\n" EMPTY, NULL, "HTTP 418: no reason given", false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct judge j = {.objection = {CANNED_ANSWER, table[i].answer},
                          .is_bad = is_13_or_777,
                          .stores_the_rest = table[i].stores_the_rest};
        if (table[i].body)
            j.objection.text = with_body(table[i].answer, table[i].body);
        struct rig r;
        prepare_judged(&r, &j, table[i].api);
        start(&r);
        append(&r, 1500);
        run_until_settled(&r);
        assert_counts(&r, 1498, 2, 0);
        stop(&r, 5000);
        char *letters = read_file(r.letters);
        const char *second = assert_letter(letters, 13, table[i].message, false);
        assert_string_equal(assert_letter(second, 777, table[i].message, false), "");
        free(letters);
        struct stat about;
        assert_int_equal(stat(r.letters, &about), 0);
        assert_int_equal(about.st_mode & 07777, 0600);

        start(&r); /* the counters are kept, nothing is sent again */
        assert_counts(&r, 1498, 2, 0);
        append(&r, 10);
        run_until_settled(&r);
        assert_counts(&r, 1508, 2, 0);
        stop(&r, 5000);
        discard(&r);
        for (unsigned line = 0; line < 1510; line++)
            if (table[i].stores_the_rest ? !j.stored[line] != is_13_or_777(line)
                                         : j.stored[line] != !is_13_or_777(line))
                fail_msg("row %zu: line %u was stored %u times", i, line, j.stored[line]);
        assert_int_equal(j.newest, 1510);
    }
}

static bool is_below_300(unsigned line)
{
    return line < 300;
}

static void too_many_bad_lines_are_suspects(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY}, .is_bad = is_below_300};
    struct rig r;
    prepare_judged(&r, &j, 2);
    start(&r);
    append(&r, 310);
    run_until_settled(&r);
    assert_int_equal(state_of(&r).dead_letters + state_of(&r).delivered, 310);
    assert_in_range(state_of(&r).dead_letters, 300, 310);
    append(&r, 5);
    run_until_settled(&r);
    stop(&r, 5000);
    char *letters = read_file(r.letters);
    const char *at = letters;
    for (unsigned line = 0; line < 300; line++) {
        bool suspect = memmem(at, strcspn(at, "\n"), "\"suspect\":true", 14) != NULL;
        at = assert_letter(at, line, "HTTP 400: no reason given", suspect);
    }
    assert_non_null(strstr(letters, "suspect"));
    free(letters);
    discard(&r);
    assert_int_equal(j.newest, 315);
}

static void a_search_waits_out_a_busy_server(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY},
                      .is_bad = is_13_or_777,
                      .silent_from = 4,
                      .silent_until = 7};
    struct rig r;
    prepare_judged(&r, &j, 2);
    start(&r);
    append(&r, 1000);
    run_until_settled(&r);
    assert_counts(&r, 998, 2, 0);
    stop(&r, 5000);
    for (unsigned line = 0; line < 1000; line++)
        assert_int_equal(j.stored[line], !is_13_or_777(line));
    discard(&r);
}

static void a_search_that_was_cut_off_begins_afresh(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY},
                      .is_bad = is_13_or_777,
                      .silent_from = 19,
                      .silent_until = 100000};
    struct rig r;
    prepare_judged(&r, &j, 2);
    start(&r);
    append(&r, 1000);
    for (int i = 0; i < 2000 && state_of(&r).transfers < 21; i++)
        turn(&r);
    stop(&r, 0);
    j.silent_until = 0;
    start(&r);
    run_until_settled(&r);
    assert_counts(&r, 998, 2, 0);
    stop(&r, 5000);
    for (unsigned line = 0; line < 1000; line++)
        assert_int_equal(j.stored[line] > 0, !is_13_or_777(line));
    char *letters = read_file(r.letters);
    const char *second = assert_letter(letters, 13, "HTTP 400: no reason given", false);
    assert_string_equal(assert_letter(second, 777, "HTTP 400: no reason given", false), "");
    free(letters);
    discard(&r);
}

/* What the server names ----------------------------------------------------------------------- */

static struct canned_step name_bad(const struct judge *j, const char *body)
{
    static char list[4096];
    size_t used = (size_t)snprintf(list, sizeof(list), "{\"error\":\"partial\",\"data\":[");
    unsigned number = 0, named = 0;
    for (const char *at = body; *at; at = strchr(at, '\n') + 1) {
        number++;
        if (!j->is_bad(line_number(at)))
            continue;
        /* As servers do, it shortens the line. */
        used += (size_t)snprintf(list + used, sizeof(list) - used,
                                 "%s{\"error_message\":\"no, alias=Ruth\",\"line_number\":%u,"
                                 "\"original_line\":\"%.8s\"}",
                                 named++ ? "," : "", number, at);
    }
    snprintf(list + used, sizeof(list) - used, "]}");
    return (struct canned_step){CANNED_ANSWER, with_body(HEAD_400, list)};
}

static void named_lines_become_letters_at_once(void **state)
{
    (void)state;
    struct judge j = {.object = name_bad, .is_bad = is_13_or_777, .stores_the_rest = true};
    struct rig r;
    prepare_judged(&r, &j, 3);
    start(&r);
    append(&r, 1000);
    run_until_settled(&r);
    assert_counts(&r, 998, 2, 0);
    stop(&r, 5000);
    char *letters = read_file(r.letters);
    const char *second = assert_letter(letters, 13, "no, alias=*", false);
    assert_string_equal(assert_letter(second, 777, "no, alias=*", false), "");
    free(letters);
    for (unsigned line = 0; line < 1000; line++)
        assert_int_equal(j.stored[line], !is_13_or_777(line));
    discard(&r);
}

/* 16 KiB of the body are read: what stands behind is asked for again. */
static struct canned_step name_all(void *context, const char *body, size_t length)
{
    static char list[200000] = "{\"data\":[";
    struct judge *j = context;
    char *text = strndup(body, length);
    static const size_t begin = 9;
    size_t used = begin;
    unsigned number = 0;
    j->requests++;
    for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
        number++;
        if (line_number(at) % 2)
            used += (size_t)snprintf(list + used, sizeof(list) - used,
                                     "%s{\"line_number\":%u,\"original_line\":\"%.*s\"}",
                                     used > begin ? "," : "", number, (int)strcspn(at, "\n"), at);
        else
            j->stored[line_number(at)]++;
    }
    free(text);
    if (used == begin)
        return (struct canned_step){CANNED_ANSWER, CANNED_204};
    snprintf(list + used, sizeof(list) - used, "]}");
    return (struct canned_step){CANNED_ANSWER, with_body(HEAD_400, list)};
}

static void a_long_list_is_asked_for_in_parts(void **state)
{
    (void)state;
    struct judge j = {0};
    struct rig r;
    prepare_judged(&r, &j, 3);
    r.server.judge = name_all;
    r.conf.influxdb.batch_points = 2000;
    start(&r);
    append(&r, 2000);
    run_until_settled(&r);
    assert_counts(&r, 1000, 1000, 0);
    assert_in_range(state_of(&r).transfers, 3, 10);
    stop(&r, 5000);
    char *letters = read_file(r.letters);
    const char *at = letters;
    for (unsigned line = 1; line < 2000; line += 2)
        at = assert_letter(at, line, "", false);
    assert_string_equal(at, "");
    free(letters);
    discard(&r);
}

static void who_names_other_lines_is_not_believed(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"data\":[{\"line_number\":14,\"original_line\":\"m,s=5 f=12i\"}]}",
        "{\"data\":[{\"line_number\":99999,\"original_line\":\"m,s=6 f=13i\"}]}",
        "{\"data\":[]}",
        "{\"data\":[{\"line_number\":0}]}",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct judge j = {.objection = {CANNED_ANSWER, with_body(HEAD_400, bodies[i])},
                          .is_bad = is_13_or_777,
                          .stores_the_rest = true};
        struct rig r;
        prepare_judged(&r, &j, 3);
        start(&r);
        append(&r, 1000);
        run_until_settled(&r);
        assert_counts(&r, 998, 2, 0);
        stop(&r, 5000);
        for (unsigned line = 0; line < 1000; line++)
            assert_int_equal(!j.stored[line], is_13_or_777(line));
        discard(&r);
    }
}

/* Size, age, refusal -------------------------------------------------------------------------- */

static void what_is_too_large_goes_in_parts(void **state)
{
    (void)state;
    struct judge j = {.bytes_max = 2000};
    struct rig r;
    prepare_judged(&r, &j, 1);
    start(&r);
    append(&r, 3000);
    run_until_settled(&r);
    assert_counts(&r, 3000, 0, 0);
    assert_in_range(state_of(&r).transfers, 3000 / 125, 3000 / 62 + 10);
    stop(&r, 5000);
    assert_no_letters(&r);
    assert_served(&r, 0, 3000);
    discard(&r);
}

static void a_line_that_is_too_large_is_a_letter(void **state)
{
    (void)state;
    struct judge j = {.bytes_max = 12}; /* "m,s=6 f=6i 7": no line of two digits */
    struct rig r;
    prepare_judged(&r, &j, 1);
    start(&r);
    append(&r, 20);
    run_until_settled(&r);
    assert_int_equal(state_of(&r).delivered + state_of(&r).dead_letters, 20);
    assert_int_equal(state_of(&r).dead_letters, 20);
    stop(&r, 5000);
    discard(&r);
}

/* With `objection` only what stands before the reason; the header or body has how many. */
static struct canned_step say_expired(const struct judge *j, const char *body)
{
    static char text[512], reason[256];
    unsigned dropped = 0;
    for (const char *at = body; *at; at = strchr(at, '\n') + 1)
        dropped += j->is_bad(line_number(at));
    snprintf(reason, sizeof(reason),
             "{\"error\":\"partial write: points beyond retention policy dropped=%u\"}", dropped);
    if (!strstr(j->objection.text, "X-Influxdb-Error"))
        return (struct canned_step){CANNED_ANSWER, with_body(j->objection.text, reason)};
    snprintf(text, sizeof(text), "%s%s\r\n" EMPTY, j->objection.text, reason);
    return (struct canned_step){CANNED_ANSWER, text};
}

static void expired_points_are_counted(void **state)
{
    (void)state;
    static const struct {
        int api;
        const char *head;
    } table[] = {{1, HEAD_400 "X-Influxdb-Error: "}, {1, HEAD_400}, {2, "HTTP/1.1 422 No\r\n"}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct judge j = {.object = say_expired,
                          .objection = {CANNED_ANSWER, table[i].head},
                          .is_bad = is_13_or_777,
                          .stores_the_rest = true};
        struct rig r;
        prepare_judged(&r, &j, table[i].api);
        start(&r);
        append(&r, 1000);
        run_until_settled(&r);
        assert_counts(&r, 998, 0, 2);
        stop(&r, 5000);
        assert_no_letters(&r);
        for (unsigned line = 0; line < 1000; line++)
            assert_int_equal(j.stored[line], !is_13_or_777(line));
        discard(&r);
    }
}

/* Line 17 is bad, line 13 is too old; the first time nobody can tell. */
static struct canned_step say_late_then_judge(const struct judge *j, const char *body)
{
    if (j->requests == 1)
        return (struct canned_step){CANNED_ANSWER, "HTTP/1.1 504 Late\r\n" EMPTY};
    if (strstr(body, " f=17i "))
        return (struct canned_step){CANNED_ANSWER, HEAD_400 EMPTY};
    return (struct canned_step){CANNED_ANSWER,
                                SAYS("partial write: points beyond retention policy dropped=1")};
}

static bool is_13_or_17(unsigned line)
{
    return line == 13 || line == 17;
}

static void what_is_sent_once_more_is_counted_once(void **state)
{
    (void)state;
    struct judge j = {.object = say_late_then_judge, .is_bad = is_13_or_17};
    struct rig r;
    prepare_judged(&r, &j, 1);
    start(&r);
    append(&r, 20);
    run_until_settled(&r);
    assert_counts(&r, 18, 1, 1);
    r.conf.influxdb.flush_ms = 60000; /* the next go with those that are due once more */
    append(&r, 10);
    run_for(&r, 11000);
    assert_counts(&r, 28, 2, 1); /* two letters of one line stand in the file */
    stop(&r, 5000);
    char *letters = read_file(r.letters);
    const char *second = assert_letter(letters, 17, "HTTP 400: no reason given", false);
    assert_string_equal(assert_letter(second, 17, "HTTP 400: no reason given", false), "");
    free(letters);
    discard(&r);
}

static void a_refusal_keeps_everything(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *error;
    } table[] = {
        {"HTTP/1.1 401 No\r\nX-Influxdb-Error: who are you\r\n" EMPTY, "HTTP 401: who are you"},
        {"HTTP/1.1 403 No\r\n" EMPTY, "HTTP 403: no reason given"},
        {"HTTP/1.1 404 No\r\nX-Influxdb-Error: database not found: \"x\"\r\n" EMPTY,
         "HTTP 404: database not found: \"x\""},
        {"HTTP/1.1 500 No\r\nX-Influxdb-Error: retention policy not found: two\r\n" EMPTY,
         "HTTP 500: retention policy not found: two"},
        {SAYS("partial write: max-values-per-tag limit exceeded (3/3): measurement=\"m\" "
              "tag=\"alias\" value=\"Ruth\" dropped=1"),
         "HTTP 400: partial write: max-values-per-tag limit exceeded (3/3): measurement=\"m\" "
         "tag=\"alias\" value=* dropped=1"},
        {SAYS("partial write: max-series-per-database limit exceeded: (1) dropped=1"),
         "HTTP 400: partial write: max-series-per-database limit exceeded: (1) dropped=1"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct judge j = {.objection = {CANNED_ANSWER, table[i].answer}, .is_bad = is_13_or_777};
        struct rig r;
        prepare_judged(&r, &j, i % 2 ? 2 : 1);
        start(&r);
        append(&r, 500);
        for (int k = 0; k < 2000 && state_of(&r).influx != BS_OUTLET_INFLUX_REFUSED; k++)
            turn(&r);
        append(&r, 500);
        run_for(&r, 100);
        assert_int_equal(state_of(&r).influx, BS_OUTLET_INFLUX_REFUSED);
        assert_string_equal(state_of(&r).error, table[i].error);
        assert_int_equal(state_of(&r).transfers, 1);
        assert_int_equal(state_of(&r).points, 1000);
        assert_in_range(stop(&r, 5000), 0, 500);
        j.is_bad = NULL; /* mended */
        start(&r);
        run_until_settled(&r);
        assert_counts(&r, 1000, 0, 0);
        stop(&r, 5000);
        assert_served(&r, 0, 1000);
        assert_no_letters(&r);
        discard(&r);
    }
}

static void a_full_outbox_gives_up_a_search_that_waits(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY},
                      .is_bad = is_13_or_777,
                      .silent_from = 2,
                      .silent_until = 100000};
    struct rig r;
    prepare_judged(&r, &j, 2);
    r.outbox_segment_bytes = 65536;
    r.outbox_max_bytes = 3 * 65536;
    start(&r);
    append(&r, 900);
    for (int i = 0; i < 2000 && state_of(&r).transfers < 8; i++)
        turn(&r);
    uint64_t dropped = 0;
    while (r.lines < 3500) {
        if (append_line(&r) != BS_OK && !bs_outlet_drop_oldest(r.outlet))
            turn(&r);
        dropped = state_of(&r).dropped;
    }
    run_for(&r, 50);
    assert_true(dropped > 0);
    assert_int_equal(dropped + state_of(&r).points, 3500);
    stop(&r, 0);
    j.silent_until = 0;
    start(&r);
    run_until_settled(&r);
    assert_int_equal(state_of(&r).delivered + state_of(&r).dead_letters, 3500 - dropped);
    stop(&r, 5000);
    discard(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_lines_become_letters),
        cmocka_unit_test(too_many_bad_lines_are_suspects),
        cmocka_unit_test(a_search_waits_out_a_busy_server),
        cmocka_unit_test(a_search_that_was_cut_off_begins_afresh),
        cmocka_unit_test(named_lines_become_letters_at_once),
        cmocka_unit_test(a_long_list_is_asked_for_in_parts),
        cmocka_unit_test(who_names_other_lines_is_not_believed),
        cmocka_unit_test(what_is_too_large_goes_in_parts),
        cmocka_unit_test(a_line_that_is_too_large_is_a_letter),
        cmocka_unit_test(expired_points_are_counted),
        cmocka_unit_test(what_is_sent_once_more_is_counted_once),
        cmocka_unit_test(a_refusal_keeps_everything),
        cmocka_unit_test(a_full_outbox_gives_up_a_search_that_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
