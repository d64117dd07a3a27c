/* Finds the bad lines of a batch by sending ever smaller parts of it, in order: which lines go
 * next, which are to blame, when all are settled. A pure state machine over line numbers (0 is the
 * batch's first); it sees no line and no answer but what became of the part it asked for.
 *
 * A part that failed is halved; where its first half passed the fault is in the second, which is
 * halved without being sent as a whole. A line is blamed only when it failed alone. A batch takes
 * at most BS_BISECTION_REQUESTS_MAX requests: what is then still under suspicion is given up
 * together. Requests that only had to be small (see BS_BISECTION_TOO_LARGE) do not count.
 *
 * The last request that carries a line comes after all requests with lines before it and after its
 * own last failure: rows that write one key several times end as the newest said, whether or not
 * the server stores the good lines of a part that failed. */
#ifndef BACKSTEP_CORE_BISECTION_H
#define BACKSTEP_CORE_BISECTION_H

#include <stdbool.h>
#include <stdint.h>

#define BS_BISECTION_REQUESTS_MAX 64u

/* 2^17 lines fit a batch (100 000, and a record's above): each level halves, once for the search
 * and once for the size. */
#define BS_BISECTION_DEPTH_MAX    40

enum bs_bisection_action {
    BS_BISECTION_SEND,    /* send these lines and tell what became of them */
    BS_BISECTION_BLAME,   /* one line, which failed alone */
    BS_BISECTION_SUSPECT, /* lines of which at least one is bad, and no request is left */
    BS_BISECTION_DONE,    /* all lines are settled */
};

struct bs_bisection_step {
    enum bs_bisection_action action;
    uint32_t first, beyond;
};

enum bs_bisection_result {
    BS_BISECTION_PASSED,
    BS_BISECTION_FAILED,
    BS_BISECTION_TOO_LARGE,    /* nobody has looked at the lines: there were too many */
    BS_BISECTION_REST_UNKNOWN, /* lines were named, but not to the end: the rest goes again */
};

/* What is known of a range: nothing; that the fault of the one around it must be here; that it
 * failed as it stands. */
enum bs_bisection_fault { BS_BISECTION_UNKNOWN, BS_BISECTION_INFERRED, BS_BISECTION_SHOWN };

struct bs_bisection_range {
    uint32_t beyond;
    enum bs_bisection_fault fault;
};

struct bs_bisection {
    uint32_t lines;
    uint32_t at;             /* all lines before it are settled */
    uint32_t part_max;       /* most lines of one request at present */
    uint32_t part_first_max; /* and at first */
    bool part_grows;   /* one line was too large by itself: what the others bear is not known */
    uint32_t requests; /* of those that count */
    uint32_t sent_beyond;
    bool sent;  /* the part at .. sent_beyond was asked for and has no result yet */
    bool blame; /* the line at `at` failed alone */
    bool troubled;
    uint32_t depth;
    struct bs_bisection_range
        range[BS_BISECTION_DEPTH_MAX]; /* all begin at `at`; last: innermost */
};

/* A batch of `lines` (at least 1), at most `part_max` (at least 1) of them in one request. */
void bs_bisection_init(struct bs_bisection *b, uint32_t lines, uint32_t part_max);

/* What to do now. SEND is said again until there is a result; what is blamed or suspected counts as
 * settled by being said, once. */
struct bs_bisection_step bs_bisection_next(struct bs_bisection *b);

/* What became of the part that SEND asked for. */
void bs_bisection_take(struct bs_bisection *b, enum bs_bisection_result result);

/* The server itself blamed one line of the part, ascending, and stored those before it; before the
 * part's result is taken. */
void bs_bisection_take_named(struct bs_bisection *b, uint32_t line);

/* Nothing is settled yet, and the whole batch is what goes next. */
bool bs_bisection_is_untouched(const struct bs_bisection *b);

#endif
