/* The lines that InfluxDB 3 names as bad, out of the body of its answer:
 *
 *   {"error":"partial write of line protocol occurred",
 *    "data":[{"error_message":"…","line_number":2,"original_line":"…"}, …]}
 *
 * Where `data` is an object nothing was stored, and no list is found. The body may be cut off
 * anywhere: what stands whole in it is read. Allocates nothing. */
#ifndef BACKSTEP_CORE_NAMED_LINES_H
#define BACKSTEP_CORE_NAMED_LINES_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_named_lines {
    const char *at, *end;
    bool whole; /* the list was read to its closing bracket */
};

struct bs_named_line {
    uint32_t number;                   /* of the request's lines, the first is 1 */
    struct bs_slice message, original; /* as they stand between the quotes; empty: not given */
};

/* True where the body has the list. */
bool bs_named_lines_begin(struct bs_named_lines *n, struct bs_slice body);

/* The next one; false at the list's end, and at one that is cut off or is not as it should be. */
bool bs_named_lines_next(struct bs_named_lines *n, struct bs_named_line *ret);

/* Whether the JSON text (between its quotes) may be this line: it says the same as far as it goes;
 * servers shorten. */
bool bs_named_line_is(struct bs_slice json_text, struct bs_slice line);

#endif
