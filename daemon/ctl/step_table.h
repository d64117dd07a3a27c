/* Step tables: recorded footsteps as CSV, one a line, read whole and laid out in time.
 *
 * The first line names the columns, in any order: `source`, `member`, `trial`, `seq`, `foot`,
 * `dir`, `t_ms` and the optional fields of a step event; `member` and `t_ms` must be there. No
 * quotes; an empty cell is unknown. `t_ms` counts from the start of the row's trial. */
#ifndef BACKSTEP_CTL_STEP_TABLE_H
#define BACKSTEP_CTL_STEP_TABLE_H

#include "encode.h"
#include "truth.h"

#include "backstep/base/buffer.h"
#include "backstep/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BS_TABLE_ROWS_MAX     4000000u /* 500 MB in memory */
#define BS_TABLE_LINE_MAX     4096u
#define BS_TABLE_NO_TRIAL     UINT32_MAX
#define BS_TABLE_TRIAL_MAX_MS (INT64_C(31) * 86400000)
#define BS_TABLE_INTEGER_MAX  (INT64_C(1) << 53)

struct bs_table_row {
    struct bs_event event; /* time_ms as recorded until bs_step_table_lay_out */
    uint32_t trial;        /* in bs_step_table.trials */
};

struct bs_table_trial {
    char *name;
    uint32_t member;
    uint32_t linked;  /* the member's trial before this one, once laid out: behind it; or none */
    int64_t last_ms;  /* the latest t_ms of its rows */
    int64_t start_ms; /* where t_ms 0 lies: of the layout */
    uint64_t rows;
};

struct bs_table_member;

struct bs_step_table {
    struct bs_table_row *rows;
    size_t row_count, row_room;
    struct bs_table_trial *trials; /* in the order of their first rows */
    size_t trial_count, trial_room;
    struct bs_table_member **members; /* likewise */
    size_t member_count, member_room;
    struct bs_table_member *by_name, *by_id; /* uthash */
};

/* Reads to the end of `file`. BS_INVALID with "name:line: message" in ret_error; on any failure the
 * table is as after bs_step_table_fini. */
enum bs_status bs_step_table_read(struct bs_step_table *ret, FILE *file, const char *name,
                                  char *ret_error, size_t ret_error_bytes);
void bs_step_table_fini(struct bs_step_table *t);

/* Sets event times, from 0 at the earliest row, and seq, and puts the rows in order of time: the
 * trials of a member follow one another with gap_ms between, at most `at_once` members (0: all)
 * walk at the same time. Every row of a member gets a seq of its own, from 0. */
enum bs_status bs_step_table_lay_out(struct bs_step_table *t, int64_t gap_ms, size_t at_once);

/* Moves the whole layout. */
void bs_step_table_shift(struct bs_step_table *t, int64_t by_ms);

/* The device that stands for a member: source and member made fit for a topic, unique. */
const char *bs_step_table_device(const struct bs_step_table *t, size_t member);

/* Appends `"devices":{DEVICE:{"source":…,"member":…,"trials":[{"trial":…,"start":…,"steps":…},…]}}`
 * (start: Unix time of t_ms 0, once shifted there). */
void bs_step_table_write_devices(const struct bs_step_table *t, struct bs_buffer *ret);

#endif
