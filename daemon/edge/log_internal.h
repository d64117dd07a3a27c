/* What the log's own files share. Must be included by daemon/edge/log*.c alone.
 *
 * The list of segments runs from `oldest` to `current` and, where there is one, to the spare behind
 * it. Only the log's thread links and unlinks; an append moves `current` on to the spare; the
 * reader follows `next` and `end` without the mutex, after it has loaded `head`. */
#ifndef BACKSTEP_EDGE_LOG_INTERNAL_H
#define BACKSTEP_EDGE_LOG_INTERNAL_H

#include "backstep/edge/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define LOG_HEADER_BYTES      64u
#define LOG_FORMAT            1u
#define LOG_RECORD_HEAD_BYTES 32u
#define LOG_NAME_MAX          128
#define LOG_RETRY_MS          250

struct log_segment {
    _Atomic(struct log_segment *) next;
    _Atomic uint64_t end; /* position behind its last record */
    uint64_t first;       /* position of the first byte behind its header */
    uint64_t bytes;       /* of the file; the map is as long */
    char *at;
    int fd; /* -1 once closed for appending and synced */
    struct log_segment *retired_next;
};

struct log_record_head {
    uint64_t position;
    struct bs_tick_ms tick;
    uint32_t length;
    uint8_t type, flags;
};

struct bs_log {
    struct bs_log_options options; /* its strings are copies, owned */
    int folder_fd, lock_fd, marks_fd;
    bool pwrites; /* no allocation guarantee here: appends go through pwrite, the map only reads */
    bool running; /* the thread */
    bool appended;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work; /* for the log's thread; monotonic clock */
    pthread_cond_t done; /* for those who wait for it: a spare, a sync */

    /* Under the mutex. */
    struct log_segment *oldest, *current;
    struct log_segment *unsynced; /* the first with bytes behind `synced` */
    struct log_segment *retired;  /* replaced after a failed sync, still mapped for the reader */
    /* Where the reader stood when the owner released or sought last: it may stand there still,
     * though all of it is released. */
    const struct log_segment *reader_in;
    struct bs_tick_ms last_tick;
    uint64_t release_to, watch;
    bool watching;
    int64_t sync_due_ms; /* -1: nothing was dirty when it last looked */
    int64_t spare_due_ms, rescue_due_ms, probe_due_ms, marks_due_ms;
    int sync_error;     /* errno from the first failed sync until all is safe again */
    bool rescue_failed; /* at least one attempt to save it failed */
    bool on_trial;      /* it was saved, and the disk has to show that it is sound */
    int64_t failed_ms;  /* of the last failure, 0: none yet */
    int64_t trial_wait_ms, trial_due_ms;
    int spare_error;                 /* errno why there is no spare */
    int write_error;                 /* errno of the last failed pwrite of an append */
    bool at_bound;                   /* there is no spare because of max_bytes */
    int marks_error;                 /* errno of the marks' last failed write or sync */
    bool records_dirty, marks_dirty; /* written since the last sync began */
    bool asleep;                     /* the reader */
    bool stopping;
    bool fire_record, fire_change; /* callbacks due at the next unlock */

    /* Under a mutex of their own. */
    pthread_mutex_t marks_mutex;
    uint64_t marks[BS_LOG_MARKS], marks_generation;
    bool marks_failed;

    _Atomic uint64_t first, synced, bytes;
    _Atomic uint64_t condition; /* trouble << 32 | errno */

    /* The owner's thread alone. */
    _Alignas(64) struct log_segment *reader_segment;
    uint64_t reader_position;
    bool reader_broken; /* written under the mutex */

    _Alignas(64) _Atomic uint64_t head;
};

static inline uint64_t log_record_bytes(uint64_t length)
{
    return (LOG_RECORD_HEAD_BYTES + length + 7) & ~(uint64_t)7;
}

static inline uint64_t log_segment_limit(const struct log_segment *s)
{
    return s->first + (s->bytes - LOG_HEADER_BYTES);
}

static inline uint64_t log_segment_offset(const struct log_segment *s, uint64_t position)
{
    return LOG_HEADER_BYTES + (position - s->first);
}

static inline struct log_segment *log_segment_next(const struct log_segment *s)
{
    return atomic_load_explicit(&s->next, memory_order_acquire);
}

static inline uint64_t log_segment_end(const struct log_segment *s)
{
    return atomic_load_explicit(&s->end, memory_order_relaxed);
}

/* One segment more would be too much. */
static inline bool log_is_at_bound(const struct bs_log *log)
{
    return atomic_load(&log->bytes) + log->options.segment_bytes > log->options.max_bytes;
}

