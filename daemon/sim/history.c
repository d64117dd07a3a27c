/* The past of both logs. Must never be asked by the daemon. */
#include "history.h"

#include "backstep/base/check.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_BYTES_MAX ((size_t)1 << 32)

/* Of a record and of its rows: what stands before its lines. */
/* After answers for so long everything is sent once more. */
#define RESOLVED_NS       UINT64_C(10000000000)

#define HEADS_BYTES       (32 + BS_POINTS_HEAD_BYTES)

void sim_history_reset(struct sim_history *h)
{
    h->count = h->points_first = h->points_count = 0;
    h->stale = h->dropped = h->dropped_used = h->letters = h->expired = 0;
    if (!h->bytes.max)
        bs_buffer_init(&h->bytes, HISTORY_BYTES_MAX);
    bs_buffer_reset(&h->bytes);
}

void sim_history_fini(struct sim_history *h)
{
    free(h->records);
    free(h->points);
    bs_buffer_fini(&h->bytes);
}

void sim_history_add(struct sim_history *h, const struct bs_record *r, uint32_t message)
{
    if (h->count == h->room) {
        h->room = h->room ? 2 * h->room : 4096;
        h->records = realloc(h->records, h->room * sizeof *h->records);
        bs_check(h->records);
    }
    h->records[h->count++] = (struct sim_past_record){
        .position = r->position,
        .next = r->next,
        .appended_ns = world->now_ns,
        .tick_ms = r->tick.ms,
        .type = r->type,
        .flags = r->flags,
        .message = message,
        .length = (uint32_t)r->body.length,
        .body = h->bytes.length,
    };
    if (r->body.length > 0)
        bs_buffer_add(&h->bytes, r->body);
    bs_check(!h->bytes.failed);
}

struct bs_record sim_history_record(const struct sim_history *h, size_t index)
{
    const struct sim_past_record *p = &h->records[index];
    return (struct bs_record){
        .position = p->position,
        .next = p->next,
        .tick = {p->tick_ms},
        .type = p->type,
        .flags = p->flags,
        .body = bs_slice_of(h->bytes.at + p->body, p->length),
    };
}

static bool is_same(const struct bs_record *a, const struct bs_record *b)
{
    return a->position == b->position && a->tick.ms == b->tick.ms && a->type == b->type &&
           a->flags == b->flags && bs_slice_equal(a->body, b->body);
}

void sim_history_recover(struct sim_history *h, uint64_t first,
                         bool (*read)(void *context, struct bs_record *ret), void *context)
{
    struct bs_record found;
    bool any = read(context, &found);
    for (size_t i = 0; i < h->count; i++) {
        if (h->records[i].position < first || h->records[i].lost ||
            h->records[i].next <= world->truth.released)
            continue;
        while (any && found.position < h->records[i].position)
            any = read(context, &found);
        struct bs_record past = sim_history_record(h, i);
        if (!any || !is_same(&past, &found)) {
            h->records[i].lost = true;
            h->records[i].lost_at = world->process.starts;
            sim_truth_note_lost(&world->truth, &h->records[i]);
        }
    }
}

/* Those that were lost at an earlier start are not in it. */
void sim_history_trust(struct sim_history *h, uint64_t position)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->records[i].lost && h->records[i].lost_at == world->process.starts &&
            h->records[i].position < position)
            h->records[i].lost = false;
}

/* The outbox ---------------------------------------------------------------------------------- */

void sim_history_add_points(struct sim_history *h, const struct bs_record *r)
{
    struct bs_points_body body;
    if (bs_points_body_read(r->body, &body) != BS_OK)
        return;
    if (h->points_count == h->points_room) {
        h->points_room = h->points_room ? 2 * h->points_room : 4096;
        h->points = realloc(h->points, h->points_room * sizeof *h->points);
        bs_check(h->points);
    }
    uint64_t lines = r->position + HEADS_BYTES;
    h->points[h->points_count++] = (struct sim_past_points){
        .position = r->position,
        .next = r->next,
        .origin = body.origin,
        .settled = lines,
        .lines_end = lines + body.lines.length,
        .points = body.points,
    };
}

void sim_history_cut_points(struct sim_history *h, uint64_t position)
{
    while (h->points_count > h->points_first && h->points[h->points_count - 1].position >= position)
        h->points_count--;
}

/* The first record that ends behind the position. */
static size_t find_points(const struct sim_history *h, uint64_t position)
{
    size_t low = h->points_first, high = h->points_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (h->points[middle].next > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void sim_history_settle(struct sim_history *h, uint64_t from, uint64_t until)
{
    for (size_t i = find_points(h, from); i < h->points_count; i++) {
        struct sim_past_points *p = &h->points[i];
        if (p->position >= until)
            break;
        uint64_t end = until < p->lines_end ? until : p->lines_end;
        if (p->unresolved_ns + RESOLVED_NS <= world->now_ns)
            p->unresolved_ns = 0;
        if (from <= p->settled && end > p->settled)
            p->settled = end;
    }
}

void sim_history_unsettle(struct sim_history *h, uint64_t from, uint64_t until)
{
    for (size_t i = find_points(h, from); i < h->points_count && h->points[i].position < until; i++)
        h->points[i].unresolved_ns = world->now_ns;
}

void sim_history_doubt(struct sim_history *h)
{
    for (size_t i = h->points_first; i < h->points_count; i++)
        h->stale += h->points[i].unresolved_ns > 0 ? h->points[i].points : 0;
}

uint64_t sim_history_highest_origin(const struct sim_history *h, uint64_t from, uint64_t until)
{
    uint64_t highest = 0;
    for (size_t i = find_points(h, from); i < h->points_count && h->points[i].position < until; i++)
        highest = h->points[i].origin > highest ? h->points[i].origin : highest;
    return highest;
}

void sim_history_release_points(struct sim_history *h, uint64_t position, bool at_bound)
{
    uint64_t unsettled = 0, where = 0;
    for (; h->points_first < h->points_count && h->points[h->points_first].next <= position;
         h->points_first++) {
        const struct sim_past_points *p = &h->points[h->points_first];
        h->stale += at_bound && p->unresolved_ns > 0 ? p->points : 0;
        if (p->settled >= p->lines_end)
            continue;
        where = unsettled == 0 ? p->position : where;
        unsettled += p->points;
    }
    if (unsettled > h->dropped - h->dropped_used)
        sim_violation(
            "the outbox is released up to %llu, but %llu points from %llu on were neither "
            "delivered nor counted as dropped (%llu were)",
            (unsigned long long)position, (unsigned long long)unsettled, (unsigned long long)where,
            (unsigned long long)(h->dropped - h->dropped_used));
    h->dropped_used += unsettled;
}
