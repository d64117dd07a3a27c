/* The log: append-only records in segments of fixed size; one writer at a time, one reader.
 *
 * Used twice: for the intake (what arrived, before it is acknowledged) and for the outbox (what is
 * to be written to the database). A process that dies loses nothing that was appended; power loss
 * is covered up to bs_log_synced().
 *
 *   DIRECTORY/NAME.lock     flock and pid of the owner
 *   DIRECTORY/NAME.marks    two slots, 4096 apart: 0 u64 generation  8 16 u64  136 u32 CRC-32
 *   DIRECTORY/NAME-<first position, 16 hex digits>.seg
 *       header, 64 bytes    0 "BSLOG\0"  6 u16 format  8 u64 first position  16 u64 segment bytes
 *                          24 zero … 60 u32 CRC-32 of 0..59
 *       records, 8-aligned  0 u32 CRC-32 of 4 .. end of the body  4 u32 body length  8 u64 position
 *                          16 i64 tick  24 u8 type (not 0)  25 u8 flags  26 zero  32 body, zeros
 *       zeros behind the last record
 *   *.damaged               what recovery set aside
 *
 * A segment ends where the next one's positions begin, if that is before its last byte: after a
 * failed sync a new segment replaces the unsynced rest of the old one.
 * A position is a byte offset over the log's whole life: first position + offset behind the header.
 *
 * Threads: append from any thread; read, seek, release and marks from the owner's thread only; the
 * log has one thread of its own that allocates the next segment ahead, syncs and deletes. */
#ifndef BACKSTEP_EDGE_LOG_H
#define BACKSTEP_EDGE_LOG_H

#include "backstep/base/record.h"
#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BS_LOG_MARKS             16
#define BS_LOG_SEGMENT_BYTES_MIN 4096

/* What messages leave of the last room: STARTs and TICKs, some dozens of them. */
#define BS_LOG_OWN_BYTES         1024

struct bs_log;

struct bs_log_options {
    const char *directory;  /* created 0700 where absent */
    const char *name;       /* "intake", "outbox" */
    uint64_t segment_bytes; /* at least BS_LOG_SEGMENT_BYTES_MIN, a multiple of 8 */
    uint64_t max_bytes;     /* of all segments; at least three of them */
    /* What is left of the last possible segment when the log counts as full: room for what is in
     * flight. Appends still succeed until the segment's end. */
    uint64_t reserve_bytes;
    uint32_t sync_ms; /* 0: every append returns only after its sync */
    /* How long nothing is appended after a sync failed for the second time within a minute, doubled
     * with every further time, up to thirty times as long; 0: a second. */
    uint32_t trial_ms;
    /* The tick of the record that is being appended; called with the append mutex held, must be
     * quick and must not call back. Monotone by contract (checked). */
    struct bs_tick_ms (*stamp)(void *context);
    /* The reader had found nothing and slept, and now there is a record. From the appending thread.
     */
    void (*on_record)(void *context);
    /* bs_log_condition() has changed, or bs_log_synced() moved while somebody waits for it (see
     * bs_log_watch_sync). From the log's own thread or an appender's. */
    void (*on_change)(void *context);
    void *context;
};

/* What opening found. */
struct bs_log_recovery {
    uint64_t first, head; /* positions: oldest record, end of the last good one */
    struct bs_tick_ms last_tick;
    uint64_t lost_bytes;       /* behind the first bad record of a segment */
    uint32_t damaged_segments; /* earlier ones with a bad record, set aside as *.damaged */
    pid_t holder;              /* with BS_BUSY: who holds the folder */
    char message[256];         /* what was found or what failed, with the path; "" if all is well */
};

enum bs_log_trouble {
    BS_LOG_WELL,
    BS_LOG_AT_BOUND,  /* max_bytes is reached, only the reserve is left */
    BS_LOG_DISK_FULL, /* no spare segment could be allocated */
    BS_LOG_IO_ERROR,  /* a sync, allocation or map failed */
};

struct bs_log_condition {
    enum bs_log_trouble trouble;
    int error; /* errno of the failure, 0 if none */
};

