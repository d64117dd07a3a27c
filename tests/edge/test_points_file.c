/* The local file: whole lines only, whatever the disk or the last writer did; rotation; pipes. */
#include "backstep/edge/points_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[128], old_path[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/backstep-points-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/points.lp", folder);
    snprintf(old_path, sizeof(old_path), "%s/points.lp.1", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(old_path);
    return rmdir(folder);
}

static struct bs_points_file *open_at(const char *where, uint64_t max_bytes)
{
    struct bs_points_file *f = NULL;
    int error = 0;
    enum bs_status status = bs_points_file_open(&f, where, max_bytes, 0640, &error);
    if (status != BS_OK)
        fail_msg("%s: %s (%s)", where, bs_status_text(status), strerror(error));
    return f;
}

static void put(const char *where, const char *text)
{
    FILE *file = fopen(where, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_content(const char *where, const char *expected)
{
    static char content[300000];
    FILE *file = fopen(where, "r");
    assert_non_null(file);
    size_t length = fread(content, 1, sizeof(content) - 1, file);
    content[length] = '\0';
    fclose(file);
    assert_string_equal(content, expected);
}

static enum bs_status append(struct bs_points_file *f, const char *text)
{
    int error = 0;
    return bs_points_file_write(f, bs_slice_text(text), &error);
}

static void lines_are_appended_over_restarts(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct bs_points_file *f = open_at(path, 1 << 20);
        assert_int_equal(append(f, "a f=1 1\nb f=2 2\n"), BS_OK);
        bs_points_file_close(f);
    }
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777 & ~0640u, 0);
    assert_content(path, "a f=1 1\nb f=2 2\na f=1 1\nb f=2 2\na f=1 1\nb f=2 2\n");
}

static void half_a_line_of_a_dead_writer_is_cut(void **state)
{
    (void)state;
    static const char *const table[][2] = {{"a f=1 1\nb f=", "a f=1 1\nnew f=1 1\n"},
                                           {"b f=", "new f=1 1\n"},
                                           {"a f=1 1\n", "a f=1 1\nnew f=1 1\n"},
                                           {"", "new f=1 1\n"}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        put(path, table[i][0]);
        struct bs_points_file *f = open_at(path, 1 << 20);
        assert_int_equal(append(f, "new f=1 1\n"), BS_OK);
        bs_points_file_close(f);
        assert_content(path, table[i][1]);
    }
    char *longest = malloc(200001);
    memset(longest, 'x', 200000);
    longest[200000] = '\0';
    memcpy(longest, "a 1\n", 4);
    put(path, longest);
    free(longest);
    bs_points_file_close(open_at(path, 1 << 20));
    assert_content(path, "a 1\n");
}

static void a_full_file_becomes_the_predecessor(void **state)
{
    (void)state;
    put(path, "first f=1 1\n");
    struct bs_points_file *f = open_at(path, 24);
    assert_int_equal(append(f, "second f=1 1\n"), BS_OK);
    assert_content(old_path, "first f=1 1\n");
    assert_content(path, "second f=1 1\n");
    assert_int_equal(append(f, "third f=1\n"), BS_OK);
    assert_content(path, "second f=1 1\nthird f=1\n");
    assert_int_equal(append(f, "a line that is longer than the bound f=1 1\n"), BS_OK);
    assert_content(old_path, "second f=1 1\nthird f=1\n");
    assert_content(path, "a line that is longer than the bound f=1 1\n");
    assert_int_equal(append(f, "last\n"), BS_OK);
    assert_content(path, "last\n");
    bs_points_file_close(f);
}

/* The limit on file size makes a write short, as a full disk does. */
static void a_short_write_is_undone(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, tight;
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 20;
    struct bs_points_file *f = open_at(path, 1 << 20);
    assert_int_equal(append(f, "fits f=1 1\n"), BS_OK);
    setrlimit(RLIMIT_FSIZE, &tight);
    enum bs_status status = append(f, "does not fit f=1 1\n");
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, BS_IO);
    assert_content(path, "fits f=1 1\n");
    assert_int_equal(append(f, "does not fit f=1 1\n"), BS_OK);
    assert_content(path, "fits f=1 1\ndoes not fit f=1 1\n");
    bs_points_file_close(f);
}

