/* What happens in a run, as text: a line each, which can be printed, replayed and left out.
 *
 *   # a remark
 *   set NAME VALUE                     before it begins (settings.h)
 *   at SECONDS HAPPENING               at that time of the world (happenings.h)
 *   seed N                             the run's chances, where nobody wants others
 *   expect                             all lines behind it tell of the trace (expectation.h)
 */
#ifndef BACKSTEP_SIM_SCRIPT_H
#define BACKSTEP_SIM_SCRIPT_H

#include "backstep/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct sim_happening {
    uint64_t at_ns;
    struct bs_slice text; /* behind "at SECONDS " */
    unsigned line;
};

struct sim_script {
    struct bs_buffer bytes;           /* of the lines */
    struct sim_happening *happenings; /* by time, then by line */
    size_t count, room;
    struct bs_slice expected; /* lines of the trace; behind `bytes` */
    unsigned expected_line;   /* of the first of them */
};

void sim_script_init(struct sim_script *s);
void sim_script_fini(struct sim_script *s);

/* A line without its newline, checked when the script is made ready. */
void sim_script_add(struct sim_script *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

bool sim_script_read(struct sim_script *s, FILE *in);

/* Checks every line and sets the world's settings by it. False, with "LINE: what is wrong". */
bool sim_script_make_ready(struct sim_script *s, char *ret_problem, size_t bytes);

/* What the line `seed N` says; `otherwise` where there is none. */
uint64_t sim_script_seed(const struct sim_script *s, uint64_t otherwise);

void sim_script_print(const struct sim_script *s, FILE *out);

#endif
