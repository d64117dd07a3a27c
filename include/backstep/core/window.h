/* Event-time windows, their `gait_window` rows and the `group_window` rows over them.
 *
 * A row lives from its first step until its window is final; late steps correct it until then, and
 * what was accepted and still waits for its order holds the window open. All rows of one window lie
 * in one frame. A row is written when it has been dirty for `refresh_ms`, at
 * its window's end if dirty, and when final. Times here are wall times but for the age of dirt.
 *
 * Rows whose tags are not `named` live and are closed as others, but are never written; nor is any
 * row of a member who is withheld, while that lasts. Its sums go on.
 *
 * A group row stands for the live rows of one window whose tags share site, group, drill and phase
 * (none for group `none`), of whatever consent; it lives as long as they do and is written by the
 * same rules, where it gives nobody away (group_window.h). There are never more of them than of
 * members' rows, for each was opened by one: they need no bound of their own.
 *
 * The formulas of the fields stand in backstep-rows(5); the sums are exact (sums.h). */
#ifndef BACKSTEP_CORE_WINDOW_H
#define BACKSTEP_CORE_WINDOW_H

#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/core/effects.h"
#include "backstep/core/sums.h"
#include "backstep/core/tags.h"
#include "backstep/core/tiling.h"

#include <stdbool.h>
#include <stdint.h>

/* Bounds. Rows: 8 Mi of 200 bytes are 1.6 GiB, twice what 100 000 members need at five minutes'
 * lateness. Stored windows a member may have open: the interface says so. Live ones are bounded by
 * the lateness; a row for each direction of an hour of seconds fits. Of tags a wearable makes none:
 * how many a window has is up to sessions and documents. */
#define BS_WINDOW_ROWS_MAX             (8u << 20)
#define BS_WINDOW_MEMBER_STORED_MAX    4096u
#define BS_WINDOW_MEMBER_LIVE_ROWS_MAX (4096u * BS_DIRECTION_COUNT)

struct bs_snapshot;
struct bs_windows;

/* What one member holds here; zero it before the first use. */
struct bs_window_member {
    uint32_t rows[2];        /* open ones: live, stored */
    uint32_t stored_windows; /* the windows of the stored ones, whatever directions and tags */
    uint32_t recent;         /* the row of the last step, 0: none. A hint that saves the look-up */
    uint32_t serial;         /* drawn at the first row: its part of a row's key */
    uint32_t gathered;       /* where it last stood among its group's members */
    uint32_t first, last;    /* all of them, in the order in which they were opened */
    bool withheld;           /* the caller's: consent is below `member` now */
};

struct bs_window_key {
    struct bs_tags *tags;
    int64_t time_ms; /* event time, not before the tiling's floor */
    enum bs_direction direction;
    bool stored;
};

/* Where a step belongs; valid until the next call that changes the windows. */
struct bs_window_place {
    int64_t start_ms, end_ms;
    uint32_t row; /* 0: not open yet */
};

enum bs_status bs_windows_new(struct bs_windows **ret, int64_t size_ms);
void bs_windows_free(struct bs_windows *w);

/* Sets the lateness from now on. A window that was written as final, or refused a step, stays
 * final; one that nobody has asked for yet has nothing to keep. */
void bs_windows_set_lateness(struct bs_windows *w, int64_t live_ms, int64_t stored_ms);
/* From the boundary after arrival + max_future (tiling.h), or after the latest step that was added
 * where that lies further on: no row may begin where another size's does. */
void bs_windows_set_size(struct bs_windows *w, int64_t size_ms, struct bs_wall_ms arrival,
                         int64_t max_future_ms);
void bs_windows_set_refresh(struct bs_windows *w, int64_t refresh_ms);

/* Fewer members get no group row; none is written before this is said. */
void bs_windows_set_group_min(struct bs_windows *w, int64_t members);

/* Moves the time on: from here on no window that ended `lateness` before takes a step. */
void bs_windows_advance(struct bs_windows *w, struct bs_wall_ms now);

/* True where an event time's window is final: the step is too late. */
bool bs_windows_too_late(const struct bs_windows *w, int64_t time_ms, bool stored);

/* A step was told that its window is final: no later lateness opens it again. */
void bs_windows_refuse(struct bs_windows *w, int64_t time_ms, bool stored);

