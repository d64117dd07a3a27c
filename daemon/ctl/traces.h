/* Every contact of a class and what arrived of it: what the truth of a run is read from. */
#ifndef BACKSTEP_CTL_TRACES_H
#define BACKSTEP_CTL_TRACES_H

#include "class.h"
#include "parcel.h"
#include "sensors.h"

#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_trace {
    int64_t made_ms; /* when it happened */
    int64_t time_ms; /* as the first reading that arrived live has it; made_ms where clocks tell no
                        Unix time */
    uint8_t foot, direction;
    uint8_t live, kept; /* bit i: the reading of sensor i arrived, sent at once or uploaded late */
    uint16_t known;     /* of the contact's fields */
    int16_t step_ms, stride_ms, step_mm, vo_mm, trunk_cdeg;
};

/* A slip and the contact with which it set in. */
struct bs_placed_shift {
    uint32_t contact;
    struct bs_shift shift;
};

/* One member's, in order of time. */
struct bs_member_traces {
    struct bs_trace *at;
    struct bs_placed_shift *shifts;
    uint32_t count, room, shift_count, shift_room;
};

struct bs_traces {
    struct bs_sensor_set sensors;
    bool up;
    uint32_t member_count;
    struct bs_member_traces *members;
    bool failed; /* memory was out: it is not whole */
};

/* `up`: the wearables' times are since power-up. */
enum bs_status bs_traces_init(struct bs_traces *t, uint32_t members,
                              const struct bs_sensor_set *sensors, bool up);
void bs_traces_fini(struct bs_traces *t);

/* A contact happened; each member's come in order. Context: the traces. */
void bs_traces_add(void *context, const struct bs_contact *contact);

/* A message arrived; one that comes twice adds nothing. Context: the traces. */
void bs_traces_arrive(void *context, const struct bs_parcel *parcel);

/* What is known of a contact from what arrived of it live. Halves, so that half a stride is whole;
 * negative where it is unknown. */
enum bs_direction bs_trace_direction(const struct bs_traces *t, const struct bs_trace *trace);
int32_t bs_trace_half_step_ms(const struct bs_traces *t, const struct bs_trace *trace);
int32_t bs_trace_half_step_mm(const struct bs_traces *t, const struct bs_trace *trace);

#endif
