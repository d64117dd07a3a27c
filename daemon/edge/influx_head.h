/* What the head of an answer tells beside its status, taken line by line as curl hands them over.
 * Must never keep more of it than its bound. */
#ifndef BACKSTEP_DAEMON_EDGE_INFLUX_HEAD_H
#define BACKSTEP_DAEMON_EDGE_INFLUX_HEAD_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* InfluxDB 1 puts the first 1 kB of its error into a header. */
#define BS_INFLUX_ERROR_MAX 1024

struct bs_influx_head {
    bool complete;         /* its empty last line has come */
    int64_t retry_after_s; /* -1: not given, or neither seconds nor a date */
    size_t error_length;
    char error[BS_INFLUX_ERROR_MAX]; /* X-Influxdb-Error */
};

void bs_influx_head_reset(struct bs_influx_head *h);

/* One line with its ending. A status line begins afresh: what came before was an interim answer. */
void bs_influx_head_take(struct bs_influx_head *h, struct bs_slice line, time_t now);

#endif
