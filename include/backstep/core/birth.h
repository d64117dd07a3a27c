/* A device's birth message: what it says of itself at power-up. */
#ifndef BACKSTEP_CORE_BIRTH_H
#define BACKSTEP_CORE_BIRTH_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/core/step.h"

struct bs_snapshot;

/* Where a wearable is worn: the first to be asked for lengths and contacts is a foot's, for the
 * trunk's posture the trunk's. */
enum bs_sensor_kind {
    BS_SENSOR_UNKNOWN,
    BS_SENSOR_FOOT,
    BS_SENSOR_TRUNK,
    BS_SENSOR_WRIST,
    BS_SENSOR_CHEST,
    BS_SENSOR_KINDS,
};

struct bs_birth {
    enum bs_sensor_kind kind; /* UNKNOWN: it does not tell */
    enum bs_foot side;        /* of the device's steps that name none; UNKNOWN: it does not tell */
    int battery_pct;          /* 0..100; -1: it does not tell */
};

/* An empty payload (the retained message was deleted) tells nothing and is fine. BS_INVALID where
 * it is no JSON object, `kind` is none of ours or `side` neither L nor R; a battery that says
 * anything else than a percentage does not tell. */
enum bs_status bs_birth_parse(struct bs_slice payload, struct bs_birth *ret);

void bs_birth_snapshot(struct bs_snapshot *s, struct bs_birth *b);

#endif
