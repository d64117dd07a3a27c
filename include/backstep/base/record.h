/* What stands in the two logs: the types of records and the layout of their bodies.
 *
 * Both logs hold the same frame (edge/log.h draws it on disk); the body depends on the type:
 *
 * In the intake:
 *   START     0 u32 format   4 u32 0   8 i64 wall offset proposed   16 u64 hash seed
 *             24 u64 boottime in ms   32 16 bytes kernel boot id
 *   TICK      empty: a deadline was due
 *   CLOCK     0 i64 new offset   8 u8 stepped (0 slewed, 1 stepped)
 *   MESSAGE   0 u16 topic length   2 u16 correlation length   4 topic, correlation, payload
 *             (BS_RECORD_DIGESTED: a configuration document too long to be kept; in the payload's
 *             place stands its SHA-256, 32 bytes, which the answer to it names)
 * In the outbox:
 *   POINTS    0 u64 origin (position of the intake record it came of)   8 u32 part
 *             12 u32 points   16 whole lines of line protocol, each with its newline
 *
 * All numbers little-endian. */
#ifndef BACKSTEP_BASE_RECORD_H
#define BACKSTEP_BASE_RECORD_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum bs_record_type {
    BS_RECORD_START = 1,
    BS_RECORD_TICK = 2,
    BS_RECORD_CLOCK = 3,
    BS_RECORD_MESSAGE = 4,
    BS_RECORD_POINTS = 5,
};

enum {
    BS_RECORD_RETAINED = 1, /* MESSAGE: it arrived with the RETAIN flag */
    BS_RECORD_OPEN = 2,     /* POINTS: every row in it will be written again, closed, later */
    BS_RECORD_DIGESTED = 4, /* MESSAGE: its payload's SHA-256 stands for it */
};

struct bs_record {
    uint64_t position; /* of its first byte in the log; positions never repeat */
    uint64_t next;     /* of the record behind it */
    struct bs_tick_ms tick;
    uint8_t type;  /* enum bs_record_type */
    uint8_t flags; /* BS_RECORD_RETAINED, BS_RECORD_OPEN, BS_RECORD_DIGESTED */
    struct bs_slice body;
};

struct bs_start_body {
    int64_t offset_ms; /* wall − tick at the append; taken by the fold from the first START only */
    uint64_t hash_seed;
    uint64_t boottime_ms; /* CLOCK_BOOTTIME at the append */
    uint8_t boot_id[16];  /* /proc/sys/kernel/random/boot_id */
};

struct bs_clock_body {
    int64_t offset_ms;
    bool stepped;
};

struct bs_message_body {
    struct bs_slice topic, correlation, payload;
    struct bs_slice digest; /* in the payload's place (BS_RECORD_DIGESTED), else empty */
};

struct bs_points_body {
    uint64_t origin;
    uint32_t part, points;
    struct bs_slice lines;
};

#define BS_START_FORMAT       1u

#define BS_START_BODY_BYTES   48
#define BS_CLOCK_BODY_BYTES   9
#define BS_MESSAGE_HEAD_BYTES 4
#define BS_POINTS_HEAD_BYTES  16
#define BS_DIGEST_BYTES       32

/* The most a body may hold: a payload of 64 KiB, or 64 KiB of lines, and what stands before it. */
#define BS_RECORD_BODY_MAX    (64u * 1024 + 132u * 1024)

void bs_start_body_write(const struct bs_start_body *b, uint8_t ret[BS_START_BODY_BYTES]);
void bs_clock_body_write(const struct bs_clock_body *b, uint8_t ret[BS_CLOCK_BODY_BYTES]);
void bs_message_head_write(uint16_t topic_length, uint16_t correlation_length,
                           uint8_t ret[BS_MESSAGE_HEAD_BYTES]);
void bs_points_head_write(uint64_t origin, uint32_t part, uint32_t points,
                          uint8_t ret[BS_POINTS_HEAD_BYTES]);

/* Each reads the body of a record of that type; BS_CORRUPT where the length does not fit or the
 * format is not ours. Slices point into the record. */
enum bs_status bs_start_body_read(struct bs_slice body, struct bs_start_body *ret);
enum bs_status bs_clock_body_read(struct bs_slice body, struct bs_clock_body *ret);
enum bs_status bs_message_body_read(struct bs_slice body, uint8_t flags,
                                    struct bs_message_body *ret);
enum bs_status bs_points_body_read(struct bs_slice body, struct bs_points_body *ret);

#endif
