/* A device's birth message: what it says of itself at power-up. */
#ifndef BACKSTEP_CORE_BIRTH_H
#define BACKSTEP_CORE_BIRTH_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/core/step.h"

/* ret_side: the foot of the device's steps that name none, BS_FOOT_UNKNOWN where it tells none. An
 * empty payload (the retained message was deleted) tells nothing and is fine. BS_INVALID where it
 * is no JSON object, or `side` is neither L nor R. */
enum bs_status bs_birth_parse(struct bs_slice payload, enum bs_foot *ret_side);

#endif
