/* No text that anybody may give a name makes another row, tag or field of it: every character in an
 * alias and in the name of a phase, and rows read back by a parser of the test's own. */
#include "documents_world.h"

#include "backstep/base/random.h"
#include "backstep/core/line.h"

#include <time.h>

#define TEXT_BYTES 192

/* Text of documents ------------------------------------------------------------------------- */

static size_t put_code_point(char *at, uint32_t c)
{
    if (c < 0x80) {
        at[0] = (char)c;
        return 1;
    }
    size_t bytes = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = bytes; i-- > 0; c >>= 6)
        at[i] = (char)(i ? 0x80 | (c & 0x3f) : leads[bytes] | c);
    return bytes;
}

static bool may_stand(uint32_t c)
{
    return c > 0x1f && (c < 0x7f || c > 0x9f) && c != 0x2028 && c != 0x2029 && c != '\\';
}

/* As JSON, plain or with each character as \uXXXX. */
static void put_json(struct bs_buffer *out, const uint32_t *text, size_t count, bool escaped)
{
    for (size_t i = 0; i < count; i++) {
        char bytes[4];
        uint32_t c = text[i], high = c - 0x10000;
        if (escaped && c > 0xffff)
            bs_buffer_add_format(out, "\\u%04x\\u%04x", 0xd800 + (high >> 10),
                                 0xdc00 + (high & 0x3ff));
        else if (escaped || c == '"' || c == '\\')
            bs_buffer_add_format(out, "\\u%04x", c);
        else
            bs_buffer_add(out, bs_slice_of(bytes, put_code_point(bytes, c)));
    }
}

/* A reader of rows -------------------------------------------------------------------------- */

struct row {
    char tags[16][2][TEXT_BYTES];
    size_t count;
};

/* Up to a separator that no backslash stands before; returns where that is. */
static const char *take(const char *at, const char *separators, char ret[TEXT_BYTES])
{
    size_t length = 0;
    while (*at && !strchr(separators, *at)) {
        if (*at == '\\' && at[1] && strchr(", =", at[1]))
            at++;
        assert_true(length < TEXT_BYTES - 1);
        ret[length++] = *at++;
    }
    ret[length] = 0;
    return at;
}

static const char *known_tags =
    " alias direction drill group member metric phase sign site stored device instance ";

static void read_row(const char *line, struct row *ret)
{
    char measurement[TEXT_BYTES], spaced[TEXT_BYTES + 2];
    const char *at = take(line, ", ", measurement);
    ret->count = 0;
    while (*at == ',') {
        char(*tag)[TEXT_BYTES] = ret->tags[ret->count++];
        at = take(at + 1, "=", tag[0]);
        snprintf(spaced, sizeof spaced, " %s ", tag[0]);
        if (*at != '=' || !strstr(known_tags, spaced))
            fail_msg("no tag of ours in: %s", line);
        at = take(at + 1, ",= ", tag[1]);
        if (!tag[1][0])
            fail_msg("an empty value in: %s", line);
    }
    const char *fields = at;
    if (*fields != ' ' || strspn(fields + 1, "abcdefghijklmnopqrstuvwxyz_") == 0)
        fail_msg("no fields in: %s", line);
    at = fields + 1 + strcspn(fields + 1, " ");
    char *end;
    strtoll(at, &end, 10);
    if (*at != ' ' || end == at || *end)
        fail_msg("no time at the end of: %s", line);
}

static const char *tag_of(const struct row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->tags[i][0], name) == 0)
            return row->tags[i][1];
    return NULL;
}

/* The world --------------------------------------------------------------------------------- */

static bool accepts(struct world *w, const char *topic, const struct bs_buffer *document)
{
    uint64_t before = bs_engine_books(w->engine)->config_accepted;
    assert_false(document->failed);
    world_say(w, topic, BS_RECORD_RETAINED, bs_buffer_slice(document));
    w->publications.length = 0;
    return bs_engine_books(w->engine)->config_accepted > before;
}

