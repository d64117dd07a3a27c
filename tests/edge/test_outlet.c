/* The way out over real logs: to a server of exact bytes, a real influxd and a local file. Nothing
 * is lost, nothing older than the marks goes out again, nothing leaves before its intake is synced,
 * and what is given up is counted. */
#include "outlet_rig.h"

static void lines_arrive_once_over_restarts(void **state)
{
    (void)state;
    struct rig r;
    prepare_served(&r, NULL, 0);
    for (unsigned run = 1; run <= 4; run++) {
        start(&r);
        append(&r, 2500);
        if (run % 2)
            run_until_delivered(&r, run * 2500);
        stop(&r, 5000);
        assert_served(&r, 0, r.lines);
    }
    start(&r);
    run_for(&r, 100);
    assert_int_equal(state_of(&r).delivered, 10000);
    assert_int_equal(state_of(&r).transfers, 0);
    stop(&r, 5000);
    assert_served(&r, 0, 10000);
    discard(&r);
}

static void batches_are_bounded_and_flushed(void **state)
{
    (void)state;
    struct rig r;
    prepare_served(&r, NULL, 0);
    r.conf.influxdb.batch_points = 10;
    r.conf.influxdb.flush_ms = 300;
    start(&r);
    append(&r, 9);
    run_for(&r, 200);
    assert_int_equal(r.server.requests, 0);
    assert_int_equal(state_of(&r).points, 9);
    assert_in_range(state_of(&r).oldest.ms, 1000, last_tick_ms);
    run_for(&r, 250);
    assert_int_equal(r.server.requests, 1);
    append(&r, 91);
    run_until_delivered(&r, 100);
    assert_in_range(r.server.requests, 10, 12);
    stop(&r, 5000);
    assert_served(&r, 0, 100);
    discard(&r);
}

static void nothing_leaves_before_its_intake_is_synced(void **state)
{
    (void)state;
    struct rig r;
    prepare_served(&r, NULL, 0);
    r.conf.output.file = r.file;
    r.intake_sync_ms = 700;
    start(&r);
    append(&r, 100);
    run_for(&r, 400);
    assert_int_equal(r.server.requests, 0);
    assert_int_equal(state_of(&r).points, 100);
    assert_filed(&r, 0);
    run_until_delivered(&r, 100);
    assert_int_equal(bs_log_synced(r.intake), bs_log_head(r.intake));
    stop(&r, 5000);
    assert_filed(&r, 100);
    assert_served(&r, 0, 100);
    discard(&r);
}

static void a_stop_delivers_what_is_there_by_itself(void **state)
{
    (void)state;
    struct rig r;
    prepare_served(&r, NULL, 0);
    r.conf.output.file = r.file;
    r.conf.influxdb.flush_ms = 60000;
    r.intake_sync_ms = 200;
    r.deaf = true;
    start(&r);
    append(&r, 3000);
    assert_in_range(stop(&r, 5000), 0, 2000);
    assert_served(&r, 0, 3000);
    assert_filed(&r, 3000);
    discard(&r);
}

