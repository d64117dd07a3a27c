/* The world's faults: a process killed, a disk that fails or fills, a file system that gives no
 * guarantee. Some calls are answered by this program where a test asks for it, so that a disk can
 * fail at an exact moment; everything else is the real kernel. */
#include "log_fixture.h"

#include "backstep/base/random.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static _Atomic int sync_failures;     /* how many of the next syncs fail */
static _Atomic bool new_is_sound;     /* but none of a file that is being made */
static _Atomic int allocation_errno;  /* what every allocation ends with, 0 for the real one */
static _Atomic int write_errno;       /* the same for appends that go through pwritev */
static _Atomic unsigned syncs_failed; /* so far */
static _Atomic int marks_errno;       /* what a write of the marks ends with */
static _Atomic uint64_t written;      /* bytes that pwrite wrote */

static bool is_named(int fd, const char *part)
{
    char link[64], path[512];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = 0;
    return strstr(path, part) != NULL;
}

int fdatasync(int fd)
{
    if (atomic_load(&sync_failures) > 0 && !(atomic_load(&new_is_sound) && is_named(fd, ".new"))) {
        atomic_fetch_sub(&sync_failures, 1);
        atomic_fetch_add(&syncs_failed, 1);
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (atomic_load(&allocation_errno) != 0) {
        errno = atomic_load(&allocation_errno);
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (atomic_load(&write_errno) != 0) {
        errno = atomic_load(&write_errno);
        return -1;
    }
    return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

ssize_t pwrite(int fd, const void *at, size_t length, off_t offset)
{
    if (atomic_load(&marks_errno) != 0 && is_named(fd, ".marks")) {
        errno = atomic_load(&marks_errno);
        return -1;
    }
    atomic_fetch_add(&written, length);
    return syscall(SYS_pwrite64, fd, at, length, offset);
}

/* Children are this program anew, so that none begins as the copy of one that had threads. */
static pid_t run_child(const char *role, const char *argument, const char *other)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_log_faults", role, argument, other, (char *)NULL);
        _exit(127);
    }
    return child;
}

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

/* Without an allocation guarantee: the same log through pwrite. */
static void no_guarantee(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8192, 100);
    atomic_store(&allocation_errno, EOPNOTSUPP);
    fixture_open(&f);
    append_all(&f, 0, 500);
    assert_int_equal(read_on(f.log, 0), 500);
    /* With the spare made, the next sync is that of the record. */
    WAIT_FOR(bs_log_bytes(f.log) == (bs_log_head(f.log) / (8192 - 64) + 2) * 8192);
    WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
    atomic_store(&sync_failures, 1);
    append_all(&f, 500, 501);
    WAIT_FOR(bs_log_synced(f.log) == bs_log_head(f.log));
    append_all(&f, 501, 600);
    fixture_close(&f);
    fixture_open(&f);
    assert_string_equal(f.recovery.message, "");
    assert_int_equal(read_on(f.log, 0), 600);
    fixture_close(&f);
    atomic_store(&allocation_errno, 0);
    fixture_open(&f);
    append_all(&f, 600, 700);
    assert_int_equal(read_on(f.log, 0), 700);
    fixture_fini(&f);
}

static void full_disk_without_guarantee(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8192, 100);
    atomic_store(&allocation_errno, EOPNOTSUPP);
    fixture_open(&f);
    append_all(&f, 0, 100);
    atomic_store(&write_errno, ENOSPC);
    assert_int_equal(append_numbered(f.log, 100, NULL), BS_NO_SPACE);
    assert_int_equal(bs_log_condition(f.log).trouble, BS_LOG_DISK_FULL);
    assert_int_equal(read_on(f.log, 0), 100);
    /* Room alone is no proof. */
    sleep_ms(600);
    assert_int_equal(bs_log_condition(f.log).trouble, BS_LOG_DISK_FULL);
    atomic_store(&write_errno, EIO);
    WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_IO_ERROR);
    atomic_store(&write_errno, 0);
    WAIT_FOR(bs_log_condition(f.log).trouble == BS_LOG_WELL);
    append_all(&f, 100, 200);
    assert_int_equal(read_on(f.log, 100), 100);
    fixture_fini(&f);
}

static void fill_file(const char *path)
{
    static const char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    while (write(fd, block, sizeof(block)) > 0)
        continue;
    close(fd);
}