/* Opens or creates. BS_BUSY where another process holds it; with ret_recovery's message BS_IO and
 * BS_NO_SPACE, which may pass by themselves, BS_REFUSED and BS_NOT_FOUND for a folder that we may
 * not use or that cannot be, BS_INVALID for sizes that cannot be or a segment of another version.
 * Between segments that were lost positions may jump. With `on_record` NULL the log may be opened
 * for reading tests the same way. */
enum bs_status bs_log_open(struct bs_log **ret, const struct bs_log_options *options,
                           struct bs_log_recovery *ret_recovery);

/* Stops the thread, syncs, unmaps. */
void bs_log_close(struct bs_log *log);

/* Appends one record, its body the parts (at most 8) one behind the other; stamps it. BS_FULL where
 * max_bytes is reached and not even the reserve has room (but BS_LOG_OWN_BYTES, for a message);
 * BS_NO_SPACE, BS_IO where the disk has none for it or it could not be made durable as promised
 * (with sync_ms 0 it may be read all the same); BS_INVALID where no segment could hold it.
 * ret_position (may be NULL) = where the record ends. Thread-safe. */
enum bs_status bs_log_append(struct bs_log *log, enum bs_record_type type, uint8_t flags,
                             const struct bs_slice *parts, size_t part_count,
                             uint64_t *ret_position);

/* The next record behind the reader's place, which moves behind it. The record's body points into
 * the log and holds until bs_log_release passes it. False where there is none. What is read was
 * checked at open or written by this process, so the CRC is not looked at again; a record that does
 * not stand where it must is bad memory and ends reading with BS_LOG_IO_ERROR, EBADMSG. */
bool bs_log_read(struct bs_log *log, struct bs_record *ret);

/* The reader found nothing and will not look again before on_record. False (and not asleep) where a
 * record has come meanwhile. */
bool bs_log_sleep(struct bs_log *log);

/* Moves the reader, which begins at bs_log_first; `position` must be a record's (first .. head). */
void bs_log_seek(struct bs_log *log, uint64_t position);

/* Everything before `position` is no longer needed: segments wholly before it are deleted, but for
 * the one that holds the head, by the log's thread. A reader that stands before it is moved to it.
 */
void bs_log_release(struct bs_log *log, uint64_t position);

/* Discards all records at and behind `position` (a record's, not before bs_log_first); only before
 * anything was appended in this run. For outbox rows whose intake record vanished in a power loss.
 * After BS_IO or BS_NO_SPACE the log is only good for bs_log_close. */
enum bs_status bs_log_truncate(struct bs_log *log, uint64_t position);

/* The next record will stand at `position` (8-aligned) where the head is before it; as truncate,
 * only before anything was appended. For a snapshot that lies beyond what a power loss left. */
enum bs_status bs_log_continue_at(struct bs_log *log, uint64_t position);

/* Counters of the owner's that live beside the log (cursor, dropped, …): kept over restarts, made
 * durable with the next sync. */
void bs_log_marks_load(const struct bs_log *log, uint64_t ret[BS_LOG_MARKS]);
void bs_log_marks_store(struct bs_log *log, const uint64_t marks[BS_LOG_MARKS]);

uint64_t bs_log_first(const struct bs_log *log);

/* Where the segment behind the oldest begins, with or without a record: releasing up to there frees
 * the oldest. 0 while the oldest is the one that is written to. */
uint64_t bs_log_second(struct bs_log *log);

uint64_t bs_log_head(const struct bs_log *log);

/* Everything before it is on the disk. */
uint64_t bs_log_synced(const struct bs_log *log);

/* Calls on_change once when bs_log_synced() reaches `position`; one watch, the newest, at a time.
 */
void bs_log_watch_sync(struct bs_log *log, uint64_t position);

struct bs_log_condition bs_log_condition(const struct bs_log *log);

/* Bytes of segments on the disk. */
uint64_t bs_log_bytes(const struct bs_log *log);

/* Reads a segment's bytes without a log: the scan that recovery uses, for tools, tests and fuzzing.
 * `at` is the offset of a record behind the header; BS_NOT_FOUND at the clean end (zeros or the end
 * of the segment), BS_CORRUPT at a bad record. ret_next: offset of the record behind it. */
enum bs_status bs_log_scan(struct bs_slice segment, size_t at, uint64_t first_position,
                           struct bs_record *ret, size_t *ret_next);

#endif
