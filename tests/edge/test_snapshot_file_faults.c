/* What the world does to a snapshot that is written: a disk that is full, fails or may not be
 * written to, a process that is killed or hangs or cannot be made. Each ends with its reason, and
 * leaves the older ones alone. Some calls are answered by this program where a test asks for it, in
 * the child too; everything else is the real kernel. */
#include "snapshot_scene.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int sync_errno, rename_errno, folder_errno, fork_errno, read_errno, write_in_pieces,
    early_signal;

int fdatasync(int fd)
{
    errno = sync_errno;
    return sync_errno ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    errno = folder_errno;
    return folder_errno ? -1 : (int)syscall(SYS_fsync, fd);
}

/* To be read: refused where a test asks for it. */
int openat(int folder, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    bool refused = read_errno && strncmp(name, "snapshot-", 9) == 0 && !(flags & O_CREAT);
    errno = read_errno;
    return refused ? -1 : (int)syscall(SYS_openat, folder, name, flags, mode);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    errno = rename_errno;
    return rename_errno ? -1 : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

pid_t fork(void)
{
    pid_t (*real)(void);
    *(void **)&real = dlsym(RTLD_NEXT, "fork");
    errno = fork_errno;
    pid_t pid = fork_errno ? -1 : real();
    if (pid == 0 && early_signal)
        raise(early_signal);
    return pid;
}

/* Interrupted every third time, and never more than 1000 bytes. */
ssize_t write(int fd, const void *at, size_t bytes)
{
    static unsigned calls;
    if (!write_in_pieces)
        return syscall(SYS_write, fd, at, bytes);
    if (calls++ % 3 == 2) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_write, fd, at, bytes < 1000 ? bytes : 1000);
}

/* Both ways end like that, and what was there is there still, readable, and the newest. */
static void expect_failure(struct scene *s, uint64_t position, enum bs_status status, int errno_)
{
    int error = 0;
    char before[256];
    snprintf(before, sizeof before, "%s", scene_names(s));
    scene_begin(s, position);
    bs_snapshot_files_commit(s->files);
    scene_expect_end(s, status, errno_);
    assert_string_equal(scene_names(s), before);
    assert_int_equal(bs_snapshot_files_write(s->files, position, &error), status);
    assert_int_equal(error, errno_);
    assert_string_equal(scene_names(s), before);
    EXPECT_LIST(s, 2, 1);
    scene_expect_state(s, 2);
    scene_expect_state(s, 1);
}

/* A state in which two have their names already. */
static struct scene *scene_with_two(void)
{
    struct scene *s = scene_new();
    scene_take(s, 1);
    scene_take(s, 2);
    return s;
}

/* What failed works when the fault is gone. */
static void end_well(struct scene *s)
{
    scene_take(s, 3);
    assert_string_equal(scene_names(s), "2 3 ");
    scene_expect_state(s, 3);
    scene_free(s);
}

static void a_save_that_fails(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    s->save_status = BS_NO_MEMORY;
    expect_failure(s, 3, BS_NO_MEMORY, 0);
    s->save_status = BS_OK;
    end_well(s);
}

static void a_sync_that_fails(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    sync_errno = EIO;
    expect_failure(s, 3, BS_IO, EIO);
    sync_errno = ENOSPC;
    expect_failure(s, 3, BS_NO_SPACE, ENOSPC);
    sync_errno = EDQUOT;
    expect_failure(s, 3, BS_NO_SPACE, EDQUOT);
    sync_errno = 0;
    end_well(s);
}

static void a_rename_that_fails(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    rename_errno = EIO;
    expect_failure(s, 3, BS_IO, EIO);
    rename_errno = 0;
    end_well(s);
}

/* It had its name already; where it took another's, one must stay. */
static void a_folder_that_cannot_be_synced(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    folder_errno = EIO;
    expect_failure(s, 3, BS_IO, EIO);
    expect_failure(s, 2, BS_IO, EIO);
    folder_errno = 0;
    end_well(s);
}

