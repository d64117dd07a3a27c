/* Writing one line of InfluxDB line protocol: measurement,tags fields timestamp[ms].
 *
 * The text goes into a fixed buffer of the caller's engine; a line has a known greatest length, so
 * nothing is checked per character. */
#ifndef BACKSTEP_CORE_LINE_H
#define BACKSTEP_CORE_LINE_H

#include "backstep/base/buffer.h"
#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Enough for the longest line: six tags of 96 escaped bytes each and forty fields. */
#define BS_LINE_MAX 4096

struct bs_line {
    char *at;       /* where the next byte goes */
    bool has_field; /* a comma is due */
    char text[BS_LINE_MAX];
};

/* Begins with `measurement`; add tags as text that is already escaped, then the fields. */
void bs_line_begin(struct bs_line *l, struct bs_slice measurement);
void bs_line_add(struct bs_line *l, struct bs_slice text);

/* Fields. Floats have nine significant digits (the inputs are integers of at most four, their sums
 * exact), without exponent; an integer ends with i. */
void bs_line_integer(struct bs_line *l, struct bs_slice name, uint64_t value);
void bs_line_float(struct bs_line *l, struct bs_slice name, double value);
void bs_line_boolean(struct bs_line *l, struct bs_slice name, bool value);

/* Ends the line with its time and a newline; the slice holds until the next bs_line_begin. */
struct bs_slice bs_line_end(struct bs_line *l, int64_t wall_ms);

/* True where a tag's value needs a backslash before this character. */
static inline bool bs_line_escapes(char c)
{
    return c == ',' || c == '=' || c == ' ';
}

/* `,key=value` with the value escaped for a tag (comma, equals sign, space; a newline, a trailing
 * backslash or an empty value cannot stand in one and never reach this place). */
void bs_line_add_tag(struct bs_buffer *b, struct bs_slice key, struct bs_slice value);

#endif
