/* Contacts and what arrived of them. Must never count a reading before it arrived. */
#include "traces.h"

#include "backstep/base/check.h"

#include <stdlib.h>

enum bs_status bs_traces_init(struct bs_traces *t, uint32_t members,
                              const struct bs_sensor_set *sensors, bool up)
{
    *t = (struct bs_traces){.sensors = *sensors, .up = up, .member_count = members};
    t->members = calloc(members ? members : 1, sizeof *t->members);
    return t->members ? BS_OK : BS_NO_MEMORY;
}

void bs_traces_fini(struct bs_traces *t)
{
    for (uint32_t i = 0; t->members && i < t->member_count; i++) {
        free(t->members[i].at);
        free(t->members[i].shifts);
    }
    free(t->members);
    *t = (struct bs_traces){0};
}

/* Room for one more behind `count`. */
static bool reserve(void **at, uint32_t count, uint32_t *room, size_t bytes)
{
    if (count < *room)
        return true;
    uint32_t more = *room ? *room * 2 : 64;
    void *grown = realloc(*at, more * bytes);
    if (!grown)
        return false;
    *at = grown;
    *room = more;
    return true;
}

static bool make_room(struct bs_member_traces *m)
{
    void *at = m->at, *shifts = m->shifts;
    bool made = reserve(&at, m->count, &m->room, sizeof *m->at) &&
                reserve(&shifts, m->shift_count, &m->shift_room, sizeof *m->shifts);
    m->at = at;
    m->shifts = shifts;
    return made;
}

static struct bs_trace trace_of(const struct bs_event *e)
{
    return (struct bs_trace){
        .made_ms = e->time_ms,
        .foot = e->foot,
        .direction = e->direction,
        .known = e->known,
        .step_ms = (int16_t)e->value[BS_FIELD_STEP_MS],
        .stride_ms = (int16_t)e->value[BS_FIELD_STRIDE_MS],
        .step_mm = (int16_t)e->value[BS_FIELD_STEP_MM],
        .vo_mm = (int16_t)e->value[BS_FIELD_VO_MM],
        .trunk_cdeg = (int16_t)e->value[BS_FIELD_TRUNK_CDEG],
    };
}

void bs_traces_add(void *context, const struct bs_contact *contact)
{
    struct bs_traces *t = context;
    struct bs_member_traces *m = &t->members[contact->member];
    if (t->failed || !make_room(m)) {
        t->failed = true;
        return;
    }
    bs_check(contact->number == m->count);
    m->at[m->count++] = trace_of(&contact->event);
    if (contact->shifts)
        m->shifts[m->shift_count++] = (struct bs_placed_shift){contact->number, contact->shift};
}

void bs_traces_arrive(void *context, const struct bs_parcel *parcel)
{
    struct bs_traces *t = context;
    struct bs_member_traces *m = &t->members[parcel->wearable / t->sensors.count];
    uint8_t sensor = (uint8_t)(1u << parcel->wearable % t->sensors.count);
    for (uint32_t i = 0; i < parcel->count; i++) {
        const struct bs_event *e = &parcel->events[i];
        if (e->contact >= m->count)
            continue; /* memory was out */
        struct bs_trace *trace = &m->at[e->contact];
        if (!parcel->stored && trace->live == 0)
            trace->time_ms = t->up ? trace->made_ms : e->time_ms;
        if (parcel->stored)
            trace->kept |= sensor;
        else
            trace->live |= sensor;
    }
}

/* Whether a sensor that measures the field had its reading arrive live. */
static bool arrived(const struct bs_traces *t, const struct bs_trace *trace, enum bs_field field)
{
    if (!(trace->known >> field & 1u))
        return false;
    for (uint32_t i = 0; i < t->sensors.count; i++) {
        if (trace->live >> i & 1u && t->sensors.at[i].fields >> field & 1u)
            return true;
    }
    return false;
}

enum bs_direction bs_trace_direction(const struct bs_traces *t, const struct bs_trace *trace)
{
    for (uint32_t i = 0; i < t->sensors.count; i++) {
        if (trace->live >> i & 1u && t->sensors.at[i].tells_direction)
            return (enum bs_direction)trace->direction;
    }
    return BS_DIRECTION_UNKNOWN;
}

int32_t bs_trace_half_step_ms(const struct bs_traces *t, const struct bs_trace *trace)
{
    if (arrived(t, trace, BS_FIELD_STEP_MS))
        return 2 * trace->step_ms;
    return arrived(t, trace, BS_FIELD_STRIDE_MS) ? trace->stride_ms : -1;
}

int32_t bs_trace_half_step_mm(const struct bs_traces *t, const struct bs_trace *trace)
{
    return arrived(t, trace, BS_FIELD_STEP_MM) ? 2 * trace->step_mm : -1;
}
