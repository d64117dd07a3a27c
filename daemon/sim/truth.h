/* What must hold, checked while the run goes on and at its end. */
#ifndef BACKSTEP_SIM_TRUTH_H
#define BACKSTEP_SIM_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

struct sim_past_record;

struct sim_truth {
    uint64_t unsynced_since_ns; /* the intake is synced no more, for whatever reason; 0: it is */
    uint64_t released;          /* the intake before it may be gone */
    uint64_t lost;              /* records that power cuts took */
    bool damaged;      /* bytes on the medium were changed, and what is lost by it is forgiven */
    bool cut_pending;  /* the power was cut since the intake was opened last */
    bool lines_blamed; /* the database said of lines that it does not take them */
    bool rows_skipped; /* open rows may have been left out */
};

void sim_truth_reset(struct sim_truth *t);

/* The record did not come back. */
void sim_truth_note_lost(struct sim_truth *t, const struct sim_past_record *r);
void sim_truth_note_opened(struct sim_truth *t);
void sim_truth_note_cut(struct sim_truth *t);
/* The process has ended. */
void sim_truth_note_end(struct sim_truth *t);
/* A sync of a log failed; what it was to save is safe again. */
void sim_truth_note_trouble(struct sim_truth *t, bool intake);
void sim_truth_note_rescue(struct sim_truth *t, bool intake);

/* The intake lets go of everything before `position`. */
void sim_truth_check_release(struct sim_truth *t, uint64_t position);

/* A snapshot of these positions may get its name. */
void sim_truth_check_commit(struct sim_truth *t, uint64_t intake, uint64_t outbox);

/* Rows of the outbox leave for the database. */
void sim_truth_check_post(struct sim_truth *t, uint64_t from, uint64_t until);

/* After a record was folded. */
void sim_truth_check_fold(struct sim_truth *t);

/* The loop goes to rest. */
void sim_truth_check_rest(struct sim_truth *t);

/* The run is over, and all that was to be delivered should be. */
void sim_truth_check_end(struct sim_truth *t);

#endif
