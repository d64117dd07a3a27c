/* The log as its users see it: what was appended is read, over segments and restarts; bounds,
 * release, marks, watches, the lock. */
#include "log_fixture.h"

#include <errno.h>
#include <sys/wait.h>

static void appended_is_read(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8192, 100);
    fixture_open(&f);
    assert_string_equal(f.recovery.message, "");
    assert_int_equal(bs_log_head(f.log), 0);
    assert_int_equal(read_on(f.log, 0), 0);
    append_all(&f, 0, 1500);
    assert_int_equal(read_on(f.log, 0), 1500);
    append_all(&f, 1500, 2000);
    assert_int_equal(read_on(f.log, 1500), 500);
    uint64_t head = bs_log_head(f.log);
    fixture_close(&f);

    fixture_open(&f);
    assert_string_equal(f.recovery.message, "");
    assert_int_equal(f.recovery.head, head);
    assert_int_equal(f.recovery.last_tick.ms, 2000);
    assert_int_equal(bs_log_synced(f.log), head);
    append_all(&f, 2000, 2100);
    assert_int_equal(read_on(f.log, 0), 2100);
    assert_true(count_files(&f, ".seg") > 20);
    struct stat folder;
    assert_int_equal(stat(f.directory, &folder), 0);
    assert_int_equal(folder.st_mode & 07777, 0700);
    fixture_fini(&f);
}

static void bodies_of_all_sizes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 1 << 20, 5);
    fixture_open(&f);
    static const size_t sizes[] = {
        0, 1, 7, 8, 9, 65536, BS_RECORD_BODY_MAX - 1, BS_RECORD_BODY_MAX};
    static char body[BS_RECORD_BODY_MAX];
    memset(body, 'x', sizeof(body));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t end;
        struct bs_slice part = {body, sizes[i]};
        assert_int_equal(bs_log_append(f.log, BS_RECORD_TICK, 0, &part, 1, &end), BS_OK);
        struct bs_record r;
        assert_true(bs_log_read(f.log, &r));
        assert_int_equal(r.body.length, sizes[i]);
        assert_int_equal(r.next, end);
    }
    assert_int_equal(bs_log_append(f.log, BS_RECORD_TICK, 0, NULL, 0, NULL), BS_OK);
    fixture_fini(&f);

    fixture_init(&f, 4096, 3);
    fixture_open(&f);
    struct bs_slice large = {body, 4096};
    assert_int_equal(bs_log_append(f.log, BS_RECORD_TICK, 0, &large, 1, NULL), BS_INVALID);
    struct bs_slice whole = {body, 4096 - 64 - 32};
    assert_int_equal(bs_log_append(f.log, BS_RECORD_TICK, 0, &whole, 1, NULL), BS_OK);
    assert_int_equal(bs_log_append(f.log, BS_RECORD_TICK, 0, &whole, 1, NULL), BS_OK);
    fixture_fini(&f);
}

static void woken_only_when_asleep(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8192, 10);
    fixture_open(&f);
    append_all(&f, 0, 3);
    assert_int_equal(f.records, 0);
    assert_false(bs_log_sleep(f.log));
    assert_int_equal(read_on(f.log, 0), 3);
    assert_true(bs_log_sleep(f.log));
    append_all(&f, 3, 6);
    assert_int_equal(f.records, 1);
    fixture_fini(&f);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 4096, 2);
    assert_int_equal(bs_log_open(&f.log, &f.options, &f.recovery), BS_INVALID);
    f.options.segment_bytes = 4095;
    f.options.max_bytes = 1 << 20;
    assert_int_equal(bs_log_open(&f.log, &f.options, &f.recovery), BS_INVALID);
    assert_non_null(strstr(f.recovery.message, "4095"));
}

static void a_folder_that_cannot_be(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 4096, 3);
    f.options.directory = "/proc/backstep";
    assert_int_equal(bs_log_open(&f.log, &f.options, &f.recovery), BS_NOT_FOUND);
    assert_string_equal(f.recovery.message, "/proc/backstep: No such file or directory");
    f.options.directory = "/dev/null";
    assert_int_equal(bs_log_open(&f.log, &f.options, &f.recovery), BS_NOT_FOUND);
    assert_string_equal(f.recovery.message, "/dev/null: Not a directory");
}

