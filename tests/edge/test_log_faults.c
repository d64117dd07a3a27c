/* The world's faults: a process killed, a disk that fails once, again and again, or for good. */
#include "log_calls.h"

#include "backstep/base/random.h"

#include <pthread.h>
#include <signal.h>

/* Appends until it is killed; a number is told on stdout after its append. */
static int append_and_tell(const char *directory, uint64_t from)
{
    struct fixture f;
    fixture_init(&f, 65536, 1000);
    f.options.directory = directory;
    if (bs_log_open(&f.log, &f.options, &f.recovery) != BS_OK)
        return 1;
    atomic_store(&f.tick, f.recovery.last_tick.ms + 1);
    for (uint64_t i = from;; i++) {
        if (append_numbered(f.log, i, NULL) != BS_OK || write(STDOUT_FILENO, &i, 8) != 8)
            return 1;
        bs_log_marks_store(f.log, (uint64_t[BS_LOG_MARKS]){i, ~i});
    }
}

/* An appender that is killed after `after` records; returns how many numbers there are now. */
static uint64_t append_and_kill(const struct fixture *f, uint64_t known, uint64_t after)
{
    int told[2], saved = dup(STDOUT_FILENO);
    uint64_t number, count = known;
    char from[32];
    assert_int_equal(pipe(told), 0);
    snprintf(from, sizeof(from), "%llu", (unsigned long long)known);
    fflush(NULL);
    dup2(told[1], STDOUT_FILENO);
    close(told[1]);
    pid_t child = run_child("append", f->directory, from);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    while (after-- > 0 && read(told[0], &number, 8) == 8)
        count = number + 1;
    kill(child, SIGKILL);
    while (read(told[0], &number, 8) == 8)
        count = number + 1;
    waitpid(child, NULL, 0);
    close(told[0]);
    return count;
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    struct fixture f;
    struct bs_random random;
    uint64_t seed = (uint64_t)time(NULL), known = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    bs_random_init(&random, seed);
    fixture_init(&f, 65536, 1000);
    for (int round = 0; round < 25; round++) {
        uint64_t count = append_and_kill(&f, known, 1 + bs_random_below(&random, 3000));
        uint64_t marks[BS_LOG_MARKS];
        fixture_open(&f);
        uint64_t kept = read_on(f.log, 0);
        bs_log_marks_load(f.log, marks);
        if (kept < count || kept > count + 1)
            fail_msg("round %d: %llu told, %llu kept", round, (unsigned long long)count,
                     (unsigned long long)kept);
        assert_true(marks[0] + 2 >= count && marks[0] < kept && marks[1] == ~marks[0]);
        known = kept;
        fixture_close(&f);
    }
    assert_true(known > 1000);
    fixture_fini(&f);
}

/* One failed sync: a new segment takes what was unsynced, the reader reads on, nothing is there
 * twice after a restart. */
static void failed_sync(void **state)
{
    uint32_t sync_ms = *(uint32_t *)*state;
    struct fixture f;
    fixture_init(&f, 16384, 50);
    f.options.sync_ms = sync_ms;
    fixture_open(&f);
    uint64_t count = 0, read = 0;
    for (int round = 0; round < 30; round++) {
        append_all(&f, count, count + 13);
        count += 13;
        WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
        if (round % 3 == 0)
            read += read_on(f.log, read);
        unsigned failed = atomic_load(&syncs_failed);
        atomic_store(&sync_failures, 1 + round % 2);
        /* With sync_ms 0 this one waits; it returns when the rescue has worked, or says BS_IO. */
        enum bs_status status = append_numbered(f.log, count, NULL);
        assert_true(status == BS_OK || (sync_ms == 0 && round % 2 == 1 && status == BS_IO));
        count++;
        WAIT_FOR(atomic_load(&syncs_failed) > failed + (unsigned)(round % 2));
        WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_WELL);
        assert_int_equal(bs_log_synced(f.log), bs_log_head(f.log));
    }
    assert_true(f.changes >= 60);
    assert_int_equal(read + read_on(f.log, read), count);
    bs_log_seek(f.log, 0);
    assert_int_equal(read_on(f.log, 0), count);
    fixture_close(&f);

    fixture_open(&f);
    assert_string_equal(f.recovery.message, "");
    assert_int_equal(read_on(f.log, 0), count);
    bs_log_release(f.log, bs_log_head(f.log));
    WAIT_FOR(count_files(&f, ".seg") == 2);
    fixture_fini(&f);
}

