/* The bouts' insides, shared by their parts: bouts.c (life, what passes), bout_course.c
 * (directions, what is settled), bout_carry.c (carry-over and slips of the running forward bout),
 * bout_write.c (rows, and when they are written), bout_snapshot.c. */
#ifndef BACKSTEP_CORE_BOUT_PARTS_H
#define BACKSTEP_CORE_BOUT_PARTS_H

#include "backstep/core/bout_rows.h"
#include "backstep/core/bouts.h"
#include "backstep/core/line.h"
#include "backstep/core/slip.h"
#include "backstep/core/window.h"

/* So many steps in a row that are not its own end a bout. */
#define BS_BOUT_FOREIGN_MAX 8

/* The most steps that confirm a direction, the last of which settles them. */
#define BS_BOUT_RUN_MAX     9

/* A step that is not settled yet. */
struct bs_bout_step {
    struct bs_step step;
    struct bs_sample sample;    /* of it */
    struct bs_tags *tags;       /* held */
    struct bs_summary *summary; /* held; NULL: none */
    bool follows;               /* the step before it is the one before it here */
};

/* Steps in a row in a new direction. */
struct bs_bout_run {
    struct bs_bout_run *next_spare;
    unsigned count;
    struct bs_bout_step steps[BS_BOUT_RUN_MAX];
};

/* A forward bout beside the backward one before it. */
struct bs_carry_over {
    bool has_partner; /* the bout is long enough: they belong together */
    bool full;        /* so is its block: the figures stand */
    bool told;        /* there is a row */
    struct bs_carry_block block;
    uint16_t block_steps;
    struct bs_carry_figures figures;
    uint32_t slips, first_slip_step;
    bool watched[BS_SLIP_METRICS];
    struct bs_slip_watch watches[BS_SLIP_METRICS];
    struct bs_group_retention *in_group;
};

struct bs_bout {
    uint8_t direction;      /* enum bs_direction; UNKNOWN: none runs */
    bool open;              /* as it is shown: it had not fallen silent when its last step passed */
    bool written;           /* it reached bout_min_steps */
    bool shown, shown_open; /* its row was written, and as what the last time */
    bool row_dirty, carry_dirty;
    struct bs_tags *tags;       /* of its first step, held */
    struct bs_summary *summary; /* likewise; NULL: none */
    int64_t first_ms, last_ms;
    uint16_t first_time_halves; /* the first step's time, 0: unknown */
    uint32_t steps, strays;
    struct bs_sums sums;
    struct bs_totals *before; /* of steps that the sums have no room for; NULL: none */
    struct bs_sketch sketches[BS_BOUT_SKETCHES];
    struct bs_carry_over *carry_over; /* of a forward bout that may have a partner; NULL: none */
};

struct bs_bout_member {
    void *owner;
    bool withheld, any;
    bool last_is_own; /* the last step that passed is a settled one of the running bout */
    bool last_is_run; /* … the last one of the run */
    uint8_t foreign;  /* steps in a row that are not the running bout's */
    uint8_t strays;   /* of them, those with a direction */
    uint8_t run_direction;
    int64_t last_ms;         /* of the last step that passed */
    struct bs_bout_run *run; /* NULL: empty */
    struct bs_bout bout;
    struct bs_carry carry;
    struct bs_bout_member *dirty_next, *dirty_previous; /* oldest dirt first */
    int64_t dirty_since;                                /* tick; -1: clean */
    bool dirty_soon;                                    /* and in which queue */
};

/* Members whose rows are dirty, oldest dirt first. */
struct bs_bout_queue {
    struct bs_bout_member *first, *last;
};

struct bs_bouts {
    const struct bs_settings *settings;
    struct bs_bout_listener listener;
    struct bs_sketch_scale scale;
    struct bs_bout_queue queues[2]; /* of bouts that only go on, and to be written soon */
    struct bs_bout_run *spare_runs;
    struct bs_line line;
};

/* When a step passes, and who hears of it. */
struct bs_bout_moment {
    struct bs_tick_ms now;
    struct bs_wall_ms wall;
    const struct bs_effects *effects;
};

/* bouts.c: when a bout with such a last step of the member falls silent. */
int64_t bs_bout_silent_from(const struct bs_bouts *b, int64_t last_ms);

/* bout_course.c */
void bs_bout_course_take(struct bs_bouts *b, struct bs_bout_member *m,
                         const struct bs_passed *passed, const struct bs_bout_moment *moment);
void bs_bout_course_forget(struct bs_bouts *b, struct bs_bout_member *m);
void bs_bout_end(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_effects *effects);

/* bout_carry.c: the running forward bout began, has another step, ended. */
void bs_bout_carry_begin(struct bs_bouts *b, struct bs_bout_member *m);
void bs_bout_carry_step(struct bs_bouts *b, struct bs_bout_member *m,
                        const struct bs_sample *sample, const struct bs_effects *effects);
/* The block is what there is of it: the bout ended or fell silent before it was full. */
void bs_bout_carry_close(struct bs_bouts *b, struct bs_bout_member *m);
void bs_bout_carry_free(struct bs_bout_member *m);

/* bout_write.c */
/* `soon`: more has changed than that the bout goes on. */
void bs_bout_mark_dirty(struct bs_bouts *b, struct bs_bout_member *m, struct bs_tick_ms now,
                        bool soon);
void bs_bout_mark_clean(struct bs_bouts *b, struct bs_bout_member *m);
/* Writes what is dirty of the member's. */
void bs_bout_write(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_effects *effects);
void bs_bout_write_slip(struct bs_bouts *b, struct bs_bout_member *m,
                        const struct bs_slip_news *news, const struct bs_effects *effects);

/* Whether there are bouts in it. */
static inline bool bs_bout_has_direction(uint8_t direction)
{
    return direction != BS_DIRECTION_UNKNOWN && direction != BS_DIRECTION_TURN &&
           direction != BS_DIRECTION_ON_THE_SPOT;
}

static inline bool bs_bout_is_named(const struct bs_bout_member *m)
{
    return m->bout.tags->named && !m->withheld;
}

#endif
