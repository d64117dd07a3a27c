/* Rows as a database keeps them: one per measurement, tags and time; of each field the last value
 * written wins. */
#ifndef BACKSTEP_SIM_ROWS_H
#define BACKSTEP_SIM_ROWS_H

#include "arena.h"
#include "backstep/base/slice.h"

#include <stdbool.h>
#include <uthash.h>

struct sim_row {
    struct bs_slice key;    /* measurement and tags, a space, the time */
    struct bs_slice fields; /* merged */
    struct bs_slice last;   /* as the last line had them */
    size_t room;            /* of `fields` */
    bool open;              /* as said with the last line */
    bool seen;              /* for whoever compares */
    UT_hash_handle hh;
};

struct sim_rows {
    struct sim_row *by_key;
    struct sim_arena arena;
    uint64_t writes;
};

void sim_rows_reset(struct sim_rows *rows);
void sim_rows_fini(struct sim_rows *rows);

/* A line without its newline. False: it is none. */
bool sim_rows_write(struct sim_rows *rows, struct bs_slice line, bool open);

struct sim_row *sim_rows_find(const struct sim_rows *rows, struct bs_slice key);

/* The parts of a line; false where it has not three. */
bool sim_line_split(struct bs_slice line, struct bs_slice *ret_head, struct bs_slice *ret_fields,
                    struct bs_slice *ret_time);

/* The next field of a list; false at its end. */
bool sim_fields_next(struct bs_slice *rest, struct bs_slice *ret_name, struct bs_slice *ret_value);
bool sim_fields_find(struct bs_slice fields, struct bs_slice name, struct bs_slice *ret_value);

/* Every field of `a` is in `b` with the same value; ret_name: the first one that is not. */
bool sim_fields_are_in(struct bs_slice a, struct bs_slice b, struct bs_slice *ret_name);

#endif
