/* Words of a line. Must never read behind it. */
#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool sim_words_next(struct sim_words *w, struct bs_slice *ret)
{
    while (w->rest.length > 0 && w->rest.at[0] == ' ')
        w->rest = bs_slice_after(w->rest, 1);
    size_t length = 0;
    while (length < w->rest.length && w->rest.at[length] != ' ')
        length++;
    *ret = bs_slice_of(w->rest.at, length);
    w->rest = bs_slice_after(w->rest, length);
    return length > 0;
}

bool sim_words_take(struct sim_words *w, const char *word)
{
    struct sim_words ahead = *w;
    struct bs_slice next;
    if (!sim_words_next(&ahead, &next) || !bs_slice_equal(next, bs_slice_text(word)))
        return false;
    w->rest = ahead.rest;
    return true;
}

void sim_words_fail(struct sim_words *w, const char *format, ...)
{
    va_list arguments;
    if (w->problem[0])
        return;
    va_start(arguments, format);
    vsnprintf(w->problem, sizeof w->problem, format, arguments);
    va_end(arguments);
}

void sim_words_text(struct sim_words *w, char *ret, size_t bytes)
{
    struct bs_slice word;
    ret[0] = '\0';
    if (!sim_words_next(w, &word))
        sim_words_fail(w, "a word is missing");
    else if (word.length >= bytes)
        sim_words_fail(w, "%.*s is too long", (int)word.length, word.at);
    else
        snprintf(ret, bytes, "%.*s", (int)word.length, word.at);
}

int64_t sim_words_signed(struct sim_words *w, int64_t least, int64_t most)
{
    char text[32], *end;
    sim_words_text(w, text, sizeof text);
    long long value = strtoll(text, &end, 10);
    if (text[0] && (*end || value < least || value > most))
        sim_words_fail(w, "%s is no number from %lld to %lld", text, (long long)least,
                       (long long)most);
    return w->problem[0] ? least : value;
}

uint64_t sim_words_number(struct sim_words *w, uint64_t least, uint64_t most)
{
    return (uint64_t)sim_words_signed(w, (int64_t)least, (int64_t)most);
}

double sim_words_seconds(struct sim_words *w)
{
    char text[32], *end;
    sim_words_text(w, text, sizeof text);
    double value = strtod(text, &end);
    if (text[0] && (*end || !(value >= 0 && value <= 1e9)))
        sim_words_fail(w, "%s are no seconds", text);
    return w->problem[0] ? 0 : value;
}

int sim_words_choice(struct sim_words *w, const char *const *choices)
{
    char text[32];
    sim_words_text(w, text, sizeof text);
    for (int i = 0; choices[i]; i++)
        if (strcmp(text, choices[i]) == 0)
            return i;
    sim_words_fail(w, "%s is none of %s, …", text, choices[0]);
    return 0;
}

struct bs_slice sim_words_all(struct sim_words *w)
{
    while (w->rest.length > 0 && w->rest.at[0] == ' ')
        w->rest = bs_slice_after(w->rest, 1);
    struct bs_slice all = w->rest;
    w->rest = bs_slice_after(w->rest, w->rest.length);
    return all;
}

bool sim_words_done(struct sim_words *w)
{
    struct bs_slice more;
    if (!w->problem[0] && sim_words_next(w, &more))
        sim_words_fail(w, "%.*s is one word too many", (int)more.length, more.at);
    return !w->problem[0];
}