static inline bool log_is_full_disk(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

/* What an errno of opening ends with: BS_NO_SPACE and BS_IO may pass by themselves. */
static inline enum bs_status log_status_of(int error)
{
    if (log_is_full_disk(error))
        return BS_NO_SPACE;
    if (error == EACCES || error == EPERM)
        return BS_REFUSED;
    return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG ? BS_NOT_FOUND : BS_IO;
}

/* log_frame.c: bytes of headers and records. */
void log_header_write(uint64_t first, uint64_t bytes, char ret[LOG_HEADER_BYTES]);
enum bs_status log_header_read(const char header[LOG_HEADER_BYTES], uint64_t *ret_first,
                               uint64_t *ret_bytes);
/* Everything but the CRC, which stands first. */
void log_record_head_write(const struct log_record_head *head, char ret[LOG_RECORD_HEAD_BYTES]);
void log_record_put_crc(char ret[LOG_RECORD_HEAD_BYTES], uint32_t crc);
/* Puts the CRC of the head and the body behind it. */
void log_record_seal(char *at, uint32_t length);
uint32_t log_crc(uint32_t crc, const char *at, size_t length);
/* Without a look at the CRC; false where the head cannot be the record at `position` of a segment
 * that has `room` bytes from there on. */
bool log_record_read(const char *at, uint64_t position, uint64_t room, struct bs_record *ret);

/* log_segment.c: one file and its map. Functions that return int return 0 or an errno. */
void log_segment_name(const struct bs_log *log, uint64_t first, char ret[LOG_NAME_MAX]);
bool log_segment_parse_name(const struct bs_log *log, const char *name, uint64_t *ret_first);
/* A new segment under a passing name, allocated and mapped, its bytes zero behind the header;
 * log_segment_publish gives it its own name, in place of what may stand there. */
int log_segment_create(struct bs_log *log, uint64_t first, uint64_t bytes,
                       struct log_segment **ret);
int log_segment_publish(struct bs_log *log, const struct log_segment *s);
/* Removes what a create without a publish left. */
void log_segment_discard(const struct bs_log *log);
/* BS_CORRUPT: its header is bad; BS_INVALID: it is of a format we do not know; BS_IO: ret_error. */
enum bs_status log_segment_open(struct bs_log *log, uint64_t first, struct log_segment **ret,
                                int *ret_error);
/* The file once more, where it was closed; 0 or an errno. */
int log_segment_reopen(struct bs_log *log, struct log_segment *s);
/* Where the last byte that is not zero ends, as an offset in `from`..`to`; `from` if there is none.
 */
uint64_t log_segment_used(const struct log_segment *s, uint64_t from, uint64_t to);
int log_segment_zero(const struct log_segment *s, uint64_t from, uint64_t to);
/* Copies the file beside itself as *.damaged. */
int log_segment_set_aside(struct bs_log *log, const struct log_segment *s);
int log_segment_delete(struct bs_log *log, struct log_segment *s);
void log_segment_free(struct log_segment *s);
int log_write_all(int fd, const char *at, uint64_t length, uint64_t offset);
int log_sync_file(int fd);
int log_sync_folder(const struct bs_log *log);
/* True where the file system says that it has this much left, or says nothing. */
bool log_has_space(int fd, uint64_t bytes);

/* log_recovery.c: fills the list, head and last tick from the folder. */
enum bs_status log_recover(struct bs_log *log, struct bs_log_recovery *ret);
/* Goes on in a new segment, in place of a spare; 0 or an errno. */
int log_begin_segment(struct bs_log *log, uint64_t first);
__attribute__((format(printf, 2, 3))) void log_note(struct bs_log_recovery *r, const char *format,
                                                    ...);

/* log_thread.c */
int64_t log_now_ms(void);
int log_thread_start(struct bs_log *log);
/* Ends it after a last sync. */
void log_thread_stop(struct bs_log *log);

/* log_append.c. Under the mutex: writes what an append would, but nothing; 0 or an errno. */
int log_append_probe(struct bs_log *log);

/* log_condition.c. Leaves the mutex and calls the callbacks that became due under it. */
void log_unlock(struct bs_log *log);
/* Under the mutex: works out the condition anew. */
void log_judge(struct bs_log *log);

/* log_sync.c: from the log's thread, without the mutex. */
void log_sync(struct bs_log *log);
void log_rescue(struct bs_log *log);
void log_try_disk(struct bs_log *log);

/* log_marks.c */
int log_marks_open(struct bs_log *log, struct bs_log_recovery *note);
/* From the log's thread; what fails is tried again with the next sync. */
void log_marks_sync(struct bs_log *log);

#endif
