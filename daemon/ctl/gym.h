/* A gym as a folder of documents, laid out as kind/id.json, as far as a class that walks there
 * needs it: who belongs to a group, and what the group's session has them do. */
#ifndef BACKSTEP_CTL_GYM_H
#define BACKSTEP_CTL_GYM_H

#include "class.h"
#include "wearables.h"

#include "backstep/core/kinds.h"

#include <stdint.h>

struct bs_gym {
    /* The first device of each member of the group who has one, in the order of their ids. */
    char **devices;
    uint32_t device_count;
    /* The session's drill: its phases by the clock; or without end the one that the session names,
     * or the first where the coach moves on by hand. */
    struct bs_class_phase phases[BS_PHASES_MAX];
    struct bs_class_timetable timetable; /* without `phases` and `ahead_ms` */
    int64_t start_ms, end_ms;            /* of the session; INT64_MAX: no end was given */
};

/* BS_EXIT_DONE, or says what is wrong on stderr and gives the exit status; *ret is then empty. */
int bs_gym_load(struct bs_gym *ret, const char *folder, const char *group);
void bs_gym_fini(struct bs_gym *g);

/* The members, what they wear and the timetable into the options of a class that begins at
 * start_ms: in time with the session where it is on then, else from its first phase. Points into
 * *g. */
void bs_gym_class(const struct bs_gym *g, int64_t start_ms, struct bs_class_options *ret,
                  struct bs_wearables_options *ret_wearables);

#endif
