/* The course of snapshots' files: begun, committed, given up, listed, read, set aside; and what the
 * process that writes one may share with this one. */
#include "snapshot_scene.h"

#include <poll.h>
#include <pthread.h>
#include <sys/file.h>

static void one_is_written_beside_the_running_process(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    EXPECT_LIST(s);
    scene_begin(s, 0xabc);
    WAIT_FOR(s, scene_half_written(s, 0xabc) == STATE_BYTES);
    for (int i = 0; i < 20; i++) {
        uv_run(&s->loop, UV_RUN_NOWAIT);
        sleep_ms(5);
    }
    assert_string_equal(scene_names(s), "abc.new ");
    EXPECT_LIST(s);
    assert_int_equal(s->ends, 0);
    bs_snapshot_files_commit(s->files);
    scene_expect_end(s, BS_OK, 0);
    assert_string_equal(scene_names(s), "abc ");
    EXPECT_LIST(s, 0xabc);
    scene_expect_state(s, 0xabc);
    assert_int_equal(s->ends, 1);
    bs_snapshot_files_commit(s->files); /* too late: nothing happens */
    scene_close(s);
    scene_open(s);
    EXPECT_LIST(s, 0xabc);
    scene_expect_state(s, 0xabc);
    struct stat about;
    char path[256];
    snprintf(path, sizeof path, "%s/snapshot-0000000000000abc", s->directory);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    scene_free(s);
}

static void it_holds_the_state_of_its_beginning(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    scene_set_state(s, 1);
    atomic_store(s->may_save, false);
    scene_begin(s, 1);
    scene_set_state(s, 2);
    bs_snapshot_files_commit(s->files); /* and may be told before it is written */
    assert_int_equal(s->ends, 0);
    atomic_store(s->may_save, true);
    scene_expect_end(s, BS_OK, 0);
    scene_set_state(s, 1);
    scene_expect_state(s, 1);
    scene_free(s);
}

static void two_are_kept(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    for (uint64_t position = 1; position <= 5; position++) {
        scene_set_state(s, (unsigned)position);
        scene_take(s, position);
    }
    assert_string_equal(scene_names(s), "4 5 ");
    EXPECT_LIST(s, 5, 4);
    scene_expect_state(s, 5);
    scene_set_state(s, 4);
    scene_expect_state(s, 4);
    scene_take(s, 5); /* the same once more */
    assert_string_equal(scene_names(s), "4 5 ");
    scene_expect_state(s, 5);
    scene_free(s);
}

/* What stands after the state that goes on is of another course. */
static void newer_ones_go(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    scene_close(s);
    scene_put(s, "snapshot-0000000000000100", "a");
    scene_put(s, "snapshot-0000000000000200", "b");
    scene_put(s, "snapshot-0000000000000300", "c");
    scene_open(s);
    EXPECT_LIST(s, 0x300, 0x200, 0x100);
    scene_take(s, 0x280);
    assert_string_equal(scene_names(s), "200 280 ");
    EXPECT_LIST(s, 0x280, 0x200);
    scene_free(s);
}

static void nothing_stays_of_one_that_is_given_up(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    scene_begin(s, 1);
    WAIT_FOR(s, scene_half_written(s, 1) == STATE_BYTES);
    scene_close(s);
    assert_string_equal(scene_names(s), "");
    assert_int_equal(s->ends, 0);
    scene_open(s);
    atomic_store(s->may_save, false);
    scene_begin(s, 2);
    WAIT_FOR(s, scene_half_written(s, 2) == 0);
    scene_close(s);
    assert_string_equal(scene_names(s), "");
    assert_int_equal(s->ends, 0);
    scene_free(s);
}

