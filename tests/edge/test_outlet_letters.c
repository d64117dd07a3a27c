/* Dead letters as a file: on the disk before their rows count, bounded, and never left out because
 * it cannot be written. */
#include "judge_rig.h"

#include <sys/syscall.h>

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

static int rename_errno;

int rename(const char *from, const char *to)
{
    if (rename_errno) {
        errno = rename_errno;
        return -1;
    }
    return (int)syscall(SYS_rename, from, to);
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
    char *letters = read_file(r.letters); /* what nobody knew to be there was taken back */
    assert_string_equal(assert_letter(letters, 13, "HTTP 400: no reason given", false), "");
    free(letters);
    discard(&r);
}

static void append_letters(struct rig *r, unsigned before)
{
    append(r, 3900);
    r->lines = 0;
    for (int i = 0; i < 6000 && state_of(r).dead_letters < before + 3900; i++)
        turn(r);
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
        append_letters(&r, rounds * 3900);
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

/* The file is full, and cannot be moved out of the way: nothing is written beyond its bound, and
 * nothing is left out. */
static void letters_that_cannot_be_rotated_wait(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY}, .is_bad = is_any};
    struct rig r;
    prepare_judged(&r, &j, 2);
    r.conf.influxdb.dead_letter_max_mb = 1;
    r.conf.influxdb.batch_points = LINES_MAX;
    start(&r);
    append_letters(&r, 0);
    rename_errno = EIO;
    unsigned written = 3900;
    while (state_of(&r).letters_error[0] == '\0' && written < 20000) {
        append(&r, 1000);
        r.lines = 0;
        written += 1000;
        for (int i = 0; i < 6000 && state_of(&r).dead_letters < written &&
                        state_of(&r).letters_error[0] == '\0';
             i++)
            turn(&r);
    }
    assert_string_equal(strrchr(state_of(&r).letters_error, ':'), ": Input/output error");
    assert_int_equal(state_of(&r).dead_letters, written - 1000);
    struct stat about;
    assert_int_equal(stat(r.letters, &about), 0);
    assert_in_range(about.st_size, 1, 1 << 20);
    rename_errno = 0;
    for (int i = 0; i < 6000 && state_of(&r).dead_letters < written; i++)
        turn(&r);
    assert_int_equal(state_of(&r).dead_letters, written);
    assert_string_equal(state_of(&r).letters_error, "");
    assert_int_equal(state_of(&r).dropped, 0);
    stop(&r, 5000);
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

static bool is_13(unsigned line)
{
    return line == 13;
}

static void letters_that_were_given_up_are_no_trouble(void **state)
{
    (void)state;
    struct judge j = {.objection = {CANNED_ANSWER, HEAD_400 EMPTY}, .is_bad = is_13};
    struct rig r;
    prepare_judged(&r, &j, 2);
    r.conf.influxdb.dead_letter_file = (char[]){"/dev/full"};
    r.outbox_segment_bytes = 65536;
    r.outbox_max_bytes = 3 * 65536;
    start(&r);
    append(&r, 900);
    for (int i = 0; i < 2000 && state_of(&r).influx != BS_OUTLET_INFLUX_RETRYING; i++)
        turn(&r);
    assert_int_equal(state_of(&r).influx, BS_OUTLET_INFLUX_RETRYING);
    while (state_of(&r).dropped == 0)
        if (append_line(&r) != BS_OK && !bs_outlet_drop_oldest(r.outlet))
            turn(&r);
    for (int i = 0; i < 6000 && (settled(&r) < r.lines || state_of(&r).points > 0); i++)
        turn(&r);
    assert_int_equal(settled(&r), r.lines);
    assert_int_equal(state_of(&r).dead_letters, 0);
    assert_string_equal(state_of(&r).error, "");
    assert_int_equal(state_of(&r).influx, BS_OUTLET_INFLUX_OK);
    stop(&r, 5000);
    discard(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_on_the_disk_before_they_count),
        cmocka_unit_test(letters_have_a_bound_and_one_predecessor),
        cmocka_unit_test(letters_that_cannot_be_rotated_wait),
        cmocka_unit_test(what_cannot_be_lettered_is_not_lost),
        cmocka_unit_test(letters_that_were_given_up_are_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
