/* A snapshot's stream: the one description of a state for both directions. A module says
 *
 *     boot->id = bs_snapshot_u32(s, boot->id, UINT32_MAX);
 *
 * which writes the value and gives it back while the stream saves, and gives back what was read
 * while it loads; only what must be made or linked on loading asks bs_snapshot_loads().
 *
 *   numbers    LEB128, 7 bits a byte, the lowest first; signed ones zigzag
 *   reals      8 bytes, IEEE 754, little-endian
 *   texts      their length as a number, their bytes
 *   references number of the object among those of its sort in the order of their definition,
 *              from 1; 0: none
 *
 * After a failure a loading stream gives zeros, empty texts and no object, so that a module checks
 * once, at its end; nothing it gives is beyond the bound that was asked for. What is loaded may be
 * forged: a module must be safe to free, and to use if the stream has not failed. */
#ifndef BACKSTEP_CORE_SNAPSHOT_H
#define BACKSTEP_CORE_SNAPSHOT_H

#include "backstep/base/buffer.h"
#include "backstep/base/sink.h"
#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The format that is written, and the oldest one that is read. */
#define BS_SNAPSHOT_FORMAT        1
#define BS_SNAPSHOT_FORMAT_OLDEST 1

/* Sorts of objects that others refer to. */
enum bs_snapshot_sort {
    BS_SNAPSHOT_MEMBER, /* struct bs_member; the parts of it that other modules know: */
    BS_SNAPSHOT_WINDOW_MEMBER,
    BS_SNAPSHOT_SUMMARY_MEMBER,
    BS_SNAPSHOT_LIVE_MEMBER,
    BS_SNAPSHOT_BOUT_MEMBER,
    BS_SNAPSHOT_DEVICE,
    BS_SNAPSHOT_TAGS,
    BS_SNAPSHOT_DRILL,   /* versions of drills */
    BS_SNAPSHOT_HISTORY, /* sessions of a group */
    BS_SNAPSHOT_SUMMARY,
    BS_SNAPSHOT_FRAME, /* of windows */
    BS_SNAPSHOT_ROW,   /* by their index */
    BS_SNAPSHOT_RETENTION,
    BS_SNAPSHOT_SORTS,
};

/* The objects of one sort: loading in the order of their definition, saving by address. */
struct bs_snapshot_objects {
    uint32_t count, room;
    void **objects;
    uint32_t *numbers; /* beside them; NULL while loading */
};

struct bs_snapshot {
    bool loading, failed;
    enum bs_status why;     /* it failed: BS_CORRUPT, BS_NO_MEMORY, BS_IO (the sink) */
    uint32_t format;        /* of what is read, or BS_SNAPSHOT_FORMAT */
    struct bs_slice rest;   /* loading: what was not read yet */
    struct bs_buffer bytes; /* saving: what the sink has not got yet */
    const struct bs_sink *sink;
    struct bs_snapshot_objects objects[BS_SNAPSHOT_SORTS];
};

/* The sink must hold until bs_snapshot_end. */
void bs_snapshot_save(struct bs_snapshot *s, const struct bs_sink *sink);
void bs_snapshot_load(struct bs_snapshot *s, struct bs_slice bytes, uint32_t format);

/* Hands the last bytes to the sink; or fails where some were not read. Frees what the stream holds;
 * BS_OK, or why it failed. */
enum bs_status bs_snapshot_end(struct bs_snapshot *s);

static inline bool bs_snapshot_loads(const struct bs_snapshot *s)
{
    return s->loading;
}

/* The first failure counts. */
void bs_snapshot_fail(struct bs_snapshot *s, enum bs_status why);

/* Loading: fails as BS_CORRUPT where that does not hold. Saving: it must hold (checked). */
void bs_snapshot_require(struct bs_snapshot *s, bool holds);

/* 0..max; loading, a larger one fails. Saving, it must not be larger (checked). */
uint64_t bs_snapshot_u64(struct bs_snapshot *s, uint64_t value, uint64_t max);
int64_t bs_snapshot_i64(struct bs_snapshot *s, int64_t value);
int64_t bs_snapshot_between(struct bs_snapshot *s, int64_t value, int64_t min, int64_t max);
/* A time or a span in ms: ±2^56, so that sums of a few do not overflow, or INT64_MIN, INT64_MAX. */
int64_t bs_snapshot_time(struct bs_snapshot *s, int64_t ms);
/* As above, but of the two extremes only `none`; and with neither. */
int64_t bs_snapshot_time_or(struct bs_snapshot *s, int64_t ms, int64_t none);
int64_t bs_snapshot_moment(struct bs_snapshot *s, int64_t ms);
/* Finite. */
double bs_snapshot_real(struct bs_snapshot *s, double value);

static inline uint32_t bs_snapshot_u32(struct bs_snapshot *s, uint32_t value, uint32_t max)
{
    return (uint32_t)bs_snapshot_u64(s, value, max);
}

static inline uint16_t bs_snapshot_u16(struct bs_snapshot *s, uint16_t value, uint16_t max)
{
    return (uint16_t)bs_snapshot_u64(s, value, max);
}

static inline uint8_t bs_snapshot_u8(struct bs_snapshot *s, uint8_t value, uint8_t max)
{
    return (uint8_t)bs_snapshot_u64(s, value, max);
}

static inline bool bs_snapshot_flag(struct bs_snapshot *s, bool value)
{
    return bs_snapshot_u64(s, value, 1) != 0;
}

/* How many of something follow, each of which takes a byte at least: a forged count asks for no
 * more memory than the snapshot's size allows. */
size_t bs_snapshot_count(struct bs_snapshot *s, size_t count, size_t max);

/* At most `max` bytes; loading, a slice of what is read. */
struct bs_slice bs_snapshot_text(struct bs_snapshot *s, struct bs_slice text, size_t max);

/* So many bytes as they are. */
void bs_snapshot_bytes(struct bs_snapshot *s, void *at, size_t length);

/* A word between parts, so that a reader that is out of step notices it there. */
void bs_snapshot_mark(struct bs_snapshot *s, uint32_t mark);

/* The object is the next of its sort; later references may name it. NULL only after a failure. */
void bs_snapshot_define(struct bs_snapshot *s, enum bs_snapshot_sort sort, void *object);

/* Saving, writes the number of an object that was defined (checked) or NULL, and gives it back.
 * Loading, gives the object; NULL where none was meant, or none has that number (fails). */
void *bs_snapshot_refer(struct bs_snapshot *s, enum bs_snapshot_sort sort, void *object);

/* As above, where there must be one. */
void *bs_snapshot_refer_some(struct bs_snapshot *s, enum bs_snapshot_sort sort, void *object);

/* Loading: the object defined under that number, 1..count; NULL: none. */
void *bs_snapshot_defined(const struct bs_snapshot *s, enum bs_snapshot_sort sort, uint32_t number);

#endif
