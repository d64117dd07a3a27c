/* The outlet's inside, shared by its three files: outlet.c (life, time, marks), outlet_feed.c
 * (reading the outbox, the local file), outlet_send.c (InfluxDB). Must not be seen by others. */
#ifndef BACKSTEP_DAEMON_SHELL_OUTLET_PARTS_H
#define BACKSTEP_DAEMON_SHELL_OUTLET_PARTS_H

#include "outlet.h"

#include "backstep/base/random.h"
#include "backstep/core/delivery.h"
#include "backstep/edge/influx.h"
#include "backstep/edge/points_file.h"

#define OUTLET_NEVER_MS UINT64_MAX

/* One reader serves both: the outbox has one reading place, which is moved to a cursor's. */
struct outlet_sink {
    bool used;
    uint64_t at;      /* it had everything before it */
    uint64_t high;    /* the same, but not set back while something is sent once more */
    uint64_t waiting; /* points from `high` up to what was counted */
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
    struct bs_delivery_batch batch;
    uint64_t batch_new_points; /* those not delivered before */
    bool in_flight;
    bool influx_unsynced;   /* the next record waits for the intake's sync; a wake will come */
    uint64_t first_wait_ms; /* since when the first line waits that is in no batch yet, or NEVER */
    uint64_t transfers;

    struct bs_tick_ms oldest;
    uint64_t oldest_at; /* the position `oldest` was read at */

    uint64_t error_report_ms, drop_report_ms; /* 0: none yet */
    uint64_t drop_unreported;
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
