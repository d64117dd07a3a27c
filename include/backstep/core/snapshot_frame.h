/* What stands around an engine's state in a snapshot's file:
 *
 *     0 "BSSNAP"              6 u16 format
 *     8 u64 intake position  16 u64 outbox position
 *    24 i64 tick of the last record   32 i64 tick of the last START record
 *    40 u32 1 where there was one, else 0   44 u32 0   48 that record's body, 48 bytes
 *    96 the state (core/snapshot.h)   … u32 CRC-32 of all before it
 *
 * All numbers little-endian. One flipped bit anywhere is found by the CRC. */
#ifndef BACKSTEP_CORE_SNAPSHOT_FRAME_H
#define BACKSTEP_CORE_SNAPSHOT_FRAME_H

#include "backstep/base/record.h"
#include "backstep/base/sink.h"
#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_SNAPSHOT_FRAME_BYTES 96

/* What of a log the state knows, and what its reader needs to go on. */
struct bs_snapshot_frame {
    uint32_t format;         /* when read; BS_SNAPSHOT_FORMAT is what is written */
    uint64_t intake, outbox; /* every record before these positions is in the state, or was said */
    struct bs_tick_ms tick;
    bool has_start;
    struct bs_tick_ms start_tick;
    struct bs_start_body start;
};

/* A frame being written: the state goes to `inner`. */
struct bs_snapshot_framer {
    struct bs_sink inner;
    const struct bs_sink *outer;
    uint32_t crc;
};

/* Both give false where the sink took no more. */
bool bs_snapshot_frame_begin(struct bs_snapshot_framer *f, const struct bs_snapshot_frame *frame,
                             const struct bs_sink *outer);
bool bs_snapshot_frame_end(struct bs_snapshot_framer *f);

/* Looks at all of the bytes. BS_CORRUPT where they are not whole, BS_INVALID where they are of a
 * format that is not read here (ret->format says which); ret_state is a part of `file`. */
enum bs_status bs_snapshot_frame_read(struct bs_slice file, struct bs_snapshot_frame *ret,
                                      struct bs_slice *ret_state);

#endif
