/* Snapshots of the running fold: which one a start goes on from, when the next is taken, and what
 * of the intake nobody needs any more then. Must never let an intake record go that the older of
 * the kept ones does not know. */
#include "runtime.h"
#include "runtime_parts.h"

#include "backstep/base/check.h"
#include "backstep/core/snapshot_frame.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS         UINT64_C(1000000000)
#define DUE_BYTES         (UINT64_C(64) << 20)
#define LOOK_MS           1000
#define SYNCED_LOOK_MS    50
#define AGAIN_NS          (10 * SECOND_NS)
#define LAST_ONE_WAITS_NS (5 * SECOND_NS)

static struct bs_engine_options engine_options(const struct bs_runtime *rt)
{
    return (struct bs_engine_options){.topic_root = bs_slice_text(rt->conf->mqtt.topic_root),
                                      .site = bs_slice_text(rt->conf->site.id)};
}

/* Called in a process of its own: it sees the state as it was when the snapshot was begun. */
static enum bs_status save(void *context, const struct bs_sink *sink)
{
    struct bs_runtime *rt = context;
    struct bs_snapshot_frame frame = {.intake = rt->fold.folded,
                                      .outbox = bs_log_head(rt->outbox),
                                      .tick = rt->fold.folded_tick,
                                      .has_start = rt->fold.has_start,
                                      .start_tick = rt->fold.start_tick,
                                      .start = rt->fold.start};
    struct bs_snapshot_framer framer;
    if (!bs_snapshot_frame_begin(&framer, &frame, sink))
        return BS_IO;
    enum bs_status status = bs_engine_save(rt->engine, &framer.inner);
    if (status == BS_OK && !bs_snapshot_frame_end(&framer))
        status = BS_IO;
    return status;
}

/* The start. */

static void report_restored(const struct bs_runtime *rt, uint64_t position, uint64_t began_ns)
{
    struct bs_engine_held held;
    bs_engine_get_held(rt->engine, &held);
    bs_report(BS_LOG_INFO, "took up the snapshot at %llu, members %u, devices %u, in %.3f s",
              (unsigned long long)position, held.members, held.devices,
              (double)(bs_clock_mono().ns - began_ns) / 1e9);
}

static void report_gaps(const struct bs_runtime *rt, const struct bs_snapshot_frame *frame)
{
    uint64_t first = bs_log_first(rt->intake), head = bs_log_head(rt->intake);
    uint64_t rows = bs_log_head(rt->outbox);
    if (frame->intake < first)
        bs_report(BS_LOG_WARNING, "the intake begins %llu bytes behind the snapshot",
                  (unsigned long long)(first - frame->intake));
    if (frame->intake > head)
        bs_report(BS_LOG_WARNING, "the snapshot knows %llu bytes of the intake that are gone",
                  (unsigned long long)(frame->intake - head));
    if (frame->outbox > rows)
        bs_report(BS_LOG_ERROR,
                  "the outbox has lost %llu bytes that the snapshot knows: final rows of them that "
                  "were not delivered are lost",
                  (unsigned long long)(frame->outbox - rows));
}

static enum bs_status go_on_from(struct bs_runtime *rt, const struct bs_snapshot_frame *frame)
{
    report_gaps(rt, frame);
    rt->fold.folded = frame->intake;
    rt->fold.folded_tick = frame->tick;
    rt->fold.has_start = frame->has_start;
    rt->fold.start_tick = frame->start_tick;
    rt->fold.start = frame->start;
    return bs_log_continue_at(rt->intake, frame->intake);
}

/* BS_CORRUPT: it is of no use, ever; BS_NOT_FOUND: the outbox lacks rows that it takes for written,
 * which is no matter where they may be `lost`; BS_REFUSED: a state that is whole, and not for us.
 */