static void *append_one(void *argument)
{
    struct fixture *f = argument;
    assert_int_equal(append_numbered(f->log, 99, NULL), BS_OK);
    return NULL;
}

/* Else a power cut could take the end of a segment and leave records of the next one. */
static void a_segment_is_left_only_when_it_is_synced(void **state)
{
    (void)state;
    struct fixture f;
    pthread_t appender;
    fixture_init(&f, 4096, 8);
    f.options.sync_ms = 600000; /* no sync but the one that is asked for */
    fixture_open(&f);
    WAIT_FOR(bs_log_bytes(f.log) == 2 * 4096); /* with its spare */
    uint64_t limit = 4096 - 64, number = 0;
    while (bs_log_head(f.log) + 32 + NUMBERED_MAX < limit)
        append_all(&f, number, number + 1), number++;
    while (limit - bs_log_head(f.log) >= 32 + ((numbered_length(99) + 7) & ~(size_t)7))
        append_all(&f, 0, 1);
    uint64_t end = bs_log_head(f.log);
    assert_int_equal(bs_log_synced(f.log), 0);
    atomic_store(&syncs_held, true);
    assert_int_equal(pthread_create(&appender, NULL, append_one, &f), 0);
    WAIT_FOR(atomic_load(&syncs_waiting) > 0);
    assert_int_equal(bs_log_head(f.log), end);
    atomic_store(&syncs_held, false);
    pthread_join(appender, NULL);
    assert_true(bs_log_synced(f.log) >= end);
    assert_true(bs_log_head(f.log) > end);
    fixture_fini(&f);
}

/* A body read before the rescue holds after it, and all is given back once released. */
static void bodies_outlive_a_rescue(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 16384, 50);
    f.options.sync_ms = 20;
    fixture_open(&f);
    struct bs_record kept[20];
    WAIT_FOR(count_files(&f, ".seg") == 2);
    for (uint64_t i = 0; i < 20; i++) {
        atomic_store(&sync_failures, 1);
        append_all(&f, i, i + 1);
        assert_true(bs_log_read(f.log, &kept[i]));
        WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
        WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_WELL);
    }
    assert_true(count_files(&f, ".seg") > 10);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(number_of(&kept[i]), i);
    bs_log_release(f.log, bs_log_head(f.log));
    append_all(&f, 20, 30);
    assert_int_equal(read_on(f.log, 20), 10);
    fixture_fini(&f);
}

/* All of a segment was read and released before it was ever synced; then it is replaced. The reader
 * stands at its end, and goes on from there. */
static void a_rescue_behind_the_reader(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 16384, 50);
    f.options.sync_ms = 100;
    fixture_open(&f);
    for (uint64_t i = 0; i < 10; i++) {
        append_all(&f, i, i + 1);
        assert_int_equal(read_on(f.log, i), 1);
        bs_log_release(f.log, bs_log_head(f.log));
        unsigned failed = atomic_load(&syncs_failed);
        atomic_store(&sync_failures, 1);
        WAIT_FOR(atomic_load(&syncs_failed) > failed);
        WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_WELL);
        sleep_ms(20);
    }
    append_all(&f, 10, 20);
    assert_int_equal(read_on(f.log, 10), 10);
    fixture_fini(&f);
}

static void disk_that_stays_broken(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 16384, 50);
    f.options.sync_ms = 5;
    fixture_open(&f);
    append_all(&f, 0, 10);
    WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
    uint64_t synced = bs_log_synced(f.log);
    atomic_store(&sync_failures, INT32_MAX);
    append_all(&f, 10, 11);
    WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_IO_ERROR);
    assert_int_equal(bs_log_condition(f.log).error, EIO);
    assert_int_equal(append_numbered(f.log, 11, NULL), BS_IO);
    sleep_ms(400);
    assert_int_equal(append_numbered(f.log, 11, NULL), BS_IO);
    assert_int_equal(bs_log_synced(f.log), synced);
    uint64_t read = read_on(f.log, 0);
    assert_true(read == 11);
    atomic_store(&sync_failures, 0);
    WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_WELL);
    append_all(&f, 11, 20);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(read_on(f.log, 0), 20);
    atomic_store(&sync_failures, INT32_MAX);
    append_all(&f, 20, 21);
    fixture_close(&f);
    atomic_store(&sync_failures, 0);
    fixture_fini(&f);
}

