/* The outlet's inside, shared by its files: outlet.c (life, time, marks), outlet_drop.c (a full
 * outbox), outlet_feed.c (reading the outbox, the local file), outlet_batch.c (which lines go
 * together), outlet_send.c (InfluxDB), outlet_letters.c (dead letters), outlet_report.c (the log).
 * Must not be seen by others. */
#ifndef BACKSTEP_DAEMON_SHELL_OUTLET_PARTS_H
#define BACKSTEP_DAEMON_SHELL_OUTLET_PARTS_H

#include "outlet.h"

#include "backstep/base/random.h"
#include "backstep/core/bisection.h"
#include "backstep/core/delivery.h"
#include "backstep/edge/influx.h"
#include "backstep/edge/points_file.h"

#define OUTLET_NEVER_MS    UINT64_MAX

/* The most one transfer carries: at 25 MB InfluxDB 1 refuses a body. */
#define OUTLET_BATCH_BYTES (8u << 20)

/* One reader serves both: the outbox has one reading place, which is moved to a cursor's. */
struct outlet_sink {
    bool used;
    uint64_t at;      /* it had everything before it */
    uint64_t high;    /* the same, but not set back while something is sent once more */
    uint64_t waiting; /* points from `high` up to what was counted */
};

/* What goes to InfluxDB together. `search` says which lines of it are next; from the first of its
 * answers until all its lines are settled it stays as it is. */
struct outlet_batch {
    uint64_t from, until; /* records of the outbox */
    uint32_t lines;
    uint32_t old_lines;  /* of these, those in front that were delivered once */
    uint64_t new_points; /* in the others */
    bool at_hand;
    struct bs_bisection search;
    uint32_t first, beyond; /* lines of it that are in flight */
    uint64_t letters, new_letters, new_expired;
};

/* Lines of the batch that are to be written to the dead letter file, and those that are. */
struct outlet_letters {
    struct bs_points_file *file; /* NULL until the first one */
    uint32_t first, beyond;      /* still to be written */
    bool suspect;
    bool unsynced;
    char message[BS_DELIVERY_ERROR_MAX + 1];
    uint64_t again_ms; /* no try before it */
    char trouble[256]; /* why it cannot be written, "" while it can */
};

/* What is said once a minute. */
struct outlet_notice {
    uint64_t said_ms; /* 0: never yet */
    uint64_t count;   /* since then */
};

struct bs_outlet {
    struct bs_outlet_options options;
    uint64_t reader;  /* where the log's reading place stands */
    uint64_t counted; /* every record before it has been counted into `waiting` */
    struct outlet_sink file, influx;
    uint64_t marks[BS_LOG_MARKS], stored_marks[BS_LOG_MARKS];
    uint64_t released;

    struct bs_points_file *points_file;
    uint64_t file_again_ms;
    uint64_t file_full_since_ms; /* a pipe that took nothing, or NEVER */
    int file_error;

    struct bs_influx *poster;
    struct bs_delivery delivery;
    struct bs_random random;
    struct bs_slice *parts;
    size_t parts_max;
    struct outlet_batch batch;
    uint32_t part_max;  /* most lines of one request, learned of those that were too large */
    uint32_t part_good; /* batches since then */
    struct outlet_letters letters;
    bool in_flight;
    bool influx_unsynced;   /* the next record waits for the intake's sync; a wake will come */
    uint64_t first_wait_ms; /* since when the first line waits that is in no batch yet, or NEVER */
    uint64_t transfers;

    struct bs_tick_ms oldest;
    uint64_t oldest_at; /* the position `oldest` was read at */

    struct outlet_notice retrying, refused, too_large, bad, expired, dropped, unlettered, unfiled;
    bool trouble_said, unlettered_said, unfiled_said;
    uint64_t full_bytes, drop_ms; /* of the last drop; 0: none yet */

    uv_timer_t timer;
    bool finishing, closing, closed;
    unsigned closing_parts;
    uint64_t deadline_ms;
    void (*done)(void *context);
    void *done_context;
};

struct outlet_record {
    uint64_t position, next, origin;
    struct bs_tick_ms tick;
    uint64_t points;
    struct bs_slice lines; /* empty: nothing in it for any sink */
};

/* The record at the position; false where there is none. */
bool outlet_read(struct bs_outlet *o, uint64_t at, struct outlet_record *ret);

/* Counts new records; true where it stopped before the end to let the loop turn. */
bool outlet_count(struct bs_outlet *o);

/* Writes to the local file what may be written; true as above. */
bool outlet_feed_file(struct bs_outlet *o);

/* True where the record may leave; else asks to be woken when the intake's sync has passed it. */
bool outlet_may_leave(struct bs_outlet *o, const struct outlet_record *record);

/* True where no other record can come before the loop turns. */
bool outlet_sleep(struct bs_outlet *o);

enum outlet_collected { OUTLET_NOTHING, OUTLET_END, OUTLET_UNSYNCED, OUTLET_BOUND };

/* Puts the next batch together, and says what ended it; NOTHING: no record may leave. */
enum outlet_collected outlet_collect(struct bs_outlet *o);

/* The lines first .. beyond-1 of the batch into o->parts; returns how many parts. */
size_t outlet_collect_part(struct bs_outlet *o, uint32_t first, uint32_t beyond);

/* The lines of a batch one after the other, with their newlines. */
struct outlet_line_walk {
    struct bs_outlet *outlet;
    struct outlet_record record;
    struct bs_slice rest; /* of the record */
    uint64_t at;          /* the record behind it */
    uint32_t number;      /* of the line that stands next */
};
struct outlet_line_walk outlet_walk_lines(struct bs_outlet *o);

/* The line of that number; none may be asked for that lies before the last one. */
struct bs_slice outlet_walk_to(struct outlet_line_walk *walk, uint32_t number);

/* These lines of the batch become dead letters; outlet_write_letters writes them. */
void outlet_add_letters(struct bs_outlet *o, uint32_t first, uint32_t beyond, bool suspect,
                        const char *message);

/* True where all that were added are in the file; else it is tried again at letters.again_ms. */
bool outlet_write_letters(struct bs_outlet *o);

/* The batch at hand, if any, is no longer: its lines are collected afresh. */
void outlet_drop_batch(struct bs_outlet *o);

/* True where all that are in the file are on the disk too; else the batch is begun once more. */
bool outlet_sync_letters(struct bs_outlet *o);

/* To the log. */
void outlet_report_delivery(struct bs_outlet *o);
void outlet_report_letters(struct bs_outlet *o);
void outlet_report_file(struct bs_outlet *o);
void outlet_report_bad(struct bs_outlet *o, uint64_t lines);
void outlet_report_part_max(struct bs_outlet *o);
void outlet_report_expired(struct bs_outlet *o, uint64_t points);
void outlet_report_dropped(struct bs_outlet *o, uint64_t points);

/* Position up to which every sink has had everything. */
uint64_t outlet_slowest(const struct bs_outlet *o);

/* Releases of the outbox what nobody needs any more. */
void outlet_release(struct bs_outlet *o);

/* Starts a transfer where one is due. */
void outlet_send(struct bs_outlet *o);

/* When outlet_send has something to do; NEVER while that depends on others. */
uint64_t outlet_send_due_ms(const struct bs_outlet *o);

/* From outlet_send's answers: does all that is to be done now. */
void outlet_turn(struct bs_outlet *o);

void outlet_store_marks(struct bs_outlet *o);
void outlet_changed(struct bs_outlet *o);

static inline uint64_t outlet_now_ms(const struct bs_outlet *o)
{
    return uv_now(o->options.loop);
}

#endif
