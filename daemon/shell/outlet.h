/* The way out: reads the outbox log and feeds InfluxDB and the local file, each at its own pace.
 *
 * Each sink has a cursor in the outbox, kept as a mark of that log (this module owns all marks of
 * the outbox). A record goes out only when its `origin` lies before bs_log_synced(intake): no row
 * may outlive the step it tells of. What both sinks have passed is released, but for what has to be
 * sent once more (core/delivery.h). All calls on the loop's thread; no other reads the outbox. */
#ifndef BACKSTEP_SHELL_OUTLET_H
#define BACKSTEP_SHELL_OUTLET_H

#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/edge/conf.h"
#include "backstep/edge/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* The outbox's marks. Positions are the log's; counters are points over the folder's life. */
enum bs_outlet_mark {
    BS_OUTLET_DELIVERED,    /* everything before it was delivered to InfluxDB once */
    BS_OUTLET_FILE_WRITTEN, /* everything before it is in the file */
    BS_OUTLET_UNRESOLVED,   /* 1 + from where it must be sent again, 0: nowhere */
    BS_OUTLET_DELIVERED_POINTS,
    BS_OUTLET_DROPPED_POINTS,
    BS_OUTLET_DEAD_LETTERS,
    BS_OUTLET_EXPIRED_POINTS,
};

enum bs_outlet_influx {
    BS_OUTLET_INFLUX_NONE, /* none is configured */
    BS_OUTLET_INFLUX_OK,
    BS_OUTLET_INFLUX_RETRYING,
    BS_OUTLET_INFLUX_REFUSED,
};

struct bs_outlet_state {
    uint64_t points, bytes;   /* waiting: not yet with every sink */
    uint64_t fresh_bytes;     /* behind these, not looked at before the loop's next turn */
    struct bs_tick_ms oldest; /* of the first that waits; BS_NEVER_MS where none does */
    uint64_t delivered, dropped, dead_letters, points_expired; /* points, over the folder's life */
    uint64_t transfers;                                        /* of this run */
    enum bs_outlet_influx influx;
    const char *error;         /* of InfluxDB, "" while well; holds until the loop's next turn */
    const char *letters_error; /* why dead letters cannot be written, "" while they can; likewise */
    int file_error;            /* errno of the last write to the file, 0 while well */
};

struct bs_outlet;

struct bs_outlet_options {
    uv_loop_t *loop;
    struct bs_log *outbox, *intake;
    const struct bs_conf *conf; /* must hold as long as the outlet */
    uint64_t jitter_seed;
    void (*on_change)(
        void *context); /* the state of a sink has changed; on the loop; may be NULL */
    void *context;
};

/* Goes on from the marks. BS_INVALID, BS_IO … with a sentence in ret_error. Nothing is sent before
 * the loop runs. */
enum bs_status bs_outlet_new(struct bs_outlet **ret, const struct bs_outlet_options *options,
                             char *ret_error, size_t ret_error_bytes);

/* The outbox has new records, or the intake's synced position moved. Cheap; the work is done in the
 * loop's next turn. */
void bs_outlet_wake(struct bs_outlet *outlet);

void bs_outlet_get_state(const struct bs_outlet *outlet, struct bs_outlet_state *ret);

/* Gives up the oldest segment of the outbox, which is full: counts its points that some sink has
 * not had as dropped. The room comes a moment later, from the log's own thread (its on_change
 * tells); try the append again then. False, and nothing done, while that is still to come, while a
 * batch that begins in the segment is in flight (until its lines are settled, or a request of it
 * must wait), or where there is but one
 * segment. */
bool bs_outlet_drop_oldest(struct bs_outlet *outlet);

/* Delivers what is there, for at most budget_ms and no longer than there is hope, then closes all
 * handles and calls `done`, never from within this call. Marks are stored. */
void bs_outlet_finish(struct bs_outlet *outlet, uint64_t budget_ms, void (*done)(void *context),
                      void *context);

/* After bs_outlet_finish was done. */
void bs_outlet_free(struct bs_outlet *outlet);

#endif