static void opening_sorts_the_folder(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    scene_close(s);
    static const char *const names[] = {
        "snapshot-00000000000000b0",     "snapshot-0000000000000a00",
        "snapshot-0000000000000c00.new", "snapshot-0000000000000a00.new",
        "snapshot-000000000000000d",     "snapshot-0000000000000001.damaged",
        "snapshot-000000000000000",      "snapshot-000000000000000F",
        "snapshot-0000000000000009.old", "intake-0000000000000000.seg",
        "snapshot-00000000000000010",    "snapshot.new"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        scene_put(s, names[i], "x");
    scene_open(s);
    EXPECT_LIST(s, 0xa00, 0xb0, 0xd);
    const char *left = scene_names(s);
    assert_null(strstr(left, "a00.new"));
    assert_null(strstr(left, "c00.new"));
    size_t count = 0;
    for (const char *c = left; *c; c++)
        count += *c == ' ';
    assert_int_equal(count, sizeof names / sizeof names[0] - 2);
    scene_free(s);
}

static void the_newest_of_many_are_listed(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    scene_close(s);
    for (unsigned i = 0; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "snapshot-%016x", i * 7 % 20);
        scene_put(s, name, "x");
    }
    scene_open(s);
    EXPECT_LIST(s, 19, 18, 17, 16, 15, 14, 13, 12);
    scene_free(s);
}

static void a_missing_folder_is_told(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    scene_close(s);
    char error[256] = "";
    s->options.directory = "/tmp/backstep-none/none";
    assert_int_equal(bs_snapshot_files_open(&s->files, &s->options, error, sizeof error), BS_IO);
    assert_string_equal(error, "/tmp/backstep-none/none: No such file or directory");
    assert_null(s->files);
    scene_free(s);
}