static enum bs_status try_content(struct bs_runtime *rt, uint64_t position, struct bs_slice file,
                                  bool lost, const char **ret_why)
{
    struct bs_snapshot_frame frame = {0};
    struct bs_slice state;
    struct bs_engine_options options = engine_options(rt);
    enum bs_status status = bs_snapshot_frame_read(file, &frame, &state);
    *ret_why = "it is damaged";
    if (status == BS_INVALID) {
        *ret_why = "it is of another version of backstepd";
        return BS_REFUSED;
    }
    if (status != BS_OK || frame.intake != position || position % 8 != 0)
        return BS_CORRUPT;
    if (frame.outbox > bs_log_head(rt->outbox) && !lost)
        return BS_NOT_FOUND;
    status = bs_engine_load(&rt->engine, &options, state, frame.format);
    *ret_why = status == BS_REFUSED   ? "it is of another site or topic_root"
               : status == BS_CORRUPT ? "its state cannot be"
                                      : bs_status_text(status);
    return status == BS_OK ? go_on_from(rt, &frame) : status;
}

static enum bs_status try_file(struct bs_runtime *rt, uint64_t position, bool lost,
                               const char **ret_why)
{
    struct bs_slice file;
    int error = 0;
    enum bs_status status = bs_snapshot_files_read(rt->snapshots.files, position, &file, &error);
    if (status == BS_OK) {
        status = try_content(rt, position, file, lost, ret_why);
        bs_snapshot_files_put_down(rt->snapshots.files);
        return status;
    }
    *ret_why = error ? strerror(error) : bs_status_text(status);
    return status == BS_IO ? BS_CORRUPT : status;
}

static void set_aside(struct bs_runtime *rt, uint64_t position, const char *why)
{
    bs_report(BS_LOG_WARNING, "the snapshot at %llu is set aside: %s", (unsigned long long)position,
              why);
    bs_snapshot_files_set_aside(rt->snapshots.files, position);
}

/* As try_content. What somebody can mend ends the start (any other status): to begin without a
 * state that is there would cost it, since the log before it is gone. */
static enum bs_status take_up(struct bs_runtime *rt, uint64_t position, bool lost)
{
    uint64_t began = bs_clock_mono().ns;
    const char *why = "";
    enum bs_status status = try_file(rt, position, lost, &why);
    if (status == BS_OK)
        report_restored(rt, position, began);
    else if (status == BS_CORRUPT)
        set_aside(rt, position, why);
    else if (status != BS_NOT_FOUND)
        bs_report(BS_LOG_ERROR, "the snapshot at %llu in %s cannot be taken up: %s",
                  (unsigned long long)position, rt->conf->journal.directory, why);
    return status;
}

static enum bs_status begin_anew(struct bs_runtime *rt)
{
    struct bs_engine_options options = engine_options(rt);
    uint64_t first = bs_log_first(rt->intake);
    if (first > 0)
        bs_report(BS_LOG_ERROR,
                  "no snapshot knows the %llu bytes before the intake's begin: documents, marks of "
                  "counted steps and open rows of that time are lost",
                  (unsigned long long)first);
    return bs_engine_new(&rt->engine, &options);
}

/* The newest that can be used; BS_NOT_FOUND where there is none. */
static enum bs_status take_up_one(struct bs_runtime *rt, const uint64_t *positions, size_t count,
                                  bool lost)
{
    enum bs_status status = BS_NOT_FOUND;
    for (size_t i = 0; i < count && (status == BS_NOT_FOUND || status == BS_CORRUPT); i++)
        status = take_up(rt, positions[i], lost);
    return status == BS_CORRUPT ? BS_NOT_FOUND : status;
}

/* Those newer than the one that is used tell of another course of things. */
static void set_lacking_aside(struct bs_runtime *rt, uint64_t used)
{
    uint64_t positions[BS_SNAPSHOT_FILES_MAX];
    size_t count = bs_snapshot_files_list(rt->snapshots.files, positions);
    for (size_t i = 0; i < count && positions[i] > used; i++)
        set_aside(rt, positions[i], "the outbox has lost rows that it knows");
}

/* One that knows rows which the outbox has lost is passed over: the fold says them again, from an
 * older one on or from the log's begin. Where neither is there, the state is worth more than they
 * are. */
