/* The database: rows, and how it answers. What it does with a request is set by what happens to it;
 * which lines are bad is a rule over the line, the same each time it comes. */
#ifndef BACKSTEP_SIM_DATABASE_H
#define BACKSTEP_SIM_DATABASE_H

#include "backstep/base/buffer.h"
#include "events.h"
#include "rows.h"

#include <stdint.h>

enum sim_database_mode {
    SIM_DATABASE_OK,
    SIM_DATABASE_DOWN,   /* connections are refused */
    SIM_DATABASE_SILENT, /* no answer comes */
    SIM_DATABASE_STATUS, /* each request is answered with that status */
};

enum sim_effect { SIM_EFFECT_NONE, SIM_EFFECT_NOW, SIM_EFFECT_LATER };

#define SIM_WORD_MAX 64

struct sim_late_write;

struct sim_database {
    struct sim_rows rows;
    struct sim_rows expired; /* what it did not take for its age */
    enum sim_database_mode mode;
    uint32_t mode_requests; /* the mode holds for so many; 0: until it is changed */
    enum sim_effect effect; /* of a request without a good answer */
    uint32_t later_ms;
    int status;
    int64_t retry_after_s;                              /* -1: it does not say */
    char text[256];                                     /* of the answer with that status */
    uint64_t body_max;                                  /* larger ones are 413; 0: no bound */
    char conflict[SIM_WORD_MAX], garbage[SIM_WORD_MAX]; /* lines with that word; "": none */
    int64_t kept_ms;             /* older rows are beyond the retention policy; 0: none are */
    bool whole_or_nothing;       /* v3: partial writes are off; v2: 400 and not 422 */
    struct sim_late_write *late; /* writes that will be applied later */
    uint64_t requests, lines, bad_lines;
};

struct sim_answer {
    bool none; /* no answer comes before the client's time is up */
    bool sent; /* lines left the daemon's machine */
    int status;
    int64_t retry_after_s;
    struct bs_buffer error, body;
    bool settles; /* nothing of the lines is to be sent again */
};

void sim_database_reset(struct sim_database *d);
void sim_database_fini(struct sim_database *d);

/* A request arrives: lines in parts. */
void sim_database_take(struct sim_database *d, const struct bs_slice *parts, size_t count,
                       struct sim_answer *ret);

/* They are applied so much later, whatever comes meanwhile. */
void sim_database_take_later(struct sim_database *d, const struct bs_slice *parts, size_t count,
                             uint64_t later_ns);

/* What was to be applied later is applied now. */
void sim_database_flush(struct sim_database *d);

/* Writes still wait to be applied. */
bool sim_database_is_late(const struct sim_database *d);

/* All is well again. */
void sim_database_heal(struct sim_database *d);

#endif
