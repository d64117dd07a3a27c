/* xoshiro256** seeded by splitmix64, after Blackman and Vigna, "Scrambled linear pseudorandom
 * number generators" (2018). Must never draw from the environment. */
#include "backstep/base/random.h"

#include "backstep/base/check.h"

#include <math.h>

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

void bs_random_init(struct bs_random *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = split_mix(&seed);
}

uint64_t bs_random_next(struct bs_random *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t bs_random_below(struct bs_random *r, uint64_t below)
{
    bs_check(below > 0);
    uint64_t limit = UINT64_MAX - UINT64_MAX % below;
    uint64_t x;
    do {
        x = bs_random_next(r);
    } while (x >= limit);
    return x % below;
}

double bs_random_unit(struct bs_random *r)
{
    return (double)(bs_random_next(r) >> 11) * 0x1.0p-53;
}

double bs_random_normal(struct bs_random *r)
{
    double u = 1.0 - bs_random_unit(r);
    double v = bs_random_unit(r);
    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}
