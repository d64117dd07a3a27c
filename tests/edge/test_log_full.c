/* A disk that fills, and file systems that give no guarantee: the real ones, in a namespace of a
 * child's own. */
#include "log_calls.h"

#include <sched.h>
#include <sys/mount.h>

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
    /* Until then it may take what it left to its owner's records. */
    WAIT_FOR(bs_log_condition(f->log).trouble == BS_LOG_DISK_FULL);
    assert_int_equal(append_numbered(f->log, count, NULL), BS_NO_SPACE);
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

static int play(const char *role, const char *directory)
{
    if (strcmp(role, "full") == 0)
        return use_mount(directory, "tmpfs", "size=1m", use_full_disk);
    if (strcmp(role, "no-disk") == 0)
        return use_mount(directory, "tmpfs", "size=64k", use_no_disk);
    if (strcmp(role, "ramfs") == 0)
        return use_mount(directory, "ramfs", NULL, use_ramfs);
    return 2;
}

int main(int argc, char **argv)
{
    /* A child: a check that fails there aborts, for it is in no test. */
    if (argc > 2)
        return play(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        TEST(no_guarantee),
        TEST(full_disk),
        TEST(full_disk_without_guarantee),
        TEST(full_disk_at_first_start),
        TEST(file_system_without_fallocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
