/* The log's own thread as events: it looks what is to be done, does the first of it for as long as
 * the disk takes, and looks again. Must never count a byte as synced because a later sync of the
 * same file succeeded. */
#include "backstep/base/check.h"
#include "log_parts.h"
#include "world.h"

#define MS_NS      UINT64_C(1000000)
#define FAILING_NS (60000 * MS_NS)
#define TRIAL_MS   1000
#define TRIAL_MOST 30

static bool can_go(const struct bs_log *log, const struct log_segment *s)
{
    return s != log->current && s != log->unsynced && s != log->reader_in &&
           s->next->first <= log->release_to && s->end <= log->release_to;
}

static bool can_retired_go(const struct bs_log *log)
{
    const struct log_segment *s = log->retired;
    return s && s != log->reader_in && s->end <= log->release_to;
}

static bool is_later(uint64_t due_ns, uint64_t *ret_next_ns)
{
    if (due_ns <= world->now_ns)
        return false;
    if (due_ns < *ret_next_ns)
        *ret_next_ns = due_ns;
    return true;
}

static bool is_sync_due(struct bs_log *log, uint64_t *ret_next_ns)
{
    if (log->sync_error)
        return false;
    if (!log->records_dirty && (!log->marks_dirty || is_later(log->marks_due_ns, ret_next_ns)))
        return false;
    if (log->sync_due_ns == LOG_NEVER_NS)
        log->sync_due_ns = sim_in_ms(log->options.sync_ms);
    return !is_later(log->sync_due_ns, ret_next_ns);
}

static enum log_duty look(struct bs_log *log, uint64_t *ret_next_ns)
{
    if (log->watching && log->synced >= log->watch)
        return LOG_REPORT;
    if (log->sync_error && !log->on_trial && !is_later(log->rescue_due_ns, ret_next_ns))
        return LOG_RESCUE;
    if (log->on_trial && !is_later(log->trial_due_ns, ret_next_ns))
        return LOG_TRIAL;
    if (can_go(log, log->oldest) || can_retired_go(log))
        return LOG_RELEASE;
    if (!log->current->next && !is_later(log->spare_due_ns, ret_next_ns))
        return LOG_SPARE;
    return is_sync_due(log, ret_next_ns) ? LOG_SYNC : LOG_IDLE;
}

/* Duties ------------------------------------------------------------------------------------- */

static void begin_sync(struct bs_log *log)
{
    log->sync_due_ns = LOG_NEVER_NS;
    log->sync_end = log->unsynced->end;
    if (log->unsynced == log->current)
        log->records_dirty = false;
}

/* One failure is made good, and that is all; one that comes again within a minute is a disk's that
 * must show first that it is sound. */
static void note_failure(struct bs_log *log)
{
    uint64_t first_ns = (log->options.trial_ms ? log->options.trial_ms : TRIAL_MS) * MS_NS;
    uint64_t longer_ns = 2 * log->trial_wait_ns;
    bool again = log->failed_ns > 0 && world->now_ns - log->failed_ns < FAILING_NS;
    longer_ns = longer_ns < first_ns ? first_ns : longer_ns;
    longer_ns = longer_ns > TRIAL_MOST * first_ns ? TRIAL_MOST * first_ns : longer_ns;
    log->trial_wait_ns = again ? longer_ns : 0;
    log->trial_due_ns = world->now_ns + log->trial_wait_ns;
    log->failed_ns = world->now_ns;
}

static void note_sync_failure(struct bs_log *log, int error)
{
    sim_trace("%s: a sync failed: error %d", log->options.name, error);
    sim_truth_note_trouble(&world->truth, log->is_intake);
    note_failure(log);
    log->sync_error = error;
    log->rescue_due_ns = 0;
    log_judge(log);
}

static void end_sync(struct bs_log *log)
{
    struct log_segment *s = log->unsynced;
    bool closed = s != log->current;
    int error = log->sync_end > log->synced ? sim_disk_sync(s->file) : 0;
    if (error) {
        note_sync_failure(log, error);
        return;
    }
    if (log->sync_end > log->synced)
        log->synced = log->sync_end;
    if (closed && log->sync_end == s->end) {
        log->unsynced = s->next;
        log->sync_due_ns = 0;
        log->records_dirty = true;
    } else if (closed) {
        log->sync_due_ns = 0; /* records came while it was synced, and then the next segment */
        log->records_dirty = true;
    } else {
        log_sync_marks(log);
    }
}

static void delete_released(struct bs_log *log)
{
    while (can_retired_go(log)) {
        struct log_segment *s = log->retired;
        log->retired = s->retired_next;
        log->bytes -= s->bytes;
        log_segment_free(log, s, false);
    }
    while (can_go(log, log->oldest)) {
        struct log_segment *s = log->oldest;
        log->oldest = s->next;
        log->bytes -= s->bytes;
        sim_trace("%s: segment %llu is deleted", log->options.name, (unsigned long long)s->first);
        log_segment_free(log, s, true);
    }
    sim_disk_sync_folder();
    log->spare_due_ns = 0;
}