static void every_refusal_is_survived(void **state)
{
    (void)state;
    static const struct canned_step script[] = {
        {CANNED_ANSWER, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"},
        {CANNED_RESET, NULL},
        {CANNED_CLOSE, "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"},
        {CANNED_ANSWER, CANNED_204},
        {CANNED_ANSWER, "HTTP/1.1 401 No\r\nX-Influxdb-Error: who are you\r\n"
                        "Content-Length: 0\r\n\r\n"}};
    struct rig r;
    prepare_served(&r, script, 5);
    start(&r);
    append(&r, 300);
    run_until_delivered(&r, 300);
    assert_int_equal(state_of(&r).transfers, 4);
    assert_int_equal(state_of(&r).influx, BS_OUTLET_INFLUX_OK);
    assert_string_equal(state_of(&r).error, "");
    assert_int_equal(r.changes, 2);

    append(&r, 50);
    run_for(&r, 300);
    assert_int_equal(state_of(&r).influx, BS_OUTLET_INFLUX_REFUSED);
    assert_string_equal(state_of(&r).error, "HTTP 401: who are you");
    assert_int_equal(state_of(&r).points, 50);
    assert_int_equal(r.changes, 3);
    assert_in_range(stop(&r, 5000), 0, 500);
    start(&r); /* mended: the server's script is at its end */
    run_until_delivered(&r, 350);
    stop(&r, 5000);
    assert_served(&r, 0, 350);
    discard(&r);
}

static void what_had_no_answer_goes_once_more(void **state)
{
    (void)state;
    static const struct canned_step script[] = {{CANNED_SILENCE, NULL}};
    struct rig r;
    prepare_served(&r, script, 1);
    start(&r);
    append(&r, 10);
    for (int i = 0; i < 1000 && r.server.requests == 0; i++)
        turn(&r);
    stop(&r, 0); /* cut off in the middle: as unresolved as a time-out */
    start(&r);
    append(&r, 10);
    run_until_delivered(&r, 20);
    run_for(&r, 5000);
    append(&r, 10);
    run_until_delivered(&r, 30);
    assert_served(&r, 0, 30);
    run_for(&r, 6000);
    assert_int_equal(state_of(&r).delivered, 30);
    assert_string_equal(assert_lines(assert_lines(r.server.body, 0, 30), 0, 30), "");
    uint64_t marks[BS_LOG_MARKS];
    bs_log_marks_load(r.outbox, marks);
    assert_int_equal(marks[BS_OUTLET_UNRESOLVED], 0);
    stop(&r, 5000);
    discard(&r);
}

static void the_file_goes_on_while_the_database_is_away(void **state)
{
    (void)state;
    struct rig r;
    prepare_served(&r, NULL, 0);
    point_to(&r, 1);
    r.conf.output.file = r.file;
    start(&r);
    append(&r, 5000);
    run_for(&r, 300);
    assert_int_equal(state_of(&r).influx, BS_OUTLET_INFLUX_RETRYING);
    assert_int_equal(state_of(&r).points, 5000);
    assert_int_equal(state_of(&r).delivered, 0);
    assert_filed(&r, 5000);
    assert_in_range(stop(&r, 1000), 0, 1500);

    point_to(&r, r.server.port);
    start(&r);
    append(&r, 100);
    run_until_delivered(&r, 5100);
    stop(&r, 5000);
    assert_served(&r, 0, 5100);
    assert_filed(&r, 5100);
    discard(&r);
}

static void the_file_alone_is_an_outlet(void **state)
{
    (void)state;
    struct rig r;
    prepare(&r, 0);
    r.conf.output.file = r.file;
    for (unsigned run = 1; run <= 3; run++) {
        start(&r);
        append(&r, 20000);
        run_until_delivered(&r, run * 20000);
        assert_int_equal(state_of(&r).influx, BS_OUTLET_INFLUX_NONE);
        stop(&r, 5000);
    }
    assert_filed(&r, 60000);
    discard(&r);
}

static void a_full_disk_of_the_file_holds_everything(void **state)
{
    (void)state;
    struct rig r;
    prepare_served(&r, NULL, 0);
    r.conf.output.file = (char[]){"/dev/full"};
    start(&r);
    append(&r, 10);
    run_for(&r, 300);
    assert_int_equal(state_of(&r).file_error, ENOSPC);
    assert_int_equal(state_of(&r).delivered, 10);
    assert_int_equal(state_of(&r).points, 10);
    assert_in_range(stop(&r, 5000), 0, 500);
    r.conf.output.file = r.file;
    start(&r);
    run_until_delivered(&r, 10);
    stop(&r, 5000);
    assert_filed(&r, 10);
    assert_int_equal(r.server.requests, 1);
    discard(&r);
}

/* A reader that is slower than we are sets the pace of a pipe: no fault, and no pause of a second.
 */
static void a_pipe_is_filled_as_it_is_read(void **state)
{
    (void)state;
    struct rig r;
    prepare(&r, 0);
    snprintf(r.file, sizeof(r.file), "%s/pipe", r.folder);
    assert_int_equal(mkfifo(r.file, 0600), 0);
    int reader = open(r.file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    r.conf.output.file = r.file;
    start(&r);
    append(&r, 20000);
    size_t used = 0;
    char *text = calloc(1, 1 << 20);
    for (int i = 0; i < 4000 && (state_of(&r).delivered < 20000 || state_of(&r).points > 0); i++) {
        turn(&r);
        ssize_t got = read(reader, text + used, (1 << 20) - 1 - used);
        used += got > 0 ? (size_t)got : 0;
    }
    assert_string_equal(assert_lines(text, 0, 20000), "");
    assert_int_equal(r.changes, 0);

    append(&r, 20000); /* nobody reads on */
    assert_in_range(stop(&r, 200), 0, 1500);
    free(text);
    close(reader);
    discard(&r);
}

/* Appends until the outbox has no room, giving up the oldest each time it is full. */
static unsigned overfill(struct rig *r, unsigned lines)
{
    unsigned drops = 0;
    for (unsigned beyond = r->lines + lines; r->lines < beyond;) {
        if (append_line(r) == BS_OK)
            continue;
        drops += bs_outlet_drop_oldest(r->outlet);
        turn(r);
    }
    return drops;
}

static void a_full_outbox_gives_up_its_oldest(void **state)
{
    (void)state;
    struct rig r;
    prepare_served(&r, NULL, 0);
    point_to(&r, 1);
    r.outbox_segment_bytes = 65536;
    r.outbox_max_bytes = 4 * 65536;
    start(&r);
    unsigned drops = overfill(&r, 10000);
    struct bs_outlet_state s = state_of(&r);
    /* 72 bytes a record (8 more from 1000 on): 10 to 13 segments came, four are there. */
    assert_in_range(drops, 6, 10);
    run_for(&r, 50);
    s = state_of(&r);
    assert_true(s.dropped > 0);
    assert_int_equal(s.dropped + s.points, 10000);
    stop(&r, 100);

    point_to(&r, r.server.port);
    start(&r);
    run_until_delivered(&r, s.points);
    assert_int_equal(state_of(&r).dropped, s.dropped);
    stop(&r, 5000);
    assert_served(&r, (unsigned)s.dropped, 10000);
    discard(&r);
}

/* What was given up need not be kept for the second sending; all that is still there goes twice. */
static void a_full_outbox_gives_up_what_had_no_answer(void **state)
{
    (void)state;
    static struct canned_step script[1000];
    for (unsigned i = 0; i < 1000; i++)
        script[i] =
            (struct canned_step){CANNED_ANSWER, "HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n"};
    struct rig r;
    prepare_served(&r, script, 1000);
    r.outbox_segment_bytes = 65536;
    r.outbox_max_bytes = 3 * 65536;
    start(&r);
    append(&r, 100);
    for (int i = 0; i < 1000 && state_of(&r).transfers == 0; i++)
        turn(&r);
    for (int i = 0; i < 10000 && r.lines < 5000; i++)
        if (append_line(&r) != BS_OK && !bs_outlet_drop_oldest(r.outlet))
            turn(&r);
    assert_int_equal(r.lines, 5000);
    stop(&r, 0);
    r.server.script_length = 0;
    start(&r);
    for (int i = 0; i < 4000 && (state_of(&r).delivered == 0 || state_of(&r).points > 0); i++)
        turn(&r);
    unsigned dropped = (unsigned)state_of(&r).dropped;
    assert_true(dropped > 100);
    assert_int_equal(state_of(&r).delivered + dropped, 5000);
    assert_served(&r, dropped, 5000);
    run_for(&r, 11000);
    assert_int_equal(state_of(&r).delivered + dropped, 5000);
    const char *again = assert_lines(r.server.body, dropped, 5000);
    assert_string_equal(assert_lines(again, dropped, 5000), "");
    stop(&r, 5000);
    discard(&r);
}

static void what_is_in_flight_is_not_given_up(void **state)
{
    (void)state;
    static const struct canned_step script[] = {{CANNED_SILENCE, NULL}};
    struct rig r;
    prepare_served(&r, script, 1);
    r.outbox_segment_bytes = 65536;
    r.outbox_max_bytes = 3 * 65536;
    start(&r);
    append(&r, 1000);
    for (int i = 0; i < 1000 && r.server.requests == 0; i++)
        turn(&r);
    while (append_line(&r) == BS_OK)
        ;
    assert_false(bs_outlet_drop_oldest(r.outlet));
    run_until_delivered(&r, r.lines);
    assert_int_equal(state_of(&r).dropped, 0);
    stop(&r, 5000);
    assert_served(&r, 0, r.lines);
    discard(&r);
}

static void a_real_influxd_has_every_line(void **state)
{
    (void)state;
    struct influxd database;
    if (!influxd_start_with(&database, "backstep"))
        skip();
    struct rig r;
    prepare(&r, database.port);
    start(&r);
    append(&r, 3000);
    run_until_delivered(&r, 3000);
    kill(database.pid, SIGSTOP);
    append(&r, 3000);
    run_for(&r, 1000);
    kill(database.pid, SIGCONT);
    run_until_delivered(&r, 6000);
    append(&r, 3000);
    turn(&r);
    influxd_kill(&database);
    append(&r, 3000);
    run_for(&r, 500);
    assert_true(influxd_run(&database));
    r.conf.influxdb.gzip = false;
    run_until_delivered(&r, 12000);
    stop(&r, 5000);
    assert_int_equal(influxd_number(&database, "backstep", "SELECT count(f) FROM m"), 12000);
    assert_int_equal(influxd_number(&database, "backstep", "SELECT sum(f) FROM m"),
                     12000LL * 11999 / 2);
    influxd_remove(&database);
    discard(&r);
}

static void what_cannot_begin_says_why(void **state)
{
    (void)state;
    struct rig r;
    char error[256] = "";
    prepare(&r, 0);
    r.conf.output.file = r.file;
    start(&r);
    struct bs_conf bad = r.conf;
    struct bs_outlet *outlet = NULL;
    struct bs_outlet_options options = {
        .loop = &r.loop, .outbox = r.outbox, .intake = r.intake, .conf = &bad};
    bad.output.file = (char[]){"/nowhere/points.lp"};
    assert_int_equal(bs_outlet_new(&outlet, &options, error, sizeof(error)), BS_IO);
    assert_string_equal(error, "/nowhere/points.lp: No such file or directory");
    bad.output.file = r.file;
    bad.influxdb.url = (char[]){"http://[::1"};
    assert_int_equal(bs_outlet_new(&outlet, &options, error, sizeof(error)), BS_INVALID);
    assert_non_null(strstr(error, "http://[::1"));
    stop(&r, 0);
    discard(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_arrive_once_over_restarts),
        cmocka_unit_test(batches_are_bounded_and_flushed),
        cmocka_unit_test(nothing_leaves_before_its_intake_is_synced),
        cmocka_unit_test(a_stop_delivers_what_is_there_by_itself),
        cmocka_unit_test(every_refusal_is_survived),
        cmocka_unit_test(what_had_no_answer_goes_once_more),
        cmocka_unit_test(the_file_goes_on_while_the_database_is_away),
        cmocka_unit_test(the_file_alone_is_an_outlet),
        cmocka_unit_test(a_full_disk_of_the_file_holds_everything),
        cmocka_unit_test(a_pipe_is_filled_as_it_is_read),
        cmocka_unit_test(a_full_outbox_gives_up_its_oldest),
        cmocka_unit_test(a_full_outbox_gives_up_what_had_no_answer),
        cmocka_unit_test(what_is_in_flight_is_not_given_up),
        cmocka_unit_test(a_real_influxd_has_every_line),
        cmocka_unit_test(what_cannot_begin_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