enum bs_status bs_runtime_restore(struct bs_runtime *rt)
{
    uint64_t positions[BS_SNAPSHOT_FILES_MAX];
    size_t count = bs_snapshot_files_list(rt->snapshots.files, positions);
    enum bs_status status = take_up_one(rt, positions, count, false);
    if (status == BS_NOT_FOUND && bs_log_first(rt->intake) > 0) {
        count = bs_snapshot_files_list(rt->snapshots.files, positions);
        status = take_up_one(rt, positions, count, true);
    }
    if (status == BS_OK || status == BS_NOT_FOUND)
        set_lacking_aside(rt, rt->fold.folded);
    return status == BS_NOT_FOUND ? begin_anew(rt) : status;
}

/* Those that are there now are kept ones: what lies before the older is released. */
static void follow_kept(struct bs_runtime *rt)
{
    uint64_t positions[BS_SNAPSHOT_FILES_MAX];
    size_t count = bs_snapshot_files_list(rt->snapshots.files, positions);
    rt->snapshots.newest = count ? positions[0] : 0;
    if (count >= BS_SNAPSHOT_FILES_KEPT && positions[count - 1] <= rt->fold.folded)
        bs_log_release(rt->intake, positions[count - 1]);
}

/* Taking one. */

static void note_trouble(struct bs_runtime *rt, enum bs_status status, int error)
{
    struct bs_runtime_snapshots *s = &rt->snapshots;
    s->trouble = status;
    s->error = error;
    s->again_ns = status == BS_OK ? 0 : bs_clock_mono().ns + AGAIN_NS;
    bs_runtime_look_around(rt);
}

static void on_end(void *context, enum bs_status status, int error)
{
    struct bs_runtime *rt = context;
    rt->snapshots.under_way = false;
    if (status == BS_OK)
        follow_kept(rt);
    note_trouble(rt, status, error);
    /* While the daemon stops, its timer is for the last one, and may not run before its time. */
    if (!atomic_load(&rt->stopping))
        uv_timer_start(&rt->timers[BS_TIMER_SNAPSHOT], bs_runtime_on_timer, LOOK_MS, LOOK_MS);
}

static bool is_at_bound(const struct bs_runtime *rt)
{
    return bs_log_condition(rt->intake).trouble == BS_LOG_AT_BOUND;
}

/* Rows that wait in memory are in neither the outbox nor the state. Answers that the broker has not
 * got are said again only by a fold of their documents; but from a full intake they keep us away
 * from the very broker that should get them, and it hands its documents over again when we are
 * back. */
static bool is_whole(const struct bs_runtime *rt)
{
    struct bs_mqtt_state mqtt;
    bs_mqtt_get_state(rt->mqtt, &mqtt);
    return !rt->fold.backlog && rt->reload == BS_RELOAD_NONE &&
           (mqtt.patient == 0 || is_at_bound(rt));
}

/* An intake at its bound takes nothing until two snapshots have come: they are not put off then. */
static bool is_due(const struct bs_runtime *rt, uint64_t now_ns)
{
    const struct bs_runtime_snapshots *s = &rt->snapshots;
    uint64_t news = rt->fold.folded - s->newest;
    uint64_t pause_ns = is_at_bound(rt) ? SECOND_NS : rt->conf->journal.snapshot_s * SECOND_NS;
    bool soon = now_ns >= s->begun_ns + pause_ns;
    return news > 0 && now_ns >= s->again_ns && (soon || news >= DUE_BYTES);
}

static bool is_synced(const struct bs_runtime *rt, uint64_t intake, uint64_t outbox)
{
    return bs_log_synced(rt->intake) >= intake && bs_log_synced(rt->outbox) >= outbox;
}

static void begin(struct bs_runtime *rt, uint64_t now_ns)
{
    struct bs_runtime_snapshots *s = &rt->snapshots;
    int error = 0;
    enum bs_status status = bs_snapshot_files_begin(s->files, rt->fold.folded, &error);
    bs_runtime_note_turn(rt, now_ns);
    if (status != BS_OK) {
        note_trouble(rt, status, error);
        return;
    }
    s->under_way = true;
    s->committed = false;
    s->begun_ns = now_ns;
    s->intake = rt->fold.folded;
    s->outbox = bs_log_head(rt->outbox);
    uv_timer_start(&rt->timers[BS_TIMER_SNAPSHOT], bs_runtime_on_timer, SYNCED_LOOK_MS,
                   SYNCED_LOOK_MS);
}

