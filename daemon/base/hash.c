/* A seeded hash of short byte strings: 8 bytes at a time through the mixer, length and seed first.
 * Outsiders choose the bytes but not the seed. */
#include "backstep/base/hash.h"

static uint64_t load(const char *at, size_t length)
{
    uint64_t word = 0;
    memcpy(&word, at, length);
    return word;
}

uint64_t bs_hash_bytes(uint64_t seed, struct bs_slice bytes)
{
    uint64_t h = bs_hash_mix(seed ^ (uint64_t)bytes.length * 0x9e3779b97f4a7c15u);
    size_t i = 0;
    for (; i + 8 <= bytes.length; i += 8)
        h = bs_hash_mix(h ^ load(bytes.at + i, 8)) + seed;
    if (i < bytes.length)
        h = bs_hash_mix(h ^ load(bytes.at + i, bytes.length - i)) + seed;
    return bs_hash_mix(h);
}
