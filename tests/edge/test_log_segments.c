/* The end of one segment and the beginning of the next. This program answers fdatasync, so that a
 * sync waits where a test says so. */
#include "log_fixture.h"

#include <pthread.h>
#include <sys/syscall.h>

static _Atomic bool syncs_held; /* they wait; none longer than ten seconds */
static _Atomic unsigned syncs_waiting;

static void hold_sync(void)
{
    atomic_fetch_add(&syncs_waiting, 1);
    for (int tries = 0; tries < 2000 && atomic_load(&syncs_held); tries++)
        sleep_ms(5);
    atomic_fetch_sub(&syncs_waiting, 1);
}

int fdatasync(int fd)
{
    if (atomic_load(&syncs_held))
        hold_sync();
    return (int)syscall(SYS_fdatasync, fd);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_left_only_when_it_is_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