static void what_was_not_kept_can_be_undone(void **state)
{
    (void)state;
    int error = 0;
    put(path, "before\n");
    struct bs_points_file *f = open_at(path, 30);
    assert_int_equal(append(f, "one\n"), BS_OK);
    assert_int_equal(bs_points_file_undo(f, &error), BS_OK);
    assert_content(path, "before\n");
    assert_int_equal(append(f, "two\n"), BS_OK);
    assert_int_equal(bs_points_file_sync(f, &error), BS_OK);
    bs_points_file_keep(f);
    assert_int_equal(append(f, "three\n"), BS_OK);
    assert_int_equal(bs_points_file_undo(f, &error), BS_OK);
    assert_content(path, "before\ntwo\n");
    assert_int_equal(append(f, "as long as it may be........\n"), BS_OK);
    assert_content(old_path, "before\ntwo\n");
    assert_int_equal(bs_points_file_undo(f, &error), BS_OK);
    assert_content(path, "");
    assert_int_equal(append(f, "last\n"), BS_OK);
    assert_content(path, "last\n");
    bs_points_file_close(f);
    f = open_at("/dev/null", 30);
    assert_int_equal(bs_points_file_sync(f, &error), BS_OK);
    assert_int_equal(bs_points_file_undo(f, &error), BS_OK);
    bs_points_file_close(f);
}

static void a_pipe_goes_on_where_it_stopped(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    struct bs_points_file *f = NULL;
    int error = 0;
    assert_int_equal(bs_points_file_open(&f, path, 10, 0640, &error), BS_IO);
    assert_int_equal(error, ENXIO);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    f = open_at(path, 10);
    size_t length = 200000;
    char *lines = malloc(length), *got = malloc(length);
    for (size_t i = 0; i < length; i++)
        lines[i] = i % 10 == 9 ? '\n' : (char)('a' + i % 26);
    size_t count = 0;
    unsigned tries = 0;
    for (bool written = false; !written || count < length;) {
        if (!written) {
            written = bs_points_file_write(f, bs_slice_of(lines, length), &error) == BS_OK;
            tries++;
        }
        ssize_t more = read(reader, got + count, length - count);
        count += more > 0 ? (size_t)more : 0;
    }
    assert_true(tries > 1);
    assert_memory_equal(got, lines, length);
    assert_int_equal(append(f, "next\n"), BS_OK);
    assert_int_equal(read(reader, got, length), 5);
    free(lines);
    free(got);
    close(reader);
    bs_points_file_close(f);
}

static void devices_are_only_written_to(void **state)
{
    (void)state;
    struct bs_points_file *f = open_at("/dev/null", 4);
    for (int i = 0; i < 10; i++)
        assert_int_equal(append(f, "a f=1 1\n"), BS_OK);
    bs_points_file_close(f);
    f = open_at("/dev/full", 4);
    assert_int_equal(append(f, "a f=1 1\n"), BS_NO_SPACE);
    bs_points_file_close(f);
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    struct bs_points_file *f = NULL;
    int error = 0;
    char missing[160];
    snprintf(missing, sizeof(missing), "%s/none/points.lp", folder);
    assert_int_equal(bs_points_file_open(&f, missing, 1 << 20, 0640, &error), BS_IO);
    assert_int_equal(error, ENOENT);
    assert_int_equal(bs_points_file_open(&f, folder, 1 << 20, 0640, &error), BS_IO);
    assert_int_equal(error, EISDIR);
    assert_null(f);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(lines_are_appended_over_restarts),
        IN_A_FOLDER(half_a_line_of_a_dead_writer_is_cut),
        IN_A_FOLDER(a_full_file_becomes_the_predecessor),
        IN_A_FOLDER(a_short_write_is_undone),
        IN_A_FOLDER(what_was_not_kept_can_be_undone),
        IN_A_FOLDER(a_pipe_goes_on_where_it_stopped),
        IN_A_FOLDER(devices_are_only_written_to),
        IN_A_FOLDER(what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
