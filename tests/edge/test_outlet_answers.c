/* What the outlet makes of answers that are neither a yes nor silence: bad lines are found and
 * become dead letters, what is too large goes in parts, a refusal keeps everything, in order. The
 * server of exact bytes judges by the lines it is sent. */
#include "outlet_rig.h"

#include <fcntl.h>
#include <sys/syscall.h>

#define EMPTY    "Content-Length: 0\r\n\r\n"
#define HEAD_400 "HTTP/1.1 400 Bad Request\r\n"
#define SAYS(x)  "HTTP/1.1 400 Bad Request\r\nX-Influxdb-Error: " x "\r\n" EMPTY

enum { LINES_MAX = 4000 };

/* What the judge holds against lines; what a server of its kind would have stored. */
struct judge {
    struct canned_step (*object)(const struct judge *j, const char *body); /* or, where NULL: */
    struct canned_step objection;       /* the answer where a bad line is among them */
    bool (*is_bad)(unsigned line);      /* NULL: none is */
    bool stores_the_rest;               /* also where it objects */
    size_t bytes_max;                   /* else 413; 0: any */
    unsigned silent_from, silent_until; /* these requests, by number, are answered with 503 */
    unsigned requests;
    unsigned stored[LINES_MAX]; /* how often */
    unsigned newest;            /* 1 + the line stored last */
};

/* An answer with a body; holds until the next one. */
static const char *with_body(const char *head, const char *body)
{
    static char text[200100];
    snprintf(text, sizeof(text), "%sContent-Length: %zu\r\n\r\n%.200000s", head, strlen(body),
             body);
    return text;
}

static unsigned line_number(const char *line)
{
    const char *field = strstr(line, " f=");
    return (unsigned)strtoul(field + 3, NULL, 10);
}

static bool any_bad(const struct judge *j, const char *body)
{
    for (const char *at = body; *at; at = strchr(at, '\n') + 1)
        if (j->is_bad && j->is_bad(line_number(at)))
            return true;
    return false;
}

static void store(struct judge *j, const char *body)
{
    for (const char *at = body; *at; at = strchr(at, '\n') + 1) {
        unsigned line = line_number(at);
        if (j->is_bad && j->is_bad(line))
            continue;
        j->stored[line]++;
        j->newest = line + 1;
    }
}

static struct canned_step judge_lines(void *context, const char *body, size_t length)
{
    struct judge *j = context;
    char *text = strndup(body, length);
    struct canned_step step = {CANNED_ANSWER, CANNED_204};
    unsigned request = j->requests++;
    bool objects = false;
    if (request >= j->silent_from && request < j->silent_until)
        step.text = "HTTP/1.1 503 Busy\r\n" EMPTY;
    else if (j->bytes_max && length > j->bytes_max)
        step.text = "HTTP/1.1 413 Large\r\n" EMPTY;
    else if (any_bad(j, text))
        objects = true;
    if (objects)
        step = j->object ? j->object(j, text) : j->objection;
    if (strstr(step.text, " 204 ") || (objects && j->stores_the_rest))
        store(j, text);
    free(text);
    return step;
}

static void prepare_judged(struct rig *r, struct judge *j, int api)
{
    prepare_served(r, NULL, 0);
    r->server.judge_context = j;
    r->server.judge = judge_lines;
    r->conf.influxdb.api = api;
}

static uint64_t settled(const struct rig *r)
{
    struct bs_outlet_state s = state_of(r);
    return s.delivered + s.dead_letters + s.points_expired + s.dropped;
}

static void run_until_settled(struct rig *r)
{
    for (int i = 0; i < 6000 && (settled(r) < r->lines || state_of(r).points > 0); i++)
        turn(r);
    assert_int_equal(settled(r), r->lines);
    assert_int_equal(state_of(r).points, 0);
    assert_int_equal(state_of(r).influx, BS_OUTLET_INFLUX_OK);
    assert_string_equal(state_of(r).error, "");
}

static void assert_counts(const struct rig *r, uint64_t delivered, uint64_t dead, uint64_t expired)
{
    struct bs_outlet_state s = state_of(r);
    assert_int_equal(s.delivered, delivered);
    assert_int_equal(s.dead_letters, dead);
    assert_int_equal(s.points_expired, expired);
    assert_int_equal(s.dropped, 0);
}

/* The letter at `at` is of this line with this message; returns what is behind it. */
static const char *assert_letter(const char *at, unsigned line, const char *message, bool suspect)
{
    char expected[512];
    int length = snprintf(expected, sizeof(expected),
                          "\",\"message\":\"%s\",\"line\":\"m,s=%u f=%ui %u\"%s}\n", message,
                          line % 7, line, line + 1, suspect ? ",\"suspect\":true" : "");
    static const char time[] = "{\"time\":\"2026-11-24T17:59:58.120Z";
    if (strncmp(at, time, 11) != 0 || strncmp(at + sizeof(time) - 1, expected, (size_t)length) != 0)
        fail_msg("the letter is %.200s, must end with %s", at, expected);
    return at + sizeof(time) - 1 + length;
}

static void assert_no_letters(const struct rig *r)
{
    assert_int_not_equal(access(r->letters, F_OK), 0);
}

