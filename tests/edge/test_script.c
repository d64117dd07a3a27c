/* Scripts of `backstepctl simulate`, read back with the daemon's own decoder and judge. Must never
 * take a line for good that the daemon would reject. */
#include "commands.h"
#include "exit_status.h"

#include "backstep/core/decode.h"
#include "backstep/core/kinds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_MS INT64_C(1795543200000)

static char folder[] = "/tmp/test_script-XXXXXX";

static void path_of(const char *name, char ret[256])
{
    snprintf(ret, 256, "%s/%s", folder, name);
}

/* Runs simulate with these options (space separated) into folder/name; gives the text, to be
 * freed. */
static char *script(const char *name, const char *options)
{
    char path[256], copy[1024], *argv[64], *rest = copy, *one;
    path_of(name, path);
    int argc = 0;
    argv[argc++] = "backstepctl simulate";
    argv[argc++] = "--script";
    argv[argc++] = path;
    argv[argc++] = "--quiet";
    snprintf(copy, sizeof copy, "%s", options);
    while ((one = strsep(&rest, " ")) != NULL)
        argv[argc++] = one;
    argv[argc] = NULL;
    assert_int_equal(bs_simulate(argc, argv), BS_EXIT_DONE);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = NULL;
    size_t room = 0;
    assert_true(getdelim(&text, &room, '\0', file) > 0);
    fclose(file);
    return text;
}

struct line {
    int64_t tick;
    const char *topic, *payload;
};

/* The next line, cut out of the text; false at the end. */
static bool next_line(char **at, struct line *ret)
{
    char *line = strsep(at, "\n");
    if (!line || !*line)
        return false;
    char *tick = strsep(&line, "\t");
    ret->topic = strsep(&line, "\t");
    ret->payload = line;
    assert_non_null(ret->payload);
    assert_null(strchr(ret->payload, '\t'));
    char *end;
    ret->tick = strtoll(tick, &end, 10);
    assert_true(*tick && !*end);
    return true;
}

static size_t from_hex(const char *hex, unsigned char *to, size_t max)
{
    size_t n = strlen(hex) / 2;
    assert_true(n <= max);
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        to[i] = (unsigned char)byte;
    }
    return n;
}

static const struct bs_message *decoded(const char *payload)
{
    static struct bs_message m;
    static unsigned char bytes[65536];
    struct bs_slice slice = bs_slice_text(payload);
    if (strncmp(payload, "hex:", 4) == 0)
        slice = bs_slice_of(bytes, from_hex(payload + 4, bytes, sizeof bytes));
    assert_int_equal(bs_decode(slice, &m), BS_DECODED);
    assert_int_equal(m.unknown_keys, 0);
    assert_int_equal(m.field_out_of_range, 0);
    return &m;
}

static void test_a_script_is_what_its_seed_says(void **state)
{
    (void)state;
    static const char options[] =
        "--members 5 --duration 60 --warm-up 10 --sensors trunk,pods,wrist --clock-error 40 "
        "--drift 20 --resets 50 --late-members 50 --out-of-reach 10 --late 20 --duplicates 5 "
        "--reorder-ms 900 --loss 3 --slips 50 --retention 20..100 --seed";
    char with_seed[512];
    snprintf(with_seed, sizeof with_seed, "%s 7", options);
    char *a = script("a", with_seed), *b = script("b", with_seed);
    snprintf(with_seed, sizeof with_seed, "%s 8", options);
    char *c = script("c", with_seed);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    free(a);
    free(b);
    free(c);
}

/* Ticks never go back; what is not kept is late by no more than was asked for. */
static void test_ticks_are_arrivals(void **state)
{
    (void)state;
    char *text = script("ticks", "--members 10 --duration 120 --devices 2 --reorder-ms 700 "
                                 "--duplicates 10 --form binary --batch 1"),
         *at = text;
    struct line l;
    int64_t last = START_MS, most = 0;
    unsigned messages = 0;
    while (next_line(&at, &l)) {
        assert_true(l.tick >= last);
        last = l.tick;
        if (!strstr(l.topic, "/steps"))
            continue;
        const struct bs_message *m = decoded(l.payload);
        int64_t late_ms = l.tick - m->steps[0].time_ms;
        assert_in_range(late_ms, 0, 700);
        most = late_ms > most ? late_ms : most;
        messages++;
    }
    assert_in_range(messages, 2000, 2700);
    assert_true(most > 650);
    free(text);
}

/* A belt that was out of reach walks live and uploads at the same time: stored batches, and their
 * seq far behind its newest. */