/* The reserve is used up to its end; a release makes room, and both changes are told. */
static void bound_and_release(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8192, 4);
    fixture_open(&f);
    uint64_t count = 0, at_bound = 0;
    enum bs_status status;
    while ((status = append_numbered(f.log, count, NULL)) == BS_OK) {
        count++;
        if (!at_bound && bs_log_condition(f.log).trouble == BS_LOG_AT_BOUND)
            at_bound = count;
    }
    assert_int_equal(status, BS_FULL);
    assert_int_equal(bs_log_condition(f.log).trouble, BS_LOG_AT_BOUND);
    assert_true(at_bound > 0 && at_bound < count - 5);
    assert_int_equal(bs_log_bytes(f.log), 4 * 8192);
    assert_int_equal(f.changes, 1);

    assert_int_equal(read_on(f.log, 0), count);
    bs_log_release(f.log, bs_log_head(f.log));
    WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_WELL);
    WAIT_FOR(f.changes == 2);
    WAIT_FOR(count_files(&f, ".seg") == 2);
    append_all(&f, count, count + 40);
    assert_int_equal(read_on(f.log, count), 40);
    uint64_t first = bs_log_first(f.log);
    assert_int_equal(first, 3 * (8192 - 64));
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(f.recovery.first, first);
    fixture_fini(&f);
}

/* Bodies that were read hold until they are released, also when the reader is far on. */
static void release_keeps_what_is_behind(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 4096, 50);
    fixture_open(&f);
    append_all(&f, 0, 300);
    struct bs_record r, kept = {0};
    for (int i = 0; bs_log_read(f.log, &r); i++)
        if (i == 100)
            kept = r;
    bs_log_release(f.log, kept.position);
    WAIT_FOR(bs_log_first(f.log) > 0 && bs_log_first(f.log) + 4032 > kept.position);
    assert_int_equal(number_of(&kept), 100);
    bs_log_seek(f.log, kept.position);
    assert_int_equal(read_on(f.log, 100), 200);
    bs_log_seek(f.log, kept.position);
    bs_log_release(f.log, bs_log_head(f.log));
    assert_int_equal(read_on(f.log, 300), 0);
    append_all(&f, 300, 310);
    assert_int_equal(read_on(f.log, 300), 10);
    fixture_fini(&f);
}

static void one_owner(void **state)
{
    (void)state;
    struct fixture f;
    int ready[2], over[2];
    fixture_init(&f, 8192, 10);
    assert_int_equal(pipe(ready) | pipe(over), 0);
    pid_t child = fork();
    if (child == 0) {
        char c = 'x';
        enum bs_status status = bs_log_open(&f.log, &f.options, &f.recovery);
        bool told = write(ready[1], &c, 1) == 1 && read(over[0], &c, 1) == 1;
        _exit(status == BS_OK && told ? 0 : 1);
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(bs_log_open(&f.log, &f.options, &f.recovery), BS_BUSY);
    assert_int_equal(f.recovery.holder, child);
    char expected[256];
    snprintf(expected, sizeof(expected), "%s/intake.lock: held by process %d", f.directory, child);
    assert_string_equal(f.recovery.message, expected);
    assert_int_equal(write(over[1], &c, 1), 1);
    int exited;
    waitpid(child, &exited, 0);
    assert_int_equal(exited, 0);
    fixture_open(&f);
    fixture_fini(&f);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(over[i]);
    }
}

static void marks_stay(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t marks[BS_LOG_MARKS] = {0}, loaded[BS_LOG_MARKS];
    fixture_init(&f, 8192, 10);
    fixture_open(&f);
    bs_log_marks_load(f.log, loaded);
    assert_memory_equal(marks, loaded, sizeof(marks));
    for (uint64_t i = 1; i <= 1001; i++) {
        marks[0] = i;
        marks[BS_LOG_MARKS - 1] = UINT64_MAX - i;
        bs_log_marks_store(f.log, marks);
    }
    fixture_close(&f);
    fixture_open(&f);
    bs_log_marks_load(f.log, loaded);
    assert_memory_equal(marks, loaded, sizeof(marks));
    fixture_close(&f);

    /* The newest slot torn: the one before it counts. 1001 is odd, so it stands second. */
    char path[512];
    assert_true(nth_file(&f, ".marks", 0, path));
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "torn", 4, 4096 + 60), 4);
    fixture_open(&f);
    assert_string_equal(f.recovery.message, "");
    bs_log_marks_load(f.log, loaded);
    assert_int_equal(loaded[0], 1000);
    bs_log_marks_store(f.log, marks);
    fixture_close(&f);

    assert_int_equal(pwrite(fd, "torn", 4, 60), 4);
    assert_int_equal(pwrite(fd, "torn", 4, 4096 + 60), 4);
    close(fd);
    fixture_open(&f);
    assert_non_null(strstr(f.recovery.message, "both slots are damaged"));
    bs_log_marks_load(f.log, loaded);
    assert_int_equal(loaded[0], 0);
    fixture_fini(&f);
}

