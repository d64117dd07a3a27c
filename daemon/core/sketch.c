/* Counts in logarithmic bins. Must never let the order of the values matter. */
#include "backstep/core/sketch.h"

#include "backstep/base/check.h"
#include "backstep/core/snapshot.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ACCURACY  0.01
#define GROWTH    ((1 + ACCURACY) / (1 - ACCURACY))

/* Memory comes in steps: a bout's values lie close together. */
#define BINS_STEP 8u

/* The bin below the least value's: log_g(60) = 204.7. */
#define BIN_BASE  204

_Static_assert(BS_SKETCH_BINS % BINS_STEP == 0 && BS_SKETCH_BINS < UINT8_MAX,
               "stretches of whole steps reach over all bins");

void bs_sketch_scale_init(struct bs_sketch_scale *scale)
{
    *scale = (struct bs_sketch_scale){0};
    for (int value = BS_SKETCH_MIN; value <= BS_SKETCH_MAX; value++) {
        int bin = (int)ceil(log(value) / log(GROWTH)) - BIN_BASE;
        bs_check(bin >= 0 && bin < BS_SKETCH_BINS);
        scale->bins[value] = (uint8_t)bin;
    }
}

void bs_sketch_fini(struct bs_sketch *s)
{
    free(s->counts);
    *s = (struct bs_sketch){0};
}

/* Widens the stretch so that the bin lies in it; false where memory is out. */
static bool reach(struct bs_sketch *s, unsigned bin)
{
    unsigned step = bin - bin % BINS_STEP;
    unsigned first = s->room && s->first < step ? s->first : step;
    unsigned end = step + BINS_STEP;
    if (s->room && s->first + s->room > end)
        end = s->first + s->room;
    uint32_t *counts = realloc(s->counts, (end - first) * sizeof *counts);
    if (!counts)
        return false;
    unsigned before = s->room ? s->first - first : 0, behind = end - first - before - s->room;
    memmove(counts + before, counts, s->room * sizeof *counts);
    memset(counts, 0, before * sizeof *counts);
    memset(counts + before + s->room, 0, behind * sizeof *counts);
    s->counts = counts;
    s->first = (uint8_t)first;
    s->room = (uint8_t)(end - first);
    return true;
}

void bs_sketch_add(struct bs_sketch *s, const struct bs_sketch_scale *scale, int value)
{
    bs_check(value >= BS_SKETCH_MIN && value <= BS_SKETCH_MAX);
    unsigned bin = scale->bins[value];
    if ((bin < s->first || bin >= (unsigned)s->first + s->room) && !reach(s, bin))
        return;
    if (s->count == UINT32_MAX)
        return;
    s->counts[bin - s->first]++;
    s->count++;
}

void bs_sketch_clear(struct bs_sketch *s)
{
    if (s->counts)
        memset(s->counts, 0, s->room * sizeof *s->counts);
    s->count = 0;
}

double bs_sketch_quantile(const struct bs_sketch *s, unsigned percent)
{
    bs_check(s->count > 0 && percent <= 100);
    uint64_t rank = (uint64_t)(s->count - 1) * percent / 100, below = 0;
    unsigned i = 0;
    for (; below + s->counts[i] <= rank; i++)
        below += s->counts[i];
    return 2 * pow(GROWTH, (double)(s->first + i + BIN_BASE)) / (GROWTH + 1);
}

/* Snapshots. */

/* The bins from the first that is not empty to the last. */
struct stretch {
    unsigned first, count;
};

static struct stretch find_filled(const struct bs_sketch *s)
{
    unsigned first = 0, end = s->room;
    while (first < end && !s->counts[first])
        first++;
    while (first < end && !s->counts[end - 1])
        end--;
    return (struct stretch){s->first + first, end - first};
}

void bs_sketch_snapshot(struct bs_snapshot *s, struct bs_sketch *sketch)
{
    struct stretch at = find_filled(sketch);
    at.count = bs_snapshot_u32(s, at.count, BS_SKETCH_BINS);
    if (!at.count)
        return;
    at.first = bs_snapshot_u32(s, at.first, BS_SKETCH_BINS - at.count);
    bool loads = bs_snapshot_loads(s);
    if (loads && (!reach(sketch, at.first) || !reach(sketch, at.first + at.count - 1))) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    uint32_t *counts = sketch->counts + at.first - sketch->first;
    for (unsigned i = 0; i < at.count; i++) {
        counts[i] = bs_snapshot_u32(s, counts[i], UINT32_MAX);
        bs_snapshot_require(s, !loads || counts[i] <= UINT32_MAX - sketch->count);
        if (loads)
            sketch->count += counts[i];
    }
    bs_snapshot_require(s, counts[0] && counts[at.count - 1]);
}
