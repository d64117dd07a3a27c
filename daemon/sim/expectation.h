/* What a scenario expects of its trace: the lines behind the line `expect`. Each is a pattern that
 * a whole line of the trace matches, without its time; `*` stands for anything.
 *
 *   PATTERN               such a line comes behind the one that was expected before
 *   within A-B PATTERN    so, and at a time from A to B seconds
 *   without PATTERN       no such line comes before the next one that is expected, or the end
 *   times N PATTERN       N such lines are in the whole trace, wherever
 */
#ifndef BACKSTEP_SIM_EXPECTATION_H
#define BACKSTEP_SIM_EXPECTATION_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* The lines are well formed. False, with "LINE: what is wrong"; the first line has that number. */
bool sim_expectation_check(struct bs_slice lines, unsigned number, char *ret_problem, size_t bytes);

/* The trace is as expected. False, with "LINE: what did not come". */
bool sim_expectation_holds(struct bs_slice lines, unsigned number, struct bs_slice trace,
                           char *ret_problem, size_t bytes);

/* The next line of a text, without its newline; false at the end. */
bool sim_text_next_line(struct bs_slice *rest, struct bs_slice *ret);

#endif
