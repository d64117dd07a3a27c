/* One POST of line protocol to InfluxDB, by curl's multi interface on the caller's uv loop.
 *
 * This module carries bytes and reports what came back; it decides nothing: what an answer means
 * and when to try again is core/delivery.h. */
#ifndef BACKSTEP_EDGE_INFLUX_H
#define BACKSTEP_EDGE_INFLUX_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct bs_influx;

enum bs_influx_api { BS_INFLUX_V1, BS_INFLUX_V2, BS_INFLUX_V3 };

struct bs_influx_options {
    const char *url; /* http://host:port, https:// */
    enum bs_influx_api api;
    const char *database, *retention_policy; /* v1, v3 */
    const char *org, *bucket;                /* v2 */
    const char *username, *password, *token; /* NULL: none */
    const char *ca_file;
    bool gzip;
    uint32_t timeout_ms;
    uv_loop_t *loop;
};

/* How a transfer ended. Slices hold only during the callback. */
struct bs_influx_answer {
    int http_status;       /* 0: no answer (see error) */
    struct bs_slice body;  /* its first 16 KiB */
    struct bs_slice error; /* X-Influxdb-Error, or curl's text where there was no answer */
    int64_t retry_after_s; /* -1: not given */
    uint64_t sent_bytes;   /* on the wire, after gzip */
};

typedef void (*bs_influx_done)(void *context, const struct bs_influx_answer *answer);

enum bs_status bs_influx_new(struct bs_influx **ret, const struct bs_influx_options *options);

/* Starts the one transfer: the parts one behind the other, compressed where so set; sent once and
 * never again by itself, also where the connection turns out to be gone. The parts must hold until
 * `done`, which is called on the loop, never from within this call. BS_BUSY while one is
 * under way. */
enum bs_status bs_influx_post(struct bs_influx *influx, const struct bs_slice *parts,
                              size_t part_count, bs_influx_done done, void *context);

/* Ends the transfer, if any, without calling `done`; frees all when its handles have closed, for
 * which the loop must run on. `closed` may be NULL. */
void bs_influx_close(struct bs_influx *influx, void (*closed)(void *context), void *context);

#endif