/* Gives member and phase that name; true where both documents were accepted. */
static bool name_them(struct world *w, const uint32_t *text, size_t count, bool escaped)
{
    struct bs_buffer member, drill;
    bs_buffer_init(&member, 4096);
    bs_buffer_init(&drill, 4096);
    bs_buffer_add_text(&member,
                       "{\"consent\":\"member\",\"devices\":[\"pod\"],\"groups\":[\"tue\"],"
                       "\"alias\":\"");
    put_json(&member, text, count, escaped);
    bs_buffer_add_text(&member, "\"}");
    bs_buffer_add_text(&drill, "{\"phases\":[{\"direction\":\"B\",\"duration_s\":7200,\"name\":\"");
    put_json(&drill, text, count, escaped);
    bs_buffer_add_text(&drill, "\"}]}");
    bool phase = accepts(w, "config/drill/back", &drill);
    bool alias = accepts(w, "config/member/m1", &member);
    assert_int_equal(alias, phase);
    bs_buffer_fini(&member);
    bs_buffer_fini(&drill);
    return alias;
}

/* A few steps, and what is written of them: each row has the name, in both places, whole. */
static void expect_named(struct world *w, const char *name)
{
    struct row row;
    int named = 0;
    world_lines(w);
    for (int i = 0; i < 3; i++) {
        step(w, "pod");
        world_wait(w, 600);
    }
    world_wait(w, 20000);
    char *text = strdup(world_lines(w)), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        read_row(line, &row);
        const char *alias = tag_of(&row, "alias"), *phase = tag_of(&row, "phase");
        if (!alias || strncmp(line, "gait_window,", 12) != 0)
            continue;
        named += strcmp(alias, name) == 0 && strcmp(phase, name) == 0;
    }
    if (named == 0)
        fail_msg("no row of '%s' in: %s", name, text);
    free(text);
}

static void begin(struct world *w)
{
    world_begin(w);
    say(w, "settings/site", "{\"reorder_ms\":0,\"bout_min_steps\":2,\"refresh_s\":1}");
    struct bs_buffer at;
    bs_buffer_init(&at, 64);
    bs_buffer_add_iso_time(&at, w->tick - 1000);
    char document[256];
    snprintf(document, sizeof document,
             "{\"drill\":\"back\",\"start\":\"%.*s\",\"end\":\"2027-11-24T18:00:00Z\"}",
             (int)at.length, at.at);
    say(w, "session/tue", document);
    bs_buffer_fini(&at);
}

/* The timetable has but one phase, of two hours: a fresh class for every so many names. */
static void try_name(struct world *w, const uint32_t *text, size_t count, bool escaped)
{
    static unsigned names;
    char name[TEXT_BYTES];
    size_t length = 0;
    bool good = count > 0 && text[0] != ' ' && text[count - 1] != ' ';
    for (size_t i = 0; i < count; i++) {
        good = good && may_stand(text[i]);
        length += put_code_point(name + length, text[i]);
    }
    name[length] = 0;
    if (++names % 100 == 0) {
        world_end(w);
        begin(w);
    }
    if (name_them(w, text, count, escaped) != good)
        fail_msg("U+%04X among %zu is %s", text[0], count, good ? "rejected" : "accepted");
    if (good)
        expect_named(w, name);
}

static void try_character(struct world *w, uint32_t c, bool escaped)
{
    const uint32_t forms[][3] = {{c}, {'x', c, 'y'}, {'x', c}, {c, 'y'}, {c, c}, {'=', c, ','}};
    static const size_t counts[] = {1, 3, 2, 2, 2, 3};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        try_name(w, forms[i], counts[i], escaped);
}

static void every_character_of_a_name_comes_back(void **state)
{
    (void)state;
    static const uint32_t others[] = {0x7ff,  0x800,  0x2028, 0x2029,  0x202e,   0xd7ff,
                                      0xe000, 0xfeff, 0xfffe, 0xffff,  0x10000,  0x1f6b6,
                                      0xff0c, 0xff1d, 0x3000, 0x1ffff, 0x10ffff, 0x301};
    struct world w;
    begin(&w);
    for (uint32_t c = 0; c < 0x180; c++)
        for (int escaped = c > 0 ? 0 : 1; escaped < 2; escaped++)
            try_character(&w, c, escaped);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        for (int escaped = 0; escaped < 2; escaped++)
            try_character(&w, others[i], escaped);
    world_end(&w);
}

