/* Lines in, happenings by time out. Must never take a line that it does not understand. */
#include "script.h"

#include "backstep/base/check.h"
#include "expectation.h"
#include "happenings.h"
#include "settings.h"
#include "words.h"
#include "world.h"

#include <stdarg.h>
#include <stdlib.h>

void sim_script_init(struct sim_script *s)
{
    *s = (struct sim_script){0};
    bs_buffer_init(&s->bytes, 64 << 20);
}

void sim_script_fini(struct sim_script *s)
{
    bs_buffer_fini(&s->bytes);
    free(s->happenings);
}

void sim_script_add(struct sim_script *s, const char *format, ...)
{
    va_list arguments;
    char *text;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    bs_check(length >= 0);
    bs_buffer_add_text(&s->bytes, text);
    bs_buffer_add_char(&s->bytes, '\n');
    bs_check(!s->bytes.failed);
    free(text);
}

bool sim_script_read(struct sim_script *s, FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, in)) > 0) {
        bs_buffer_add(&s->bytes, bs_slice_of(line, (size_t)length));
        if (line[length - 1] != '\n')
            bs_buffer_add_char(&s->bytes, '\n');
    }
    free(line);
    return !s->bytes.failed;
}

void sim_script_print(const struct sim_script *s, FILE *out)
{
    fwrite(s->bytes.at, 1, s->bytes.length, out);
}

/* The same line has the same chances wherever it stands. */
static uint64_t seed_of(struct bs_slice line)
{
    uint64_t seed = world->seed ^ UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < line.length; i++)
        seed = (seed ^ (unsigned char)line.at[i]) * UINT64_C(0x100000001b3);
    return seed;
}

static void add_happening(struct sim_script *s, struct sim_happening h)
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->happenings = realloc(s->happenings, s->room * sizeof *s->happenings);
        bs_check(s->happenings);
    }
    s->happenings[s->count++] = h;
}

static void take_setting(struct sim_words *w)
{
    char name[64];
    sim_words_text(w, name, sizeof name);
    uint64_t value = sim_words_number(w, 0, UINT32_MAX);
    if (sim_words_done(w) && !sim_settings_set(&world->settings, name, (uint32_t)value))
        sim_words_fail(w, "%s cannot be set to %llu", name, (unsigned long long)value);
}

static void take_happening(struct sim_script *s, struct sim_words *w, unsigned number)
{
    double seconds = sim_words_seconds(w);
    struct bs_slice text = sim_words_all(w);
    struct sim_words inner = {.rest = text, .dry = true};
    if (w->problem[0])
        return;
    if (!sim_happen(&inner))
        sim_words_fail(w, "%s", inner.problem);
    add_happening(s, (struct sim_happening){
                         .at_ns = (uint64_t)(seconds * 1e9 + 0.5), .text = text, .line = number});
}

static bool take_line(struct sim_script *s, struct bs_slice line, unsigned number,
                      char *ret_problem, size_t bytes)
{
    struct sim_words w = {.rest = line, .seed = seed_of(line)};
    struct bs_slice first;
    if (!sim_words_next(&w, &first) || first.at[0] == '#')
        return true;
    if (bs_slice_equal(first, BS_SLICE("set")))
        take_setting(&w);
    else if (bs_slice_equal(first, BS_SLICE("at")))
        take_happening(s, &w, number);
    else if (bs_slice_equal(first, BS_SLICE("seed")))
        sim_words_number(&w, 0, INT64_MAX); /* sim_script_seed */
    else
        sim_words_fail(&w, "a line begins with set, at, seed or #");
    sim_words_done(&w);
    if (w.problem[0])
        snprintf(ret_problem, bytes, "%u: %s", number, w.problem);
    return !w.problem[0];
}

uint64_t sim_script_seed(const struct sim_script *s, uint64_t otherwise)
{
    struct bs_slice rest = bs_buffer_slice(&s->bytes), line;
    while (sim_text_next_line(&rest, &line)) {
        struct sim_words w = {.rest = line};
        if (sim_words_take(&w, "seed"))
            return sim_words_number(&w, 0, INT64_MAX);
    }
    return otherwise;
}

static int by_time(const void *a, const void *b)
{
    const struct sim_happening *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

bool sim_script_make_ready(struct sim_script *s, char *ret_problem, size_t bytes)
{
    struct bs_slice rest = bs_buffer_slice(&s->bytes), line;
    s->count = 0;
    s->expected = BS_SLICE("");
    for (unsigned number = 1; sim_text_next_line(&rest, &line); number++) {
        if (bs_slice_equal(line, BS_SLICE("expect"))) {
            s->expected = rest;
            s->expected_line = number + 1;
            if (!sim_expectation_check(rest, number + 1, ret_problem, bytes))
                return false;
            break;
        }
        if (!take_line(s, line, number, ret_problem, bytes))
            return false;
    }
    if (s->count > 0)
        qsort(s->happenings, s->count, sizeof *s->happenings, by_time);
    return true;
}
