/* The three forms of a step message (JSON single, JSON batch, binary batch) into steps.
 * Never allocates; everything that is wrong is a reason, never a crash. */
#ifndef BACKSTEP_CORE_DECODE_H
#define BACKSTEP_CORE_DECODE_H

#include "backstep/base/slice.h"
#include "backstep/core/step.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BS_MESSAGE_STEPS_MAX  256
#define BS_MESSAGE_BYTES_MAX  (64u * 1024)
#define BS_TIME_ABS_MAX       (INT64_C(1) << 53) /* |t| and |up| */
#define BS_BATCH_STEP_GAP_MAX 3600000            /* dt_ms */

enum bs_decode_result { BS_DECODED, BS_DECODE_TOO_LARGE, BS_DECODE_MALFORMED, BS_DECODE_SCHEMA };

struct bs_message {
    uint32_t boot;
    bool uses_up; /* the steps' times are time since power-up, else Unix time */
    bool stored;
    uint32_t unknown_keys; /* 1 where the message had any: counted once per message */
    uint32_t
        field_out_of_range; /* optional values dropped: out of range, wrong type, not in the set */
    size_t count;
    struct bs_step
        steps[BS_MESSAGE_STEPS_MAX]; /* in the message's order, times and seq filled in */
};

/* The first that applies of too_large, malformed, schema. *ret is complete only when BS_DECODED.
 * A batch row's time is the first row's plus the sum of dt_ms up to it (the first row's dt_ms too).
 */
enum bs_decode_result bs_decode(struct bs_slice payload, struct bs_message *ret);

#endif