static void write_last(struct bs_runtime *rt)
{
    int error = 0;
    enum bs_status status = bs_snapshot_files_write(rt->snapshots.files, rt->fold.folded, &error);
    if (status != BS_OK)
        bs_report(BS_LOG_WARNING, "no snapshot at the end, the next start folds more: %s",
                  error ? strerror(error) : bs_status_text(status));
}

static void take_last(struct bs_runtime *rt)
{
    struct bs_runtime_snapshots *s = &rt->snapshots;
    bool synced = is_synced(rt, rt->fold.folded, bs_log_head(rt->outbox));
    if (!synced && bs_clock_mono().ns < s->give_up_ns)
        return;
    if (!synced || rt->fold.backlog)
        bs_report(BS_LOG_WARNING, "no snapshot at the end, the next start folds more: %s",
                  rt->fold.backlog ? "rows wait that the outbox does not take"
                                   : "the logs are not synced");
    else if (s->newest != rt->fold.folded && s->answered)
        write_last(rt);
    uv_timer_stop(&rt->timers[BS_TIMER_SNAPSHOT]);
    uv_stop(&rt->loop);
}

/* A full intake lets go of what the older snapshot knows. Where the newest knows everything there
 * is no next one: a tick makes one, out of the reserve. */
static void make_news(struct bs_runtime *rt)
{
    if (rt->snapshots.newest == bs_log_head(rt->intake) && is_at_bound(rt))
        bs_log_append(rt->intake, BS_RECORD_TICK, 0, NULL, 0, NULL);
}

void bs_runtime_look_at_snapshots(struct bs_runtime *rt)
{
    struct bs_runtime_snapshots *s = &rt->snapshots;
    uint64_t now = bs_clock_mono().ns;
    if (atomic_load(&rt->stopping)) {
        take_last(rt);
    } else if (!s->under_way) {
        make_news(rt);
        if (is_due(rt, now) && is_whole(rt))
            begin(rt, now);
    } else if (!s->committed && is_synced(rt, s->intake, s->outbox)) {
        s->committed = true;
        bs_snapshot_files_commit(s->files);
    }
}

/* Life. */

enum bs_status bs_runtime_open_snapshots(struct bs_runtime *rt)
{
    char error[512];
    struct bs_snapshot_file_options options = {.loop = &rt->loop,
                                               .directory = rt->conf->journal.directory,
                                               .save = save,
                                               .on_end = on_end,
                                               .context = rt};
    enum bs_status status =
        bs_snapshot_files_open(&rt->snapshots.files, &options, error, sizeof error);
    if (status != BS_OK)
        bs_report(BS_LOG_ERROR, "%s", error);
    return status;
}

void bs_runtime_start_snapshots(struct bs_runtime *rt)
{
    rt->snapshots.begun_ns = bs_clock_mono().ns;
    follow_kept(rt);
    uv_timer_start(&rt->timers[BS_TIMER_SNAPSHOT], bs_runtime_on_timer, LOOK_MS, LOOK_MS);
}

void bs_runtime_note_answered(struct bs_runtime *rt)
{
    struct bs_mqtt_state mqtt = {0};
    if (rt->mqtt)
        bs_mqtt_get_state(rt->mqtt, &mqtt);
    rt->snapshots.answered = mqtt.patient == 0;
}

/* The loop has nothing else to do but wait for the logs' syncs. */
void bs_runtime_end_with_snapshot(struct bs_runtime *rt)
{
    rt->snapshots.give_up_ns = bs_clock_mono().ns + LAST_ONE_WAITS_NS;
    uv_timer_start(&rt->timers[BS_TIMER_SNAPSHOT], bs_runtime_on_timer, 0, SYNCED_LOOK_MS);
}