static void one_damaged_is_kept_aside(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    scene_take(s, 1);
    scene_take(s, 2);
    bs_snapshot_files_set_aside(s->files, 2);
    assert_string_equal(scene_names(s), "1 2.damaged ");
    EXPECT_LIST(s, 1);
    scene_take(s, 3);
    assert_string_equal(scene_names(s), "1 2.damaged 3 ");
    bs_snapshot_files_set_aside(s->files, 3);
    bs_snapshot_files_set_aside(s->files, 1);
    assert_string_equal(scene_names(s), "1.damaged ");
    EXPECT_LIST(s);
    scene_free(s);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    struct bs_slice content;
    int error = 0;
    scene_put(s, "snapshot-0000000000000001", "");
    assert_int_equal(bs_snapshot_files_read(s->files, 1, &content, &error), BS_OK);
    assert_int_equal(content.length, 0);
    bs_snapshot_files_put_down(s->files);
    assert_int_equal(bs_snapshot_files_read(s->files, 2, &content, &error), BS_IO);
    assert_int_equal(error, ENOENT);
    char path[256];
    snprintf(path, sizeof path, "%s/snapshot-0000000000000003", s->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(bs_snapshot_files_read(s->files, 3, &content, &error), BS_IO);
    assert_int_equal(error, EISDIR);
    bs_snapshot_files_put_down(s->files); /* there is nothing: nothing happens */
    scene_put(s, "snapshot-0000000000000004", "whole");
    assert_int_equal(bs_snapshot_files_read(s->files, 4, &content, &error), BS_OK);
    assert_true(bs_slice_equal(content, BS_SLICE("whole")));
    bs_snapshot_files_set_aside(s->files, 4); /* read on */
    assert_true(bs_slice_equal(content, BS_SLICE("whole")));
    scene_free(s); /* and closed with it */
}

static void one_is_written_in_this_process(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    int error = 0;
    scene_take(s, 1);
    scene_take(s, 2);
    scene_begin(s, 3);
    WAIT_FOR(s, scene_half_written(s, 3) == STATE_BYTES);
    scene_set_state(s, 4);
    assert_int_equal(bs_snapshot_files_write(s->files, 4, &error), BS_OK);
    assert_string_equal(scene_names(s), "2 4 ");
    EXPECT_LIST(s, 4, 2);
    scene_expect_state(s, 4);
    assert_int_equal(s->ends, 2); /* what was given up is not told of */
    assert_int_equal(scene_child(), 0);
    scene_set_state(s, 5);
    assert_int_equal(bs_snapshot_files_write(s->files, 4, &error), BS_OK);
    assert_string_equal(scene_names(s), "2 4 ");
    scene_expect_state(s, 4);
    scene_free(s);
}

/* Without a turn of the loop, so that nothing is known here of how far it came. */
static void wait_for_its_name(const struct scene *s, uint64_t position)
{
    for (int tries = 0; tries < 4000 && scene_half_written(s, position) >= 0; tries++)
        sleep_ms(5);
    assert_int_equal(scene_half_written(s, position), -1);
}

/* A commit that may have been heeded or not: whole and the older one, or not there. */
static void one_given_up_after_its_commit_is_whole_or_gone(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    int error = 0;
    unsigned named = 0;
    scene_take(s, 1);
    for (uint64_t position = 2; position < 60; position += 2) {
        uint64_t before = position - 1, positions[BS_SNAPSHOT_FILES_MAX];
        scene_begin(s, position);
        WAIT_FOR(s, scene_half_written(s, position) == STATE_BYTES);
        bs_snapshot_files_commit(s->files);
        if (position % 4 == 0)
            wait_for_its_name(s, position);
        assert_int_equal(bs_snapshot_files_write(s->files, position + 1, &error), BS_OK);
        assert_int_equal(bs_snapshot_files_list(s->files, positions), 2);
        assert_true(positions[1] == position || (positions[1] == before && position % 4 != 0));
        EXPECT_LIST(s, position + 1, positions[1]);
        char expected[64];
        snprintf(expected, sizeof expected, "%llx %llx ", (unsigned long long)positions[1],
                 (unsigned long long)positions[0]);
        assert_string_equal(scene_names(s), expected);
        scene_expect_state(s, positions[1]);
        named += positions[1] == position;
    }
    assert_true(named >= 14);
    assert_int_equal(s->ends, 1);
    scene_free(s);
}

static void two_at_once_are_too_many(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    int error = 0;
    scene_begin(s, 1);
    assert_int_equal(bs_snapshot_files_begin(s->files, 2, &error), BS_BUSY);
    bs_snapshot_files_commit(s->files);
    s->again = 3;
    scene_expect_end(s, BS_OK, 0);
    scene_expect_end(s, BS_OK, 0);
    assert_string_equal(scene_names(s), "1 3 ");
    scene_free(s);
}

/* Whoever waits for one of ours to close must not wait for the child. */
static void descriptors_do_not_live_on_in_it(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    int ends[2], lock = open(s->directory, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    int high = fcntl(ends[1], F_DUPFD, 500), middle = fcntl(ends[1], F_DUPFD, 20);
    assert_true(high >= 500 && middle >= 20);
    scene_begin(s, 1);
    WAIT_FOR(s, scene_half_written(s, 1) == STATE_BYTES);
    close(ends[1]);
    close(middle);
    close(high);
    close(lock);
    struct pollfd wait = {ends[0], POLLIN, 0};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    lock = open(s->directory, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    assert_int_not_equal(scene_child(), 0);
    close(lock);
    close(ends[0]);
    bs_snapshot_files_commit(s->files);
    scene_expect_end(s, BS_OK, 0);
    scene_free(s);
}

static void count_signal(uv_signal_t *signal, int number)
{
    (void)number;
    ++*(unsigned *)signal->data;
}

/* Not to our handler, and it does not end by them either: that is the parent's to say. */
static void signals_to_it_do_not_reach_us(void **state)
{
    (void)state;
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    struct scene *s = scene_new();
    uv_signal_t signals[COUNT];
    unsigned count = 0;
    for (int i = 0; i < COUNT; i++) {
        uv_signal_init(&s->loop, &signals[i]);
        signals[i].data = &count;
        uv_signal_start(&signals[i], count_signal, numbers[i]);
    }
    scene_begin(s, 1);
    WAIT_FOR(s, scene_half_written(s, 1) == STATE_BYTES);
    for (int i = 0; i < COUNT - 1; i++)
        assert_int_equal(kill(scene_child(), numbers[i]), 0);
    bs_snapshot_files_commit(s->files);
    scene_expect_end(s, BS_OK, 0);
    atomic_store(s->may_save, false);
    scene_begin(s, 2);
    WAIT_FOR(s, scene_half_written(s, 2) == 0);
    assert_int_equal(kill(scene_child(), SIGUSR1), 0); /* by default it ends by that one */
    scene_expect_end(s, BS_IO, 0);
    assert_int_equal(count, 0);
    assert_int_equal(raise(SIGTERM), 0);
    WAIT_FOR(s, count == 1); /* ours are as they were */
    for (int i = 0; i < COUNT; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    scene_free(s);
}

/* An end of another child of this process is not taken for its own. */
static void other_children_are_left_alone(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    scene_begin(s, 1);
    WAIT_FOR(s, scene_half_written(s, 1) == STATE_BYTES);
    pid_t other = fork();
    if (other == 0)
        _exit(7);
    for (int i = 0; i < 20; i++) {
        uv_run(&s->loop, UV_RUN_NOWAIT);
        sleep_ms(5);
    }
    assert_int_equal(s->ends, 0);
    int status = 0;
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(WEXITSTATUS(status), 7);
    bs_snapshot_files_commit(s->files);
    scene_expect_end(s, BS_OK, 0);
    scene_free(s);
}

static atomic_bool threads_end;
static pthread_mutex_t busy_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Holds malloc's locks most of the time. The sanitizers' own malloc has locks that no fork of this
 * compiler's age takes care of, so there it only holds one of ours. */
static void *be_busy(void *argument)
{
    void *blocks[64] = {0};
    for (unsigned i = 0; !atomic_load(&threads_end); i++) {
        pthread_mutex_lock(&busy_mutex);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        free(blocks[i % 64]);
        blocks[i % 64] = malloc(i * 37 % 5000);
#endif
        pthread_mutex_unlock(&busy_mutex);
    }
    for (size_t i = 0; i < 64; i++)
        free(blocks[i]);
    return argument;
}

static void other_threads_are_no_hindrance(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    pthread_t threads[3];
    atomic_store(&threads_end, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_busy, NULL), 0);
    for (uint64_t position = 1; position <= 40; position++)
        scene_take(s, position);
    atomic_store(&threads_end, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    scene_expect_state(s, 40);
    scene_free(s);
}

/* As the parent that will be killed: this program anew. */
static _Noreturn void begin_and_wait(const char *directory, bool may_save)
{
    struct scene *s = scene_new_in(directory);
    scene_open(s);
    atomic_store(s->may_save, may_save);
    scene_begin(s, 1);
    for (;;)
        sleep_ms(1000);
}

static pid_t run_parent(const char *role, const char *directory, int error_fd)
{
    fflush(NULL);
    pid_t parent = fork();
    if (parent == 0) {
        dup2(error_fd, STDERR_FILENO);
        execl("/proc/self/exe", "test_snapshot_file", role, directory, (char *)NULL);
        _exit(127);
    }
    close(error_fd);
    return parent;
}

/* The child keeps standard error alone: a pipe there tells when it is gone too. */
static void die_with_parent(const char *role, long half_written)
{
    struct scene *s = scene_new();
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = run_parent(role, s->directory, ends[1]);
    WAIT_FOR(s, scene_half_written(s, 1) == half_written);
    struct pollfd wait = {ends[0], POLLIN, 0};
    assert_int_equal(poll(&wait, 1, 0), 0);
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_int_equal(poll(&wait, 1, 10000), 1);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    scene_close(s);
    scene_open(s);
    assert_string_equal(scene_names(s), "");
    scene_free(s);
}

static void it_dies_with_its_parent(void **state)
{
    (void)state;
    die_with_parent("wait-for-commit", STATE_BYTES);
    die_with_parent("hang-in-save", 0);
}

int main(int argc, char **argv)
{
    if (argc > 2)
        begin_and_wait(argv[2], strcmp(argv[1], "wait-for-commit") == 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_written_beside_the_running_process),
        cmocka_unit_test(it_holds_the_state_of_its_beginning),
        cmocka_unit_test(two_are_kept),
        cmocka_unit_test(newer_ones_go),
        cmocka_unit_test(nothing_stays_of_one_that_is_given_up),
        cmocka_unit_test(opening_sorts_the_folder),
        cmocka_unit_test(the_newest_of_many_are_listed),
        cmocka_unit_test(a_missing_folder_is_told),
        cmocka_unit_test(one_damaged_is_kept_aside),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(one_is_written_in_this_process),
        cmocka_unit_test(one_given_up_after_its_commit_is_whole_or_gone),
        cmocka_unit_test(two_at_once_are_too_many),
        cmocka_unit_test(descriptors_do_not_live_on_in_it),
        cmocka_unit_test(signals_to_it_do_not_reach_us),
        cmocka_unit_test(other_children_are_left_alone),
        cmocka_unit_test(other_threads_are_no_hindrance),
        cmocka_unit_test(it_dies_with_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