static void test_late_uploads(void **state)
{
    (void)state;
    char *text = script("late", "--members 6 --duration 600 --sensors trunk --late-members 100 "
                                "--out-of-reach 100 --late 60 --form batch --batch 30"),
         *at = text;
    struct line l;
    unsigned stored = 0, behind = 0;
    uint32_t newest[6] = {0};
    while (next_line(&at, &l)) {
        if (!strstr(l.topic, "/steps"))
            continue;
        const struct bs_message *m = decoded(l.payload);
        int member = atoi(l.topic + strlen("device/sim-")) - 1;
        uint32_t last_seq = m->steps[m->count - 1].seq;
        assert_true(m->count <= 30);
        if (m->stored) {
            stored += (unsigned)m->count;
            assert_true(l.tick >= m->steps[m->count - 1].time_ms + 60000);
            assert_true(l.tick <= m->steps[0].time_ms + 160000);
            behind += newest[member] > last_seq + 90;
        } else if (last_seq > newest[member]) {
            newest[member] = last_seq;
        }
    }
    assert_in_range(stored, 6 * 160, 6 * 210);
    assert_true(behind >= 6 * 5);
    free(text);
}

static void judge(const struct line *l)
{
    char kind[16], id[80];
    assert_int_equal(sscanf(l->topic, "config/%15[a-z]/%79s", kind, id), 2);
    enum bs_kind found;
    assert_true(bs_kind_of_name(bs_slice_text(kind), &found));
    union bs_kind_document document;
    struct cJSON *json;
    struct bs_document_rev rev;
    struct bs_document_error error;
    enum bs_status status = bs_document_parse(bs_slice_text(l->payload), &json, &rev, &error);
    if (status == BS_OK)
        status = bs_kind_read(found, bs_slice_text(id), json, &document, &error);
    if (status != BS_OK)
        fail_msg("%s: %s: %s", l->topic, error.pointer, error.message);
    bs_kind_free(found, &document);
    cJSON_Delete(json);
}

/* Everything is retained before the first step, at the beginning, and would be accepted. */
static void test_documents_and_births_come_first(void **state)
{
    (void)state;
    char *text = script("documents", "--members 4 --duration 300 --warm-up 30 --back 20 "
                                     "--forward 40 --sensors trunk,pods --group-consent 50 "
                                     "--prefix club"),
         *at = text;
    struct line l;
    unsigned documents = 0, births = 0, steps = 0, in_group = 0;
    while (next_line(&at, &l)) {
        bool is_document = strncmp(l.topic, "config/", 7) == 0,
             is_birth = strstr(l.topic, "/birth");
        documents += is_document;
        births += is_birth;
        in_group += is_document && strstr(l.payload, "\"consent\":\"group\"") != NULL;
        if (is_document)
            judge(&l);
        if (is_document || is_birth)
            assert_true(l.tick == START_MS && steps == 0);
        else
            steps++;
    }
    assert_int_equal(documents, 4 + 4); /* settings, group, drill, session; members */
    assert_int_equal(births, 3 * 4);
    assert_in_range(in_group, 1, 3);
    free(text);
}

static void expect_line(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("'%s' is missing", line);
}

static void test_documents_say_what_the_class_does(void **state)
{
    (void)state;
    char *text = script("says", "--members 1 --duration 300 --warm-up 30 --back 20 --forward 40 "
                                "--sensors trunk,pods --prefix club");
    expect_line(text, "\tconfig/settings/site\t{\"rev\":1,\"unknown_devices\":\"ignore\"}\n");
    expect_line(text, "\tconfig/member/club-001\t{\"rev\":1,\"consent\":\"member\",\"devices\":["
                      "\"club-001T\",\"club-001L\",\"club-001R\"],\"groups\":[\"club\"]}\n");
    expect_line(text, "\tconfig/drill/club\t{\"rev\":1,\"repeat\":5,\"phases\":["
                      "{\"name\":\"back\",\"direction\":\"B\",\"duration_s\":20},"
                      "{\"name\":\"forward\",\"direction\":\"F\",\"duration_s\":40}]}\n");
    expect_line(text, "\tconfig/session/club\t{\"rev\":1,\"drill\":\"club\",\"start\":"
                      "\"2026-11-24T18:00:30.000Z\",\"end\":\"2026-11-24T18:06:00.000Z\"}\n");
    expect_line(text, "\tdevice/club-001L/birth\t{\"kind\":\"foot\",\"side\":\"L\",");
    expect_line(text, "\tdevice/club-001T/birth\t{\"kind\":\"trunk\",\"model\"");
    free(text);
}

static void test_guests_have_no_documents(void **state)
{
    (void)state;
    char *text = script("guests", "--members 3 --duration 10 --guests");
    expect_line(text, "\tconfig/settings/site\t{\"rev\":1,\"unknown_devices\":\"guest\"}\n");
    assert_null(strstr(text, "config/member"));
    assert_null(strstr(text, "config/session"));
    free(text);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"a",    "b",         "c",    "ticks",
                                        "late", "documents", "says", "guests"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];
        path_of(names[i], path);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_script_is_what_its_seed_says),
        cmocka_unit_test(test_ticks_are_arrivals),
        cmocka_unit_test(test_late_uploads),
        cmocka_unit_test(test_documents_and_births_come_first),
        cmocka_unit_test(test_documents_say_what_the_class_does),
        cmocka_unit_test(test_guests_have_no_documents),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