static void a_limit_of_the_file_s_size(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    struct rlimit before, tight;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 20000;
    setrlimit(RLIMIT_FSIZE, &tight);
    scene_begin(s, 3);
    setrlimit(RLIMIT_FSIZE, &before);
    scene_expect_end(s, BS_IO, EFBIG);
    assert_string_equal(scene_names(s), "1 2 ");
    end_well(s);
}

static void writes_that_are_short_or_interrupted(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    scene_set_state(s, 9);
    write_in_pieces = 1;
    scene_take(s, 3);
    write_in_pieces = 0;
    scene_expect_state(s, 3);
    scene_free(s);
}

static void a_process_that_is_killed(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    scene_begin(s, 3);
    WAIT_FOR(s, scene_half_written(s, 3) == STATE_BYTES);
    pid_t child = scene_child();
    assert_int_not_equal(child, 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    scene_expect_end(s, BS_IO, 0);
    assert_string_equal(scene_names(s), "1 2 ");
    EXPECT_LIST(s, 2, 1);
    end_well(s);
}

/* In its save, or because nobody tells it to go on. */
static void one_that_takes_too_long(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    scene_close(s);
    s->options.timeout_ms = 50;
    scene_open(s);
    atomic_store(s->may_save, false);
    scene_begin(s, 3);
    bs_snapshot_files_commit(s->files);
    scene_expect_end(s, BS_IO, ETIMEDOUT);
    assert_string_equal(scene_names(s), "1 2 ");
    atomic_store(s->may_save, true);
    scene_begin(s, 3);
    scene_expect_end(s, BS_IO, ETIMEDOUT);
    assert_string_equal(scene_names(s), "1 2 ");
    scene_close(s);
    s->options.timeout_ms = 0;
    scene_open(s);
    end_well(s);
}

static void a_process_that_cannot_be_made(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    int error = 0;
    fork_errno = EAGAIN;
    assert_int_equal(bs_snapshot_files_begin(s->files, 3, &error), BS_IO);
    assert_int_equal(error, EAGAIN);
    fork_errno = ENOMEM;
    assert_int_equal(bs_snapshot_files_begin(s->files, 3, &error), BS_NO_MEMORY);
    assert_int_equal(error, ENOMEM);
    fork_errno = 0;
    struct rlimit before, tight;
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &tight);
    enum bs_status status = bs_snapshot_files_begin(s->files, 3, &error);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(status, BS_IO);
    assert_int_equal(error, EMFILE);
    assert_int_equal(uv_run(&s->loop, UV_RUN_NOWAIT), 0); /* nothing is left active */
    end_well(s);
}

static void count_signal(uv_signal_t *signal, int number)
{
    (void)number;
    ++*(unsigned *)signal->data;
}

/* Before it has come to its first line: a handler of ours would still be in force there. */
static void a_signal_in_its_first_moment(void **state)
{
    (void)state;
    struct scene *s = scene_with_two();
    uv_signal_t signals[2];
    unsigned count = 0;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&s->loop, &signals[i]);
        signals[i].data = &count;
        uv_signal_start(&signals[i], count_signal, i ? SIGUSR1 : SIGTERM);
    }
    early_signal = SIGTERM;
    scene_take(s, 3);
    early_signal = SIGUSR1;
    scene_begin(s, 4);
    scene_expect_end(s, BS_IO, 0);
    early_signal = 0;
    scene_take(s, 5);
    assert_int_equal(count, 0);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    scene_free(s);
}

