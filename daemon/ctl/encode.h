/* A device's step events into the bytes of one message, in the three forms wearables use. */
#ifndef BACKSTEP_CTL_ENCODE_H
#define BACKSTEP_CTL_ENCODE_H

#include "backstep/base/buffer.h"
#include "backstep/core/step.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a wearable says of one step, wider than what the daemon keeps: recorded values go out as
 * they are, also those no foot can make. */
struct bs_event {
    int64_t time_ms; /* on the scale of the message: Unix time, or time since power-up */
    uint32_t seq;
    uint8_t foot;      /* enum bs_foot */
    uint8_t direction; /* enum bs_direction */
    uint16_t known;    /* bit f: field f has a value */
    uint32_t contact;  /* which of its member's contacts it tells of; the wearable does not say */
    int64_t value[BS_FIELD_COUNT];
};

static inline bool bs_event_has(const struct bs_event *e, enum bs_field f)
{
    return (e->known >> f) & 1u;
}

static inline void bs_event_set(struct bs_event *e, enum bs_field f, int64_t value)
{
    e->known = (uint16_t)(e->known | 1u << f);
    e->value[f] = value;
}

enum bs_form { BS_FORM_JSON, BS_FORM_BATCH, BS_FORM_BINARY };

struct bs_encoding {
    enum bs_form form;
    bool up;     /* times are `up`, else `t` */
    bool stored; /* kept on the device and uploaded late */
};

/* How many events one message of the form may hold at most: 1, 256, 255. */
size_t bs_encode_max(enum bs_form form);

/* True where `next` may stand behind `last` in one message: seq follows and the time between fits.
 */
bool bs_encode_follows(enum bs_form form, const struct bs_event *last, const struct bs_event *next);

/* Appends one message of 1..bs_encode_max events, each following the one before. In the binary
 * form a value that its record cannot hold is unknown, angles are rounded to 0.5 and 1 degree, and
 * of `quality` only "below 50" is left; a CRC-32 always follows. */
void bs_encode(const struct bs_encoding *how, uint32_t boot, const struct bs_event *events,
               size_t count, struct bs_buffer *ret);

#endif
