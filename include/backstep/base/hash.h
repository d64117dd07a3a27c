/* A seeded hash for tables keyed by outside names. The seed is drawn once by the shell and stands
 * in the log's start record; hash order never reaches a row. */
#ifndef BACKSTEP_BASE_HASH_H
#define BACKSTEP_BASE_HASH_H

#include "backstep/base/slice.h"

#include <stdint.h>

uint64_t bs_hash_bytes(uint64_t seed, struct bs_slice bytes);

/* Of fixed-size keys that were made by us (indices, times): a strong 64-bit mixer. */
static inline uint64_t bs_hash_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    return x;
}

#endif
