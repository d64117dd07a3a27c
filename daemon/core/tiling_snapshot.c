/* The windows' sizes in a snapshot. Must never let one in that no settings give, or two out of
 * order. */
#include "backstep/core/settings.h"
#include "backstep/core/snapshot.h"
#include "backstep/core/tiling.h"

#define SIZE_MAX_MS (BS_SETTINGS_WINDOW_S_MAX * 1000)

void bs_tiling_snapshot(struct bs_snapshot *s, struct bs_tiling *t)
{
    t->count = (size_t)bs_snapshot_between(s, (int64_t)t->count, 1, BS_TILING_SIZES_MAX);
    for (size_t i = 0; i < t->count && !s->failed; i++) {
        int64_t *from = &t->sizes[i].from_ms;
        *from = bs_snapshot_time(s, *from);
        bs_snapshot_require(s, *from != INT64_MAX && (i == 0 || *from > t->sizes[i - 1].from_ms));
        t->sizes[i].size_ms = bs_snapshot_between(s, t->sizes[i].size_ms, 1, SIZE_MAX_MS);
    }
}