/* A sync that fails again and again: nothing is appended until the disk was calm for a while, which
 * grows, so that segments are not used up by it. */
static void disk_that_fails_again_and_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 16384, 100);
    f.options.sync_ms = 1;
    f.options.trial_ms = 200;
    fixture_open(&f);
    uint64_t count = 10;
    unsigned refused = 0;
    append_all(&f, 0, count);
    WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
    atomic_store(&new_is_sound, true);
    for (int i = 0; i < 1500; i++) {
        atomic_store(&sync_failures, 1);
        enum bs_status status = append_numbered(f.log, count, NULL);
        assert_true(status == BS_OK || status == BS_IO);
        count += status == BS_OK;
        refused += status != BS_OK;
        sleep_ms(1);
    }
    assert_true(refused > 1000);
    assert_in_range(atomic_load(&syncs_failed), 3, 6);
    assert_in_range(count_files(&f, ".seg"), 4, 8);
    atomic_store(&sync_failures, 0);
    WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_WELL);
    append_all(&f, count, count + 10);
    WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
    assert_int_equal(read_on(f.log, 0), count + 10);
    fixture_fini(&f);
}

/* What a sync lost is written anew by the stop; where that fails too, by the next start: for then
 * the kernel takes the lost pages for clean. */
static void a_stop_after_a_failed_sync(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 1 << 20, 50);
    f.options.sync_ms = 5;
    fixture_open(&f);
    append_all(&f, 0, 100);
    WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
    for (int sound_at_stop = 1; sound_at_stop >= 0; sound_at_stop--) {
        uint64_t from = sound_at_stop ? 100 : 300;
        atomic_store(&sync_failures, INT32_MAX);
        append_all(&f, from, from + 1);
        WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_IO_ERROR);
        sleep_ms(50);
        int segments = count_files(&f, ".seg");
        atomic_store(&sync_failures, sound_at_stop ? 0 : INT32_MAX);
        fixture_close(&f);
        assert_int_equal(count_files(&f, ".seg"), segments + sound_at_stop);
        atomic_store(&sync_failures, 0);
        atomic_store(&written, 0);
        fixture_open(&f);
        assert_true(atomic_load(&written) >= bs_log_head(f.log));
        assert_int_equal(read_on(f.log, 0), from + 1);
        append_all(&f, from + 1, 300);
        WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
    }
    fixture_fini(&f);
}

/* Counters that cannot be kept are trouble too, and are tried again at leisure. */
static void marks_that_cannot_be_written(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t marks[BS_LOG_MARKS] = {7};
    fixture_init(&f, 16384, 50);
    f.options.sync_ms = 0;
    fixture_open(&f);
    WAIT_FOR(count_files(&f, ".seg") == 2);
    atomic_store(&marks_errno, EROFS);
    bs_log_marks_store(f.log, marks);
    WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_IO_ERROR);
    assert_int_equal(bs_log_condition(f.log).error, EROFS);
    append_all(&f, 0, 10);
    atomic_store(&marks_errno, 0);
    atomic_store(&syncs_held, false);
    atomic_store(&sync_failures, INT32_MAX);
    sleep_ms(600);
    assert_in_range(atomic_load(&syncs_failed), 1, 4);
    atomic_store(&sync_failures, 0);
    WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_WELL);
    fixture_close(&f);
    fixture_open(&f);
    bs_log_marks_load(f.log, marks);
    assert_int_equal(marks[0], 7);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    /* A child: a check that fails there aborts, for it is in no test. */
    if (argc > 2)
        return append_and_tell(argv[2], strtoull(argv[3], NULL, 10));
    static uint32_t at_once = 0, later = 5;
    const struct CMUnitTest tests[] = {
        TEST(killed_at_any_moment),
        cmocka_unit_test_prestate_setup_teardown(failed_sync, no_faults, NULL, &later),
        cmocka_unit_test_prestate_setup_teardown(failed_sync, no_faults, NULL, &at_once),
        TEST(a_segment_is_left_only_when_it_is_synced),
        TEST(bodies_outlive_a_rescue),
        TEST(a_rescue_behind_the_reader),
        TEST(disk_that_stays_broken),
        TEST(disk_that_fails_again_and_again),
        TEST(a_stop_after_a_failed_sync),
        TEST(marks_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