/* Bad lines ----------------------------------------------------------------------------------- */

static bool is_13_or_777(unsigned line)
{
    return line == 13 || line == 777;
}

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

static bool is_any(unsigned line)
{
    return line < LINES_MAX;
}

/* Syncs of the loop's thread, which are those of dead letters: what the marks said then. */
static _Thread_local struct rig *watched;
static unsigned syncs, sync_failures;
static uint64_t letters_at_sync;

int fdatasync(int fd)
{
    if (watched) {
        uint64_t marks[BS_LOG_MARKS];
        bs_log_marks_load(watched->outbox, marks);
        letters_at_sync = marks[BS_OUTLET_DEAD_LETTERS];
        syncs++;
    }
    if (watched && syncs > 1 && sync_failures > 0) { /* the first is of the empty file */
        sync_failures--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void letters_are_on_the_disk_before_they_count(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY}, .is_bad = is_13_or_777};
    struct rig r;
    prepare_judged(&r, &j, 2);
    start(&r);
    watched = &r;
    syncs = 0;
    sync_failures = 1;
    append(&r, 100);
    for (int i = 0; i < 2000 && state_of(&r).influx != BS_OUTLET_INFLUX_RETRYING; i++)
        turn(&r);
    assert_string_equal(strrchr(state_of(&r).error, ':'), ": Input/output error");
    assert_counts(&r, 0, 0, 0);
    assert_int_equal(state_of(&r).points, 100);
    run_until_settled(&r);
    watched = NULL;
    assert_counts(&r, 99, 1, 0);
    assert_int_equal(syncs, 4);
    assert_int_equal(letters_at_sync, 0);
    stop(&r, 5000);
    char *letters = read_file(r.letters);
    const char *again = assert_letter(letters, 13, "HTTP 400: no reason given", false);
    assert_string_equal(assert_letter(again, 13, "HTTP 400: no reason given", false), "");
    free(letters);
    discard(&r);
}

static void letters_have_a_bound_and_one_predecessor(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY}, .is_bad = is_any};
    struct rig r;
    prepare_judged(&r, &j, 2);
    r.conf.influxdb.dead_letter_max_mb = 1;
    r.conf.influxdb.batch_points = LINES_MAX;
    start(&r);
    for (unsigned rounds = 0; rounds < 4; rounds++) {
        append(&r, 3900);
        r.lines = 0;
        for (int i = 0; i < 6000 && state_of(&r).dead_letters < (rounds + 1) * 3900; i++)
            turn(&r);
        assert_int_equal(state_of(&r).dead_letters, (rounds + 1) * 3900);
    }
    stop(&r, 5000);
    char old[128];
    struct stat about, older;
    snprintf(old, sizeof(old), "%s.1", r.letters);
    assert_int_equal(stat(r.letters, &about), 0);
    assert_int_equal(stat(old, &older), 0);
    assert_in_range(older.st_size, (1 << 20) - (1 << 17), 1 << 20);
    assert_in_range(about.st_size, 1, 1 << 20);
    assert_int_equal((about.st_mode | older.st_mode) & 07777, 0600);
    discard(&r);
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
    discard(&r);
}

static void what_cannot_be_lettered_is_not_lost(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY}, .is_bad = is_13_or_777};
    struct rig r;
    prepare_judged(&r, &j, 2);
    r.conf.influxdb.dead_letter_file = (char[]){"/dev/full"};
    start(&r);
    append(&r, 100);
    for (int i = 0; i < 2000 && state_of(&r).influx != BS_OUTLET_INFLUX_RETRYING; i++)
        turn(&r);
    assert_int_equal(state_of(&r).influx, BS_OUTLET_INFLUX_RETRYING);
    assert_string_equal(state_of(&r).error, "dead letters: /dev/full: No space left on device");
    assert_int_equal(state_of(&r).points, 100);
    assert_counts(&r, 0, 0, 0);
    stop(&r, 200);
    r.conf.influxdb.dead_letter_file = r.letters;
    start(&r);
    run_until_settled(&r);
    assert_counts(&r, 99, 1, 0);
    stop(&r, 5000);
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
        cmocka_unit_test(letters_are_on_the_disk_before_they_count),
        cmocka_unit_test(letters_have_a_bound_and_one_predecessor),
        cmocka_unit_test(too_many_bad_lines_are_suspects),
        cmocka_unit_test(a_search_waits_out_a_busy_server),
        cmocka_unit_test(a_search_that_was_cut_off_begins_afresh),
        cmocka_unit_test(what_cannot_be_lettered_is_not_lost),
        cmocka_unit_test(named_lines_become_letters_at_once),
        cmocka_unit_test(a_long_list_is_asked_for_in_parts),
        cmocka_unit_test(who_names_other_lines_is_not_believed),
        cmocka_unit_test(what_is_too_large_goes_in_parts),
        cmocka_unit_test(a_line_that_is_too_large_is_a_letter),
        cmocka_unit_test(expired_points_are_counted),
        cmocka_unit_test(a_refusal_keeps_everything),
        cmocka_unit_test(a_full_outbox_gives_up_a_search_that_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
