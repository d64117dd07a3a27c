/* What became of configuration documents, in the log: a change or a rejection has a line of its own
 * as long as there are few; of a storm the rest is one line with counts. Quotes names, revisions,
 * pointers and messages, never what a document says. */
#ifndef BACKSTEP_SHELL_ANSWERS_H
#define BACKSTEP_SHELL_ANSWERS_H

#include "backstep/core/effects.h"

#include <stdint.h>

enum bs_answer_sort {
    BS_ANSWER_IN_FORCE, /* deleted ones, too */
    BS_ANSWER_REJECTED,
    BS_ANSWER_UNKNOWN, /* documents of an unknown kind: they get no answer */
    BS_ANSWER_SORTS,
};

/* Begins as all zeros. */
struct bs_answers {
    struct {
        uint64_t since_ns; /* the minute that is counted */
        unsigned said;     /* lines in it */
        uint64_t unsaid;   /* since the last summary */
    } sorts[BS_ANSWER_SORTS];
    uint64_t unchanged; /* since the last summary */
};

/* A publication of the engine's; one that is no answer is passed over. `results`: the topic above
 * all answers, "…/result/". */
void bs_answers_take(struct bs_answers *a, uint64_t now_ns, struct bs_slice results,
                     const struct bs_publication *p);

/* A message on `topic` that is no document. */
void bs_answers_take_unknown(struct bs_answers *a, uint64_t now_ns, struct bs_slice topic);

/* Says how many had no line of their own since it was called last; nothing where all had one. */
void bs_answers_sum_up(struct bs_answers *a);

#endif
