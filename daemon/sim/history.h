/* What was ever appended to the two logs, kept beside them: the intake's records, to be folded once
 * more at the end, and the outbox's, to know which of them the database has. What a power cut took
 * is taken from here, too. */
#ifndef BACKSTEP_SIM_HISTORY_H
#define BACKSTEP_SIM_HISTORY_H

#include "backstep/base/buffer.h"
#include "backstep/base/record.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_NO_MESSAGE UINT32_MAX

struct sim_past_record {
    uint64_t position, next, appended_ns;
    int64_t tick_ms;
    uint8_t type, flags;
    bool lost;        /* it did not come back at a start: */
    unsigned lost_at; /* of this number */
    uint32_t message; /* of the broker's, or SIM_NO_MESSAGE */
    uint32_t length;
    uint64_t body; /* offset in `bytes` */
};

struct sim_past_points {
    uint64_t position, next, origin;
    uint64_t settled, lines_end; /* positions of bytes: the lines before it are settled; of all */
    uint64_t unresolved_ns;      /* when a transfer of them ended without an answer last; 0: none */
    uint32_t points;
};

struct sim_history {
    struct sim_past_record *records;
    size_t count, room;
    struct bs_buffer bytes;
    struct sim_past_points *points;
    size_t points_first, points_count, points_room; /* before `first` they were released */
    uint64_t dropped, dropped_used; /* points given up as the daemon counts, and seen to be so */
    uint64_t stale; /* points that a stale write may have won over when the outbox had no room */
    uint64_t letters, expired; /* likewise */
};

void sim_history_reset(struct sim_history *h);
void sim_history_fini(struct sim_history *h);

void sim_history_add(struct sim_history *h, const struct bs_record *record, uint32_t message);
struct bs_record sim_history_record(const struct sim_history *h, size_t index);

/* The intake was opened: of the records from `first` on only those that `read` gives are there. */
void sim_history_recover(struct sim_history *h, uint64_t first,
                         bool (*read)(void *context, struct bs_record *ret), void *context);

/* The present run has what came of all records before `position` from a snapshot. */
void sim_history_trust(struct sim_history *h, uint64_t position);

void sim_history_add_points(struct sim_history *h, const struct bs_record *record);
void sim_history_cut_points(struct sim_history *h, uint64_t position);
/* The lines in these bytes of the outbox had an answer that settles them. */
void sim_history_settle(struct sim_history *h, uint64_t from, uint64_t until);
/* The highest origin of the rows in these bytes. */
uint64_t sim_history_highest_origin(const struct sim_history *h, uint64_t from, uint64_t until);
/* A transfer of these bytes had no answer: it may be applied later. */
/* The process died, and could not write down which of them had no answer. */
void sim_history_doubt(struct sim_history *h);
void sim_history_unsettle(struct sim_history *h, uint64_t from, uint64_t until);
/* The outbox lets go of everything before `position`: breaks a rule where that was not to be. */
void sim_history_release_points(struct sim_history *h, uint64_t position, bool at_bound);

#endif
