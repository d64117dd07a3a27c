/* A line of a scenario, word by word. */
#ifndef BACKSTEP_SIM_WORDS_H
#define BACKSTEP_SIM_WORDS_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct sim_words {
    struct bs_slice rest;
    uint64_t seed;     /* of what the line leaves open */
    bool dry;          /* only look whether it is well formed */
    char problem[128]; /* what is not; "": nothing */
};

/* The next word; false at the end. */
bool sim_words_next(struct sim_words *w, struct bs_slice *ret);

/* True, and it is taken, where the next word is this one. */
bool sim_words_take(struct sim_words *w, const char *word);

/* Each gives the next word as what it must be, or notes a problem and gives the least. */
uint64_t sim_words_number(struct sim_words *w, uint64_t least, uint64_t most);
int64_t sim_words_signed(struct sim_words *w, int64_t least, int64_t most);
double sim_words_seconds(struct sim_words *w);
void sim_words_text(struct sim_words *w, char *ret, size_t bytes);
/* The place of the next word in a list that ends with NULL. */
int sim_words_choice(struct sim_words *w, const char *const *choices);

/* All that is left, and no words are. */
struct bs_slice sim_words_all(struct sim_words *w);

void sim_words_fail(struct sim_words *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Well formed to its end. */
bool sim_words_done(struct sim_words *w);

#endif