static void random_names_come_back(void **state)
{
    (void)state;
    static const uint32_t likely[] = {',', '=', ' ', '"', '\'', '#', '{', '}', 'i', '0', 'x', 0xe9};
    struct world w;
    struct bs_random random;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    bs_random_init(&random, seed);
    begin(&w);
    for (int i = 0; i < 3000; i++) {
        uint32_t text[32];
        size_t count = 1 + bs_random_below(&random, 32);
        for (size_t k = 0; k < count; k++)
            text[k] = likely[bs_random_below(&random, sizeof likely / sizeof *likely)];
        try_name(&w, text, count, bs_random_below(&random, 2));
    }
    world_end(&w);
}

/* Bytes that are no UTF-8, everywhere in a name. */
static void other_bytes_are_rejected(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (unsigned byte = 0x80; byte < 0x100; byte++)
        for (int place = 0; place < 3; place++) {
            struct bs_buffer document;
            bs_buffer_init(&document, 1024);
            bs_buffer_add_text(&document, "{\"consent\":\"member\",\"alias\":\"");
            bs_buffer_add_text(&document, place > 0 ? "x" : "");
            bs_buffer_add_char(&document, (char)byte);
            bs_buffer_add_text(&document, place > 1 ? "y\"}" : "\"}");
            assert_false(accepts(&w, "config/member/m1", &document));
            bs_buffer_fini(&document);
        }
    world_end(&w);
}

/* The longest names there are, in a row with every field: it fits into a line. */
static void the_longest_row_fits(void **state)
{
    (void)state;
    struct world w;
    struct bs_buffer document;
    char id[65], topic[128];
    size_t longest = 0;
    memset(id, 'w', 64);
    id[64] = 0;
    begin(&w);
    bs_buffer_init(&document, 4096);
    bs_buffer_add_format(&document,
                         "{\"consent\":\"member\",\"devices\":[\"pod\"],\"groups\":[\"%s\"],"
                         "\"alias\":\"",
                         id);
    for (int i = 0; i < 32; i++)
        bs_buffer_add_text(&document, "\xf0\x9f\x9a\xb6");
    bs_buffer_add_text(&document, "\"}");
    snprintf(topic, sizeof topic, "config/member/%s", id);
    assert_true(accepts(&w, topic, &document));
    for (int seq = 0; seq < 200; seq++) {
        world_step(&w, "pod",
                   "{\"v\":1,\"boot\":1,\"seq\":%d,\"t\":%lld,\"foot\":\"%c\",\"dir\":\"B\","
                   "\"step_ms\":%d,\"stride_ms\":%d,\"contact_ms\":%d,\"step_mm\":%d,"
                   "\"stride_mm\":%d,\"trunk_cdeg\":%d,\"pitch_cdeg\":%d,\"vo_mm\":%d,"
                   "\"impact_g16\":%d}",
                   seq, (long long)w.tick, seq % 2 ? 'L' : 'R', 581 + seq % 7, 1167 + seq % 5,
                   743 + seq % 3, 397 + seq % 11, 837 + seq % 13, -277 - seq % 9, -2531 - seq % 17,
                   31 + seq % 5, 37 + seq % 3);
        world_wait(&w, 583);
    }
    world_wait(&w, 20000);
    char *text = strdup(world_lines(&w)), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        longest = strlen(line) > longest ? strlen(line) : longest;
    free(text);
    assert_in_range(longest, 1000, BS_LINE_MAX * 3 / 4);
    bs_buffer_fini(&document);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_of_a_name_comes_back),
        cmocka_unit_test(random_names_come_back),
        cmocka_unit_test(other_bytes_are_rejected),
        cmocka_unit_test(the_longest_row_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
