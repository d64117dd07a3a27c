/* What one person wears: up to four sensors, each with a part of what a step is, and a device id of
 * its own. */
#ifndef BACKSTEP_CTL_SENSORS_H
#define BACKSTEP_CTL_SENSORS_H

#include "encode.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_SENSORS_MAX 4

struct bs_sensor {
    char letter;        /* stands for it in the truth: T L R W; A: one that measures all */
    const char *suffix; /* of the device id */
    const char *kind;   /* as its birth message says; NULL: it sends none */
    enum bs_foot foot;  /* whose contacts it reports; UNKNOWN: those of both */
    uint16_t fields;    /* bit f: it measures field f */
    bool tells_foot, tells_direction;
};

struct bs_sensor_set {
    struct bs_sensor at[BS_SENSORS_MAX];
    uint32_t count;
};

/* Devices that measure everything: 1, of both feet; or 2, a left and a right pod. */
void bs_sensors_whole(uint32_t devices, struct bs_sensor_set *ret);

/* Sensors by name, "trunk,pods,wrist" in any choice and order, each with its own part: a belt has
 * direction, step time, trunk pitch and oscillation; pods have foot, contact, step length, stride
 * time, foot pitch and impact, and the direction where there is no belt; a wrist has the step time.
 * False where the names are not these. */
bool bs_sensors_parse(const char *names, struct bs_sensor_set *ret);

/* The one that a belt's part falls to: the belt, or the device that measures everything; a negative
 * number where there is none. */
int bs_sensors_belt(const struct bs_sensor_set *set);

/* What the sensor says of a contact; false where it does not notice it. Time and seq are copied. */
bool bs_sensor_sees(const struct bs_sensor *s, const struct bs_event *contact,
                    struct bs_event *ret);

#endif
