/* The simulated log's insides: log.c (life, reading), log_append.c, log_thread.c (what its own
 * thread does, as events), log_recovery.c. As in the real one, records stand in segments that are
 * files with a map; there is one course of control, so nothing is locked. */
#ifndef BACKSTEP_SIM_LOG_PARTS_H
#define BACKSTEP_SIM_LOG_PARTS_H

#include "backstep/edge/log.h"
#include "disk.h"
#include "events.h"

#define LOG_HEADER_BYTES 64u
#define LOG_HEAD_BYTES   32u
#define LOG_RETRY_MS     250u
#define LOG_NEVER_NS     UINT64_MAX

struct log_segment {
    struct log_segment *next, *retired_next;
    struct sim_file *file;
    uint64_t first, end, bytes;
};

enum log_duty {
    LOG_IDLE,
    LOG_REPORT,
    LOG_RESCUE,
    LOG_TRIAL,
    LOG_RELEASE,
    LOG_SPARE,
    LOG_SYNC,
};

struct bs_log {
    struct bs_log_options options;
    bool is_intake;
    struct log_segment *oldest, *current, *unsynced, *retired;
    uint64_t head, synced, bytes, release_to;
    struct bs_tick_ms last_tick;
    bool appended, asleep, at_bound, reader_broken;
    bool records_dirty, marks_dirty;
    bool watching;
    uint64_t watch;
    int sync_error, spare_error, marks_error;
    bool rescue_failed;
    bool on_trial; /* all is saved, but the disk has failed again and must show that it is sound */
    uint64_t failed_ns, trial_wait_ns, trial_due_ns;
    struct bs_log_condition condition;

    struct log_segment *reader_segment;
    const struct log_segment *reader_in; /* that, when it sought or released last */
    uint64_t reader;

    struct sim_file *marks_file;
    uint64_t marks[BS_LOG_MARKS], generation;

    /* Its thread. */
    struct sim_event work; /* it looks, or ends what it does */
    enum log_duty doing;
    uint64_t sync_end; /* what it syncs ends there */
    uint64_t sync_due_ns, spare_due_ns, rescue_due_ns, marks_due_ns;
    bool stopping;
};

static inline uint64_t log_record_bytes(uint64_t length)
{
    return (LOG_HEAD_BYTES + length + 7) & ~(uint64_t)7;
}

static inline uint64_t log_limit(const struct log_segment *s)
{
    return s->first + (s->bytes - LOG_HEADER_BYTES);
}

static inline char *log_at(const struct log_segment *s, uint64_t position)
{
    return s->file->cached + LOG_HEADER_BYTES + (position - s->first);
}

static inline bool log_is_at_bound(const struct bs_log *log)
{
    return log->bytes + log->options.segment_bytes > log->options.max_bytes;
}

static inline bool log_is_full_disk(int error)
{
    return error == 28; /* ENOSPC */
}

/* log.c */
void log_judge(struct bs_log *log);
void log_note(struct bs_log_recovery *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int log_store_marks(struct bs_log *log);
void log_sync_marks(struct bs_log *log);
enum bs_status log_status_of(int error);

/* log_append.c: bytes of records. */
void log_seal(char *at, const struct bs_record *record);
bool log_read_at(const struct log_segment *s, uint64_t position, uint64_t limit, bool check,
                 struct bs_record *ret);

/* log_segment.c. Functions that return int return 0 or an errno. */
int log_segment_make(struct bs_log *log, uint64_t first, uint64_t bytes, struct log_segment **ret);
/* One that holds, synced, what `s` has from `from` on, in its positions and up to its limit. */
int log_segment_copy(struct bs_log *log, const struct log_segment *s, uint64_t from,
                     struct log_segment **ret);
/* Makes one, and removes it: whether the disk takes anything. */
int log_segment_try(struct bs_log *log);
void log_segment_free(struct bs_log *log, struct log_segment *s, bool unlink);

/* log_thread.c */
void log_wake(struct bs_log *log);
void log_begin_thread(struct bs_log *log);
/* Waits for what it does, syncs once more. */
void log_end_thread(struct bs_log *log);

/* log_recovery.c */
enum bs_status log_recover(struct bs_log *log, struct bs_log_recovery *r);
int log_begin_segment(struct bs_log *log, uint64_t first);

#endif
