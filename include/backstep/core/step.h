/* A step event as decoded: who does not stand in it, time is as the device gave it. */
#ifndef BACKSTEP_CORE_STEP_H
#define BACKSTEP_CORE_STEP_H

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

enum bs_foot { BS_FOOT_UNKNOWN, BS_FOOT_LEFT, BS_FOOT_RIGHT };

/* Direction of travel; the numbers are the binary format's. */
#define BS_DIRECTIONS(X)                                                                           \
    X(UNKNOWN, 'X')                                                                                \
    X(FORWARD, 'F')                                                                                \
    X(BACKWARD, 'B')                                                                               \
    X(LEFT, 'L')                                                                                   \
    X(RIGHT, 'R')                                                                                  \
    X(UP, 'U')                                                                                     \
    X(DOWN, 'D')                                                                                   \
    X(TURN, 'T')                                                                                   \
    X(ON_THE_SPOT, 'N')

enum bs_direction {
#define BS_DIRECTION_VALUE(name, letter) BS_DIRECTION_##name,
    BS_DIRECTIONS(BS_DIRECTION_VALUE)
#undef BS_DIRECTION_VALUE
        BS_DIRECTION_COUNT
};

char bs_direction_letter(enum bs_direction direction);

/* False where no direction has that letter. */
bool bs_direction_of_letter(char letter, enum bs_direction *ret);

/* The optional measured fields: name in JSON, hard range (outside: the field is dropped and
 * counted, the step stays). Ranges from measured gait: see backstep-events(5). */
#define BS_FIELDS(X)                                                                               \
    X(STEP_MS, "step_ms", 140, 2200)                                                               \
    X(STRIDE_MS, "stride_ms", 300, 3000)                                                           \
    X(CONTACT_MS, "contact_ms", 50, 3000)                                                          \
    X(STEP_MM, "step_mm", 30, 3000)                                                                \
    X(STRIDE_MM, "stride_mm", 100, 5500)                                                           \
    X(TRUNK_CDEG, "trunk_cdeg", -4500, 6000)                                                       \
    X(PITCH_CDEG, "pitch_cdeg", -6000, 6000)                                                       \
    X(VO_MM, "vo_mm", 0, 300)                                                                      \
    X(IMPACT_G16, "impact_g16", 0, 256)                                                            \
    X(QUALITY, "quality", 0, 100)

enum bs_field {
#define BS_FIELD_VALUE(name, text, min, max) BS_FIELD_##name,
    BS_FIELDS(BS_FIELD_VALUE)
#undef BS_FIELD_VALUE
        BS_FIELD_COUNT
};

struct bs_field_range {
    const char *name;
    int16_t min, max;
};

extern const struct bs_field_range bs_field_ranges[BS_FIELD_COUNT];

struct bs_step {
    int64_t time_ms; /* `t` or `up` of this event, as the message says which */
    uint32_t seq;
    uint8_t foot;      /* enum bs_foot */
    uint8_t direction; /* enum bs_direction */
    uint16_t known;    /* bit f: field f has a value */
    int16_t value[BS_FIELD_COUNT];
};

static inline bool bs_step_has(const struct bs_step *s, enum bs_field f)
{
    return (s->known >> f) & 1u;
}

static inline void bs_step_set(struct bs_step *s, enum bs_field f, int16_t value)
{
    s->known = (uint16_t)(s->known | 1u << f);
    s->value[f] = value;
}

/* Saves it, or loads it into a zeroed one. Only fields that are known have values then. */
void bs_step_snapshot(struct bs_snapshot *s, struct bs_step *step);

#endif
