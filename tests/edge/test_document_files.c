/* Documents as files: which file is which document, in which order a folder's come, and what is
 * none. Must never write outside a folder of its own. */
#include "document_files.h"
#include "exit_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], before[4096];

static int enter(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/backstep-files-XXXXXX");
    return !getcwd(before, sizeof before) || !mkdtemp(folder) || chdir(folder) != 0;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *walk)
{
    (void)s;
    (void)type;
    (void)walk;
    return remove(path);
}

static int leave(void **state)
{
    (void)state;
    return chdir(before) != 0 || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0;
}

static void put(const char *path, const char *text)
{
    char parent[256];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
        mkdir(parent, 0700);
    }
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void expect_names(const struct bs_document_files *files, const char *expected)
{
    char found[1024] = "";
    for (size_t i = 0; i < files->count; i++) {
        const struct bs_document_place *place = &files->at[i].place;
        size_t length = strlen(found);
        snprintf(found + length, sizeof found - length, "%s%s/%s", i ? " " : "",
                 bs_kind_name(place->kind), place->id);
    }
    assert_string_equal(found, expected);
}

static void test_places(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"member/ruth", true},
        {"settings/site", true},
        {"member", false},
        {"", false},
        {"/ruth", false},
        {"member/", false},
        {"member/a/b", false},
        {"lesson/one", false},
        {"member/a.b", false},
        {"MEMBER/ruth", false},
        {"member/r\xc3\xbc", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bs_document_place place;
        char why[160] = "";
        print_message("'%s'\n", cases[i].text);
        assert_int_equal(
            bs_document_place_read(bs_slice_text(cases[i].text), &place, why, sizeof why),
            cases[i].good);
        assert_int_equal(why[0] == '\0', cases[i].good);
    }
    char longest[80] = "group/";
    memset(longest + 6, 'x', BS_ID_MAX + 1);
    struct bs_document_place place;
    char why[160];
    assert_false(
        bs_document_place_read(bs_slice_of(longest, 6 + BS_ID_MAX + 1), &place, why, sizeof why));
    assert_true(
        bs_document_place_read(bs_slice_of(longest, 6 + BS_ID_MAX), &place, why, sizeof why));
    assert_int_equal(strlen(place.id), BS_ID_MAX);
}

static void test_order_of_a_folder(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "gym/session/tue.json", "gym/member/b.json",        "gym/member/a.json",
        "gym/drill/z.json",     "gym/group/tue.json",       "gym/settings/site.json",
        "gym/README.md",        "gym/.git/member/old.json", "gym/member/.c.json",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        put(paths[i], "{}");
    struct bs_document_files files = {0};
    assert_int_equal(bs_document_files_add(&files, "gym", NULL), BS_EXIT_DONE);
    expect_names(&files, "settings/site group/tue drill/z member/a member/b session/tue");
    assert_string_equal(files.at[3].path, "gym/member/a.json");
    assert_int_equal(files.at[3].length, 2);
    /* Files keep the order in which they are named, behind what came before. */
    assert_int_equal(bs_document_files_add(&files, "gym/member/b.json", NULL), BS_EXIT_DONE);
    assert_int_equal(bs_document_files_add(&files, "gym/member/", NULL), BS_EXIT_DONE);
    expect_names(&files, "settings/site group/tue drill/z member/a member/b session/tue member/b "
                         "member/a member/b");
    bs_document_files_fini(&files);
}

static void test_from_within(void **state)
{
    (void)state;
    put("member/ruth.json", "{}");
    put("elsewhere.json", "{\"a\":1}");
    struct bs_document_files files = {0};
    assert_int_equal(chdir("member"), 0);
    assert_int_equal(bs_document_files_add(&files, "ruth.json", NULL), BS_EXIT_DONE);
    assert_int_equal(bs_document_files_add(&files, ".", NULL), BS_EXIT_DONE);
    assert_int_equal(bs_document_files_add(&files, "../elsewhere.json", "group/tue"), BS_EXIT_DONE);
    assert_int_equal(chdir(".."), 0);
    expect_names(&files, "member/ruth member/ruth group/tue");
    assert_memory_equal(files.at[2].bytes, "{\"a\":1}", 7);
    bs_document_files_fini(&files);
}

static void test_what_is_none(void **state)
{
    (void)state;
    put("member/empty.json", "");
    put("member/text.txt", "{}");
    put("lesson/one.json", "{}");
    put("nothing/of/it/here.txt", "{}");
    struct bs_document_files files = {0};
    assert_int_equal(bs_document_files_add(&files, "member/empty.json", NULL), BS_EXIT_DATA);
    assert_int_equal(bs_document_files_add(&files, "member/text.txt", NULL), BS_EXIT_DATA);
    assert_int_equal(bs_document_files_add(&files, "lesson", NULL), BS_EXIT_DATA);
    assert_int_equal(bs_document_files_add(&files, "nothing", NULL), BS_EXIT_NO_INPUT);
    assert_int_equal(bs_document_files_add(&files, "away.json", NULL), BS_EXIT_NO_INPUT);
    assert_int_equal(bs_document_files_add(&files, "member", "member/ruth"), BS_EXIT_NO_INPUT);
    assert_int_equal(files.count, 0);
    bs_document_files_fini(&files);
}

/* A larger one is read as far as it takes to see that it is. */
static void test_sizes(void **state)
{
    (void)state;
    static char text[BS_DOCUMENT_BYTES_MAX + 100];
    memset(text, ' ', sizeof text - 1);
    put("group/large.json", text);
    text[BS_DOCUMENT_BYTES_MAX] = '\0';
    put("group/fits.json", text);
    struct bs_document_files files = {0};
    assert_int_equal(bs_document_files_add(&files, "group", NULL), BS_EXIT_DONE);
    expect_names(&files, "group/fits group/large");
    assert_int_equal(files.at[0].length, BS_DOCUMENT_BYTES_MAX);
    assert_int_equal(files.at[1].length, BS_DOCUMENT_BYTES_MAX + 1);
    bs_document_files_fini(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test_setup_teardown(test_order_of_a_folder, enter, leave),
        cmocka_unit_test_setup_teardown(test_from_within, enter, leave),
        cmocka_unit_test_setup_teardown(test_what_is_none, enter, leave),
        cmocka_unit_test_setup_teardown(test_sizes, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