static void truncate_at_each_record(void **state)
{
    (void)state;
    enum { COUNT = 120 };
    uint64_t positions[COUNT + 1];
    for (uint64_t keep = 0; keep <= COUNT; keep += 7) {
        struct fixture f;
        fixture_init(&f, 4096, 50);
        fixture_open(&f);
        struct bs_record r;
        for (uint64_t i = 0; i < COUNT; i++) {
            append_all(&f, i, i + 1);
            assert_true(bs_log_read(f.log, &r));
            positions[i] = r.position;
        }
        positions[COUNT] = bs_log_head(f.log);
        fixture_close(&f);

        fixture_open(&f);
        assert_int_equal(bs_log_truncate(f.log, positions[keep]), BS_OK);
        assert_int_equal(bs_log_head(f.log), positions[keep]);
        assert_int_equal(read_on(f.log, 0), keep);
        append_all(&f, keep, keep + 60);
        fixture_close(&f);
        fixture_open(&f);
        assert_string_equal(f.recovery.message, "");
        assert_int_equal(read_on(f.log, 0), keep + 60);
        fixture_fini(&f);
    }
}

static void continue_behind_a_gap(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 4096, 50);
    fixture_open(&f);
    append_all(&f, 0, 10);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(bs_log_continue_at(f.log, 1000000), BS_OK);
    assert_int_equal(bs_log_head(f.log), 1000000);
    append_all(&f, 10, 100);
    assert_int_equal(read_on(f.log, 0), 100);
    fixture_close(&f);
    fixture_open(&f);
    assert_string_equal(f.recovery.message, "");
    assert_int_equal(read_on(f.log, 0), 100);
    assert_int_equal(bs_log_continue_at(f.log, 1000000), BS_OK);
    bs_log_seek(f.log, 1000000);
    assert_int_equal(read_on(f.log, 10), 90);
    fixture_fini(&f);
}

static void sync_before_return(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8192, 50);
    f.options.sync_ms = 0;
    fixture_open(&f);
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t end;
        assert_int_equal(append_numbered(f.log, i, &end), BS_OK);
        assert_true(bs_log_synced(f.log) >= end);
    }
    assert_int_equal(read_on(f.log, 0), 200);
    fixture_fini(&f);
}

static void watch_is_told(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8192, 50);
    f.options.sync_ms = 30;
    fixture_open(&f);
    append_all(&f, 0, 100);
    bs_log_watch_sync(f.log, bs_log_head(f.log));
    WAIT_FOR(f.changes == 1);
    assert_int_equal(bs_log_synced(f.log), bs_log_head(f.log));
    bs_log_watch_sync(f.log, 8);
    WAIT_FOR(f.changes == 2);
    append_all(&f, 100, 101);
    WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
    sleep_ms(50);
    assert_int_equal(f.changes, 2);
    fixture_fini(&f);
}

/* Another segment size at a later start: old segments keep theirs. */
static void segment_size_may_change(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t count = 0;
    fixture_init(&f, 4096, 200);
    static const uint64_t sizes[] = {4096, 16384, 8192, 32768};
    for (size_t i = 0; i < 4; i++) {
        f.options.segment_bytes = sizes[i];
        fixture_open(&f);
        assert_string_equal(f.recovery.message, "");
        append_all(&f, count, count + 300);
        count += 300;
        assert_int_equal(read_on(f.log, 0), count);
        fixture_close(&f);
    }
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_owner), /* first: it forks, and there has been no thread yet */
        cmocka_unit_test(appended_is_read),
        cmocka_unit_test(bodies_of_all_sizes),
        cmocka_unit_test(woken_only_when_asleep),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(a_folder_that_cannot_be),
        cmocka_unit_test(bound_and_release),
        cmocka_unit_test(release_keeps_what_is_behind),
        cmocka_unit_test(marks_stay),
        cmocka_unit_test(truncate_at_each_record),
        cmocka_unit_test(continue_behind_a_gap),
        cmocka_unit_test(sync_before_return),
        cmocka_unit_test(watch_is_told),
        cmocka_unit_test(segment_size_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
