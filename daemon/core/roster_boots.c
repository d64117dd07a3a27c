/* A device's boots: found, made, forgotten. Must never forget one whose steps may be accepted
 * again.
 */
#include "roster_parts.h"

#include <stdlib.h>

#define BOOT_KEPT_MS    (10 * INT64_C(60000))
#define UP_BOOT_KEPT_MS (24 * INT64_C(3600000))

static void free_boot(struct bs_boot *b)
{
    bs_seen_fini(&b->seen);
    free(b->upclock);
    free(b);
}

void bs_device_free_boots(struct bs_device *d)
{
    for (struct bs_boot *b = d->boots, *next; b; b = next) {
        next = b->next;
        free_boot(b);
    }
    d->boots = NULL;
}

/* A live step whose acknowledgement was lost may come again as stored: it must be too late as both.
 */
static bool boot_expired(const struct bs_boot *b, const struct bs_windows *windows,
                         struct bs_tick_ms now)
{
    if (now.ms - b->last_heard.ms < (b->uses_up ? UP_BOOT_KEPT_MS : BOOT_KEPT_MS))
        return false;
    return !b->accepted || (bs_windows_too_late(windows, b->latest_accepted, false) &&
                            bs_windows_too_late(windows, b->latest_accepted, true));
}

void bs_device_forget_boots(struct bs_device *d, const struct bs_windows *windows,
                            struct bs_tick_ms now)
{
    for (struct bs_boot **link = &d->boots; *link;) {
        struct bs_boot *b = *link;
        if (!boot_expired(b, windows, now)) {
            link = &b->next;
            continue;
        }
        *link = b->next;
        d->boot_count--;
        free_boot(b);
    }
}

static struct bs_boot *take_known_boot(struct bs_device *d, uint32_t id)
{
    for (struct bs_boot **link = &d->boots; *link; link = &(*link)->next)
        if ((*link)->id == id) {
            struct bs_boot *b = *link;
            *link = b->next;
            return b;
        }
    return NULL;
}

static struct bs_boot *make_boot(struct bs_device *d, uint32_t id, const struct bs_windows *windows,
                                 struct bs_tick_ms now)
{
    if (d->boot_count == BS_BOOTS_MAX)
        bs_device_forget_boots(d, windows, now);
    struct bs_boot *b = d->boot_count < BS_BOOTS_MAX ? malloc(sizeof *b) : NULL;
    if (!b)
        return NULL;
    b->id = id;
    b->uses_up = false;
    b->accepted = false;
    b->latest_accepted = 0;
    b->upclock = NULL;
    bs_seen_init(&b->seen);
    d->boot_count++;
    return b;
}

struct bs_boot *bs_device_boot(struct bs_device *d, uint32_t id, bool uses_up,
                               const struct bs_windows *windows, struct bs_tick_ms now)
{
    struct bs_boot *b = take_known_boot(d, id);
    if (!b)
        b = make_boot(d, id, windows, now);
    if (!b)
        return NULL;
    b->next = d->boots;
    d->boots = b;
    b->last_heard = now;
    b->uses_up = b->uses_up || uses_up;
    d->last_heard = now;
    return b;
}
