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
 *
 * How the open ends of the format are read:
 * - Text that is not JSON to its last byte is malformed, whatever else is wrong with it; more than
 *   256 rows are too_large only in text that is. Malformed are also lone surrogates in escapes and
 *   more than 64 objects and arrays within each other.
 * - A whole number is written without fraction and exponent: 582.0 and 5e2 are of the wrong type.
 * - A key given twice is schema, known or not, however it is escaped; inside an unknown key's value
 *   nothing but its syntax is looked at.
 * - null is unknown in a row and a wrong type in a single.
 * - `columns` or `rows` make a message a batch; the keys of a step are then unknown keys at the
 *   top, and unknown columns count as unknown keys.
 * - Binary: n = 0 and reserved bits are malformed, also under another version; foot 3 and
 *   directions from 9 on are dropped and counted as values outside their set. */
enum bs_decode_result bs_decode(struct bs_slice payload, struct bs_message *ret);

#endif