static void provide_spare(struct bs_log *log)
{
    struct log_segment *spare = NULL;
    log->at_bound = log_is_at_bound(log);
    log->spare_error = log->at_bound ? 0
                                     : log_segment_make(log, log_limit(log->current),
                                                        log->options.segment_bytes, &spare);
    if (spare) {
        log->current->next = spare;
        log->bytes += spare->bytes;
    } else {
        log->spare_due_ns = sim_in_ms(LOG_RETRY_MS);
    }
    log_judge(log);
}

/* Rescue: what the failed sync was to write is copied from memory into a segment of its own, which
 * cuts the old one short: a segment ends where the next one's positions begin. */

static void splice(struct bs_log *log, struct log_segment *s, struct log_segment *copy)
{
    copy->next = s->next;
    if (copy->first == s->first) {
        struct log_segment **at = &log->oldest;
        while (*at != s)
            at = &(*at)->next;
        *at = copy;
        s->retired_next = log->retired;
        log->retired = s;
    }
    s->next = copy;
    if (log->current == s)
        log->current = copy;
    log->unsynced = copy;
    log->bytes += copy->bytes;
}

static void rescue(struct bs_log *log)
{
    struct log_segment *s = log->unsynced, *copy;
    uint64_t from = log->synced > s->first ? log->synced : s->first;
    int error = log_segment_copy(log, s, from, &copy);
    if (error) {
        log->rescue_failed = true;
        log->rescue_due_ns = sim_in_ms(LOG_RETRY_MS);
        return;
    }
    splice(log, s, copy);
    sim_trace("%s: what was not synced is safe in segment %llu", log->options.name,
              (unsigned long long)copy->first);
    log->on_trial = log->trial_wait_ns > 0;
    if (!log->on_trial)
        log->sync_error = 0;
    log->rescue_failed = false;
    log->synced = copy->end;
    log->records_dirty = true;
    log->sync_due_ns = 0;
    log_judge(log);
    sim_truth_note_rescue(&world->truth, log->is_intake);
}

static void try_disk(struct bs_log *log)
{
    int error = log_segment_try(log);
    if (error) {
        note_failure(log);
        return;
    }
    log->on_trial = false;
    log->sync_error = 0;
    log_judge(log);
}

/* The course --------------------------------------------------------------------------------- */

static void finish(struct bs_log *log, enum log_duty duty)
{
    switch (duty) {
    case LOG_REPORT:
        log->watching = false;
        log->options.on_change(log->options.context);
        break;
    case LOG_RESCUE:
        rescue(log);
        break;
    case LOG_TRIAL:
        try_disk(log);
        break;
    case LOG_RELEASE:
        delete_released(log);
        break;
    case LOG_SPARE:
        provide_spare(log);
        break;
    case LOG_SYNC:
        end_sync(log);
        break;
    case LOG_IDLE:
        break;
    }
}

static void on_work(struct sim_event *event)
{
    struct bs_log *log = SIM_OWNER(event, struct bs_log, work);
    enum log_duty duty = log->doing;
    log->doing = LOG_IDLE;
    finish(log, duty);
    if (log->stopping)
        return;
    uint64_t next_ns = LOG_NEVER_NS;
    log->doing = look(log, &next_ns);
    if (log->doing == LOG_SYNC)
        begin_sync(log);
    if (log->doing == LOG_REPORT)
        next_ns = world->now_ns;
    else if (log->doing != LOG_IDLE)
        next_ns = world->now_ns + sim_disk_sync_ns();
    if (next_ns != LOG_NEVER_NS)
        sim_events_set(&world->events, &log->work, next_ns);
}

void log_wake(struct bs_log *log)
{
    if (log->doing == LOG_IDLE && !world->process.dead && !log->stopping)
        sim_events_set(&world->events, &log->work, world->now_ns);
}

void log_begin_thread(struct bs_log *log)
{
    log->work.fire = on_work;
    log->sync_due_ns = LOG_NEVER_NS;
    log->stopping = false;
    log_wake(log);
}

static bool is_idle(void *argument)
{
    return ((struct bs_log *)argument)->doing == LOG_IDLE;
}

void log_end_thread(struct bs_log *log)
{
    log->stopping = true;
    if (!world->process.dead)
        sim_block(is_idle, log);
    sim_events_cancel(&world->events, &log->work);
    log->doing = LOG_IDLE;
    if (world->process.dead)
        return;
    for (bool more = !log->sync_error; more;) {
        more = log->unsynced != log->current;
        log->sync_end = log->unsynced->end;
        end_sync(log);
        more = more && !log->sync_error;
    }
}