/* Looks the place up; changes nothing. */
struct bs_window_place bs_windows_find(const struct bs_windows *w, const struct bs_window_member *m,
                                       const struct bs_window_key *key);

/* Makes sure that bs_windows_add has what it needs at that place: true where it has, false where a
 * bound or memory is reached. */
bool bs_windows_reserve(struct bs_windows *w, const struct bs_window_member *m,
                        const struct bs_window_key *key, const struct bs_window_place *place);

/* Takes the place, which was reserved, for a step that may still wait, and gives its row: the
 * window is not final before it was added. `m` must outlive the row. */
uint32_t bs_windows_hold(struct bs_windows *w, struct bs_window_member *m,
                         const struct bs_window_key *key, const struct bs_window_place *place);

/* The step that a row was held for has another direction than it seemed: gives the row that is held
 * for it now, of the same window and tags; the same one where there is no room for another. */
uint32_t bs_windows_turn(struct bs_windows *w, struct bs_window_member *m, uint32_t row,
                         enum bs_direction direction);

/* Adds the step to the row that was held for it. */
void bs_windows_add(struct bs_windows *w, uint32_t row, const struct bs_sample *sample,
                    struct bs_tick_ms now);

/* The tags of a row that is held. */
struct bs_tags *bs_windows_tags(const struct bs_windows *w, uint32_t row);

/* Something of these tags happened in the live window of that time: it counts in the group's row,
 * unless that is final, or it is a slip without a name of a member who has no step in that row,
 * which would give the member away. A retention is a member's, named by *holder: NULL, or what the
 * last call for the same carry-over left there, whose value is replaced. Whoever gives the holder
 * up calls bs_windows_leave_retention. */
struct bs_group_retention;
void bs_windows_count_slip(struct bs_windows *w, const struct bs_window_member *m,
                           struct bs_tags *tags, int64_t time_ms, struct bs_tick_ms now);
void bs_windows_set_retention(struct bs_windows *w, struct bs_tags *tags, int64_t time_ms,
                              double retention_pct, struct bs_group_retention **holder,
                              struct bs_tick_ms now);
void bs_windows_leave_retention(struct bs_group_retention **holder);

/* A loaded retention has its holder again; false where it has another one. */
bool bs_windows_join_retention(struct bs_group_retention *r, struct bs_group_retention **holder);

/* The wall time of the next window end or final, and the tick at which the oldest dirt is due. */
struct bs_wall_ms bs_windows_wall_deadline(const struct bs_windows *w);
struct bs_tick_ms bs_windows_tick_deadline(const struct bs_windows *w);

/* Fire what is due. */
void bs_windows_fire_wall(struct bs_windows *w, struct bs_wall_ms now,
                          const struct bs_effects *effects);
void bs_windows_fire_tick(struct bs_windows *w, struct bs_tick_ms now,
                          const struct bs_effects *effects);

/* Writes each open row of a member once, in the order in which they were opened, `final` false:
 * before `withheld` is set (nothing where it is). Rows that did not change since are among them,
 * and all are given out as closed: nobody can tell which of the open ones before a full outbox left
 * out, and no closed one may follow. */
void bs_windows_write_member(struct bs_windows *w, const struct bs_window_member *m,
                             const struct bs_effects *effects);

/* After a stepped clock: every open window is final now, and no step may be held; nothing before
 * the last of them opens again, whatever the new time says. */
void bs_windows_finalise_all(struct bs_windows *w, const struct bs_effects *effects);

uint32_t bs_windows_open_rows(const struct bs_windows *w);

/* Saves all but what the settings say (lateness, refresh, the group's minimum), or loads it into
 * new windows. Refers to BS_SNAPSHOT_TAGS and _WINDOW_MEMBER, the latter zeroed but for `withheld`;
 * defines _RETENTION and, for the next function, _ROW. What is held is not among it: */
void bs_windows_snapshot(struct bs_snapshot *s, struct bs_windows *w);

/* Whoever holds a row for a step refers to it by this, once for each step; loading, it is held
 * again. 0 only after a failure. */
uint32_t bs_windows_held_snapshot(struct bs_snapshot *s, struct bs_windows *w, uint32_t row);

/* Likewise who holds a retention, or none. */
void bs_windows_retention_snapshot(struct bs_snapshot *s, struct bs_group_retention **holder);

#endif
