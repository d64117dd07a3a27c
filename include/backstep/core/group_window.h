/* The `group_window` row: a group's figures over one window, each member counting once, whatever
 * their number of steps. Must never give one person away. */
#ifndef BACKSTEP_CORE_GROUP_WINDOW_H
#define BACKSTEP_CORE_GROUP_WINDOW_H

#include "backstep/core/line.h"
#include "backstep/core/sums.h"
#include "backstep/core/tags.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fewer members without rows of their own are what is left when those of all others are taken from
 * the group's. */
#define BS_GROUP_UNNAMED_MIN 3

/* What one member's steps in the window add up to, over all directions. */
struct bs_group_member {
    const void *who; /* whoever gathers tells members apart by it */
    bool unnamed;    /* consent was `group` at some step */
    uint64_t steps, backward;
    struct bs_total step_time, step_length; /* halves, as in bs_sums; without squares */
};

/* Adds packed sums of steps in one direction. */
void bs_group_member_add(struct bs_group_member *m, const struct bs_sums *s,
                         enum bs_direction direction);

/* True where a row over these members may be written: at least `members_min` of them, and with
 * consent `group` none or at least BS_GROUP_UNNAMED_MIN. */
bool bs_group_window_is_safe(const struct bs_group_member *members, size_t count,
                             int64_t members_min);

struct bs_group_window {
    const struct bs_tags *tags; /* of any of them */
    bool final;
    int64_t start_ms;
    const struct bs_group_member *members; /* in any order */
    size_t count;                          /* > 0 */
    double *values;                        /* room for as many: overwritten */
    uint32_t slips;
    double *retentions_pct; /* of carry-overs: reordered */
    size_t retention_count;
};

/* The row as a line; a figure that no member has is left out. The slice holds until `line` is used
 * again.
 *
 *   backward_pct = 100 · steps with direction B / steps
 *   …_p50        = median over the members who have it of the member's own figure, as gait_window.h
 *                  says; the mean of the middle two for an even number
 *   retention_pct_p50, slips: of the carry-overs and slips of the group in this window */
struct bs_slice bs_group_window_write(const struct bs_group_window *row, struct bs_line *line);

#endif