/* On a disk that is full but for the log itself; `filler` takes the rest. In a child of its own. */
static void use_full_disk(struct fixture *f, const char *filler)
{
    fixture_open(f);
    append_all(f, 0, 10);
    WAIT_FOR(count_files(f, ".seg") == 2);
    fill_file(filler);
    uint64_t count = 10;
    enum bs_status status;
    while ((status = append_numbered(f->log, count, NULL)) == BS_OK)
        count++;
    assert_int_equal(status, BS_NO_SPACE);
    assert_int_equal(bs_log_condition(f->log).trouble, BS_LOG_DISK_FULL);
    assert_int_equal(bs_log_condition(f->log).error, ENOSPC);
    assert_true(count > 100);
    WAIT_FOR(bs_log_synced(f->log) == bs_log_head(f->log));
    fixture_close(f);

    fixture_open(f);
    struct bs_record r;
    for (uint64_t i = 0; i < count; i++)
        assert_true(bs_log_read(f->log, &r) && number_of(&r) == i);
    WAIT_FOR(bs_log_condition(f->log).trouble == BS_LOG_DISK_FULL ||
             append_numbered(f->log, count, NULL) == BS_NO_SPACE);
    unlink(filler);
    WAIT_FOR(bs_log_condition(f->log).trouble == BS_LOG_WELL);
    append_all(f, count, count + 100);
    assert_int_equal(read_on(f->log, count), 100);
    fixture_close(f);
}

/* In the child: a private file system at `directory`, then `use` on it. */
static int use_mount(const char *directory, const char *type, const char *options,
                     void (*use)(struct fixture *f, const char *filler))
{
    struct fixture f;
    char filler[512];
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", directory, type, 0, options) != 0)
        return errno == EPERM ? 77 : 1;
    fixture_init_in(&f, directory, 65536, 1000);
    snprintf(filler, sizeof(filler), "%s/filler", directory);
    use(&f, filler);
    return 0;
}

static void on_mount(const char *role)
{
    char directory[64] = "/tmp/backstep-mount-XXXXXX";
    int status;
    assert_non_null(mkdtemp(directory));
    waitpid(run_child(role, directory, NULL), &status, 0);
    rmdir(directory);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skipped: no right to mount a file system\n");
        skip();
    }
    if (WIFSIGNALED(status))
        fail_msg("ended by %s", strsignal(WTERMSIG(status)));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void use_no_disk(struct fixture *f, const char *filler)
{
    fill_file(filler);
    assert_int_equal(bs_log_open(&f->log, &f->options, &f->recovery), BS_NO_SPACE);
    assert_non_null(strstr(f->recovery.message, "No space left on device"));
}

/* The real thing: ramfs knows no fallocate and does not tell its size. */
static void use_ramfs(struct fixture *f, const char *filler)
{
    (void)filler;
    fixture_open(f);
    append_all(f, 0, 3000);
    assert_int_equal(read_on(f->log, 0), 3000);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(read_on(f->log, 0), 3000);
    fixture_close(f);
}

static void full_disk(void **state)
{
    (void)state;
    on_mount("full");
}

static void full_disk_at_first_start(void **state)
{
    (void)state;
    on_mount("no-disk");
}

static void file_system_without_fallocate(void **state)
{
    (void)state;
    on_mount("ramfs");
}

static int play(const char *role, const char *directory, const char *other)
{
    if (strcmp(role, "append") == 0)
        return append_and_tell(directory, strtoull(other, NULL, 10));
    if (strcmp(role, "full") == 0)
        return use_mount(directory, "tmpfs", "size=1m", use_full_disk);
    if (strcmp(role, "no-disk") == 0)
        return use_mount(directory, "tmpfs", "size=64k", use_no_disk);
    if (strcmp(role, "ramfs") == 0)
        return use_mount(directory, "ramfs", NULL, use_ramfs);
    return 2;
}

static int no_faults(void **state)
{
    (void)state;
    atomic_store(&sync_failures, 0);
    atomic_store(&allocation_errno, 0);
    atomic_store(&write_errno, 0);
    atomic_store(&marks_errno, 0);
    atomic_store(&syncs_failed, 0);
    atomic_store(&new_is_sound, false);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, no_faults)

int main(int argc, char **argv)
{
    /* A child: a check that fails there aborts, for it is in no test. */
    if (argc > 2)
        return play(argv[1], argv[2], argv[3]);
    static uint32_t at_once = 0, later = 5;
    const struct CMUnitTest tests[] = {
        TEST(killed_at_any_moment),
        cmocka_unit_test_prestate_setup_teardown(failed_sync, no_faults, NULL, &later),
        cmocka_unit_test_prestate_setup_teardown(failed_sync, no_faults, NULL, &at_once),
        TEST(bodies_outlive_a_rescue),
        TEST(a_rescue_behind_the_reader),
        TEST(disk_that_stays_broken),
        TEST(disk_that_fails_again_and_again),
        TEST(a_stop_after_a_failed_sync),
        TEST(marks_that_cannot_be_written),
        TEST(no_guarantee),
        TEST(full_disk),
        TEST(full_disk_without_guarantee),
        TEST(full_disk_at_first_start),
        TEST(file_system_without_fallocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