/* What is told against the file, and what only against us. */
static void one_that_cannot_be_read(void **state)
{
    static const struct {
        int error;
        enum bs_status status;
    } cases[] = {{EIO, BS_IO},      {EACCES, BS_REFUSED}, {EPERM, BS_REFUSED},
                 {EMFILE, BS_FULL}, {ENFILE, BS_FULL},    {ENOMEM, BS_NO_MEMORY}};
    struct scene *s = scene_new();
    scene_take(s, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bs_slice content;
        int error = 0;
        read_errno = cases[i].error;
        assert_int_equal(bs_snapshot_files_read(s->files, 1, &content, &error), cases[i].status);
        assert_int_equal(error, cases[i].error);
    }
    read_errno = 0;
    scene_free(s);
    (void)state;
}

static void use_full_disk(struct scene *s)
{
    static const char block[4096];
    scene_take(s, 1);
    scene_take(s, 2);
    char path[256];
    snprintf(path, sizeof path, "%s/filler", s->directory);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, block, sizeof block) > 0)
        continue;
    /* Room for a part of it. */
    assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_CUR) - 20 * (off_t)sizeof block), 0);
    close(fd);
    expect_failure(s, 3, BS_NO_SPACE, ENOSPC);
    assert_int_equal(unlink(path), 0);
    scene_take(s, 3);
    assert_string_equal(scene_names(s), "2 3 ");
}

static void use_read_only_disk(struct scene *s)
{
    scene_take(s, 1);
    scene_take(s, 2);
    assert_int_equal(mount("none", s->directory, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    expect_failure(s, 3, BS_IO, EROFS);
    bs_snapshot_files_set_aside(s->files, 2); /* cannot, and does not offer it again */
    EXPECT_LIST(s, 1);
    assert_string_equal(scene_names(s), "1 2 ");
    scene_close(s);
    scene_open(s);
    EXPECT_LIST(s, 2, 1);
    assert_int_equal(mount("none", s->directory, NULL, MS_REMOUNT, NULL), 0);
    scene_take(s, 3);
    assert_string_equal(scene_names(s), "2 3 ");
}

/* As a process of its own: a private file system at `directory`, then `use` on it. */
static int use_mount(const char *directory, void (*use)(struct scene *s))
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", directory, "tmpfs", 0, "size=1m") != 0)
        return errno == EPERM ? 77 : 1;
    struct scene *s = scene_new_in(directory);
    scene_open(s);
    use(s);
    scene_free(s);
    return 0;
}

static void on_mount(const char *role)
{
    char directory[64] = "/tmp/backstep-mount-XXXXXX";
    int status;
    assert_non_null(mkdtemp(directory));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_snapshot_file_faults", role, directory, (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    rmdir(directory);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skipped: no right to mount a file system\n");
        skip();
    }
    if (WIFSIGNALED(status))
        fail_msg("ended by %s", strsignal(WTERMSIG(status)));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_full_disk(void **state)
{
    (void)state;
    on_mount("full");
}

static void a_read_only_disk(void **state)
{
    (void)state;
    on_mount("read-only");
}

static int no_faults(void **state)
{
    (void)state;
    sync_errno = rename_errno = folder_errno = fork_errno = read_errno = 0;
    write_in_pieces = early_signal = 0;
    return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, no_faults)

int main(int argc, char **argv)
{
    /* A child: a check that fails there aborts, for it is in no test. */
    if (argc > 2)
        return use_mount(argv[2],
                         strcmp(argv[1], "full") == 0 ? use_full_disk : use_read_only_disk);
    const struct CMUnitTest tests[] = {
        TEST(a_save_that_fails),
        TEST(a_sync_that_fails),
        TEST(a_rename_that_fails),
        TEST(a_folder_that_cannot_be_synced),
        TEST(a_limit_of_the_file_s_size),
        TEST(writes_that_are_short_or_interrupted),
        TEST(a_process_that_is_killed),
        TEST(one_that_takes_too_long),
        TEST(a_process_that_cannot_be_made),
        TEST(a_signal_in_its_first_moment),
        TEST(a_full_disk),
        TEST(one_that_cannot_be_read),
        TEST(a_read_only_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
