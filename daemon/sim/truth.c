/* The rules while a run goes on. Must never change what it looks at. */
#include "truth.h"

#include "backstep/base/check.h"
#include "history.h"
#include "log_places.h"
#include "outlet.h"
#include "snapshot_places.h"
#include "world.h"

/* A deadline is rounded up to 100 ms, and a loop that was busy comes a little later. */
enum { DEADLINE_LATE_MS = 400, MEMBERS_MAX = 1000000 };

void sim_truth_reset(struct sim_truth *t)
{
    *t = (struct sim_truth){0};
}

/* What power cuts take ------------------------------------------------------------------------- */

void sim_truth_note_end(struct sim_truth *t)
{
    if (t->unsynced_since_ns == 0)
        t->unsynced_since_ns = world->now_ns;
}

void sim_truth_note_cut(struct sim_truth *t)
{
    t->cut_pending = true;
    sim_truth_note_end(t);
}

void sim_truth_note_opened(struct sim_truth *t)
{
    t->cut_pending = false;
    t->unsynced_since_ns = 0;
}

void sim_truth_note_trouble(struct sim_truth *t, bool intake)
{
    if (intake)
        sim_truth_note_end(t);
}

void sim_truth_note_rescue(struct sim_truth *t, bool intake)
{
    if (intake)
        t->unsynced_since_ns = 0;
}

/* What a power cut may take: as long as the sync waits, and as it takes; its thread may be at
 * something else first, and that takes as long once or twice. */
static uint64_t may_be_lost_ns(void)
{
    const struct sim_settings *s = &world->settings;
    return s->journal_sync_ms * UINT64_C(1000000) +
           4 * (uint64_t)world->disk.sync_longest_us * 1000;
}

void sim_truth_note_lost(struct sim_truth *t, const struct sim_past_record *r)
{
    t->lost++;
    if (t->damaged)
        return;
    if (!t->cut_pending) {
        sim_violation("the intake lost the record at %llu, and no power was cut",
                      (unsigned long long)r->position);
        return;
    }
    if (r->appended_ns + may_be_lost_ns() < t->unsynced_since_ns)
        sim_violation("a power cut took the record at %llu, which had been there for %.3f s when "
                      "syncing ended",
                      (unsigned long long)r->position,
                      (double)(t->unsynced_since_ns - r->appended_ns) / 1e9);
}

/* Release and sending -------------------------------------------------------------------------- */

void sim_truth_check_release(struct sim_truth *t, uint64_t position)
{
    uint64_t positions[16];
    size_t count = sim_snapshots_durable(positions, 16);
    t->released = position > t->released ? position : t->released;
    if (count < 2 || position > positions[1])
        sim_violation("the intake is released up to %llu, but the older snapshot is of %llu",
                      (unsigned long long)position,
                      (unsigned long long)(count < 2 ? 0 : positions[1]));
    if (position > world->process.folded)
        sim_violation("the intake is released up to %llu, but folded up to %llu",
                      (unsigned long long)position, (unsigned long long)world->process.folded);
}

void sim_truth_check_commit(struct sim_truth *t, uint64_t intake, uint64_t outbox)
{
    uint64_t synced = bs_log_synced(world->process.intake);
    (void)t;
    if (synced < intake)
        sim_violation("the snapshot at %llu may have its name, but the intake is synced up to %llu",
                      (unsigned long long)intake, (unsigned long long)synced);
    synced = bs_log_synced(world->process.outbox);
    if (synced < outbox)
        sim_violation("the snapshot at %llu knows rows up to %llu, but the outbox is synced up to "
                      "%llu",
                      (unsigned long long)intake, (unsigned long long)outbox,
                      (unsigned long long)synced);
}

/* Should the process die before the answer, the next one must know of the transfer. */
static void check_mark(uint64_t from)
{
    uint64_t mark = sim_log_mark(world->process.outbox, BS_OUTLET_UNRESOLVED);
    if (mark == 0 || mark - 1 > from)
        sim_violation("rows from %llu on leave, and the marks know of %s", (unsigned long long)from,
                      mark ? "later ones only" : "no transfer");
}

void sim_truth_check_post(struct sim_truth *t, uint64_t from, uint64_t until)
{
    uint64_t origin = sim_history_highest_origin(&world->history, from, until);
    uint64_t synced = bs_log_synced(world->process.intake);
    (void)t;
    check_mark(from);
    if (origin >= synced)
        sim_violation("a row of the record at %llu leaves, and the intake is synced up to %llu",
                      (unsigned long long)origin, (unsigned long long)synced);
}

/* While it is folded --------------------------------------------------------------------------- */

static void check_log(const struct bs_log *log, const char *name)
{
    /* A rescue's copy is a segment more, for a while. */
    if (log && bs_log_bytes(log) > sim_log_max_bytes(log) * 2)
        sim_violation("the %s takes %llu bytes of %llu", name,
                      (unsigned long long)bs_log_bytes(log),
                      (unsigned long long)sim_log_max_bytes(log));
}

void sim_truth_check_fold(struct sim_truth *t)
{
    const struct sim_process *p = &world->process;
    (void)t;
    if (!bs_books_balance(&p->books))
        sim_violation("the books do not balance behind the record before %llu",
                      (unsigned long long)p->folded);
    if (p->held.members > MEMBERS_MAX)
        sim_violation("%u members are held", p->held.members);
    check_log(p->intake, "intake");
    check_log(p->outbox, "outbox");
}

void sim_truth_check_rest(struct sim_truth *t)
{
    const struct sim_process *p = &world->process;
    (void)t;
    if (!p->engine || !p->clock || !p->mqtt || !p->ready || p->stopping || p->reloading ||
        !p->intake || !p->outbox || !sim_log_rests(p->intake) ||
        bs_log_condition(p->intake).trouble != BS_LOG_WELL)
        return;
    int64_t due_ms = bs_engine_deadline(p->engine).ms, now_ms = bs_clock_tick(p->clock).ms;
    if (due_ms != BS_NEVER_MS && due_ms + DEADLINE_LATE_MS < now_ms)
        sim_violation("the engine waited for %lld, and it is %lld now", (long long)due_ms,
                      (long long)now_ms);
}
