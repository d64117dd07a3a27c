/* The start: open the logs, take up the newest snapshot, fold what stands in them, set the clock,
 * go live. Must never count before the intake is folded, nor read a clock for the engine while it
 * is. */
#include "runtime.h"
#include "runtime_parts.h"

#include "backstep/edge/notify.h"
#include "backstep/edge/process.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

#define MIB              (1024 * UINT64_C(1024))

/* Enough segments that one can be delivered from while another is filled and a third is ready. */
#define OUTBOX_SEGMENTS  16

#define PROGRESS_RECORDS 100000

/* Ten seconds for room in the outbox while the log is folded. */
#define ROOM_LOOK_NS     20000000
#define ROOM_LOOKS_MAX   500

/* Logs. */

static struct bs_tick_ms stamp(void *context)
{
    struct bs_runtime *rt = context;
    return bs_clock_tick(&rt->clock);
}

static void on_record(void *context)
{
    struct bs_runtime *rt = context;
    uv_async_send(&rt->wake);
}

static void on_log_change(void *context)
{
    struct bs_runtime *rt = context;
    atomic_store(&rt->look_around, true);
    uv_async_send(&rt->wake);
}

/* What may pass by itself is tried again by who starts us; what somebody must mend is not. */
static int exit_status_of(enum bs_status status)
{
    bool passes =
        status == BS_NO_SPACE || status == BS_IO || status == BS_NO_MEMORY || status == BS_FULL;
    return passes ? BS_EXIT_FAILED : BS_EXIT_CONFIG;
}

static int open_log(struct bs_runtime *rt, struct bs_log **ret, struct bs_log_options *options,
                    struct bs_tick_ms *ret_last_tick)
{
    options->directory = rt->conf->journal.directory;
    options->sync_ms = rt->conf->journal.sync_ms;
    options->stamp = stamp;
    options->on_change = on_log_change;
    options->context = rt;
    struct bs_log_recovery found;
    enum bs_status status = bs_log_open(ret, options, &found);
    if (status == BS_BUSY) {
        bs_report(BS_LOG_ERROR, "another backstepd (pid %d) holds %s", (int)found.holder,
                  options->directory);
        return BS_EXIT_BUSY;
    }
    if (status != BS_OK) {
        bs_report(BS_LOG_ERROR, "cannot open the %s in %s: %s", options->name, options->directory,
                  found.message[0] ? found.message : bs_status_text(status));
        return exit_status_of(status);
    }
    if (found.message[0])
        bs_report(BS_LOG_WARNING, "%s: %s", options->name, found.message);
    if (found.last_tick.ms > ret_last_tick->ms)
        *ret_last_tick = found.last_tick;
    return BS_EXIT_OK;
}

static int open_logs(struct bs_runtime *rt, struct bs_tick_ms *ret_last_tick)
{
    const struct bs_conf *c = rt->conf;
    struct bs_log_options intake = {
        .name = "intake",
        .segment_bytes = c->journal.segment_mb * MIB,
        .max_bytes = c->journal.max_mb * MIB,
        .reserve_bytes = c->mqtt.receive_maximum * UINT64_C(65536),
        .on_record = on_record,
    };
    struct bs_log_options outbox = {
        .name = "outbox",
        .segment_bytes = c->influxdb.outbox_max_mb * MIB / OUTBOX_SEGMENTS,
        .max_bytes = c->influxdb.outbox_max_mb * MIB,
    };
    int status = open_log(rt, &rt->intake, &intake, ret_last_tick);
    return status ? status : open_log(rt, &rt->outbox, &outbox, ret_last_tick);
}

/* The fold. */

static bool make_room(void *context)
{
    struct bs_runtime *rt = context;
    return bs_outlet_drop_oldest(rt->outlet);
}

/* Open rows matter while somebody looks; behind a segment of waiting rows nobody does, and the
 * closed row follows. */
static bool skip_open_rows(void *context)
{
    struct bs_runtime *rt = context;
    struct bs_outlet_state state;
    bs_outlet_get_state(rt->outlet, &state);
    return state.bytes + state.fresh_bytes >
           rt->conf->influxdb.outbox_max_mb * MIB / OUTBOX_SEGMENTS;
}

static void on_outlet_change(void *context)
{
    struct bs_runtime *rt = context;
    bs_runtime_look_around(rt);
    bs_runtime_tell(rt, rt->reason[0] ? "stalled" : "online");
}

static int start_fold(struct bs_runtime *rt)
{
    enum bs_status status = bs_runtime_open_snapshots(rt);
    if (status != BS_OK)
        return exit_status_of(status);
    status = bs_runtime_restore(rt);
    if (status == BS_REFUSED)
        return BS_EXIT_CONFIG; /* which was said */
    rt->fold.engine = rt->engine;
    rt->fold.intake = rt->intake;
    rt->fold.outbox = rt->outbox;
    rt->fold.make_room = make_room;
    rt->fold.skip_open_rows = skip_open_rows;
    rt->fold.publish = bs_runtime_take_publication;
    rt->fold.context = rt;
    if (status == BS_OK)
        status = bs_fold_init(&rt->fold);
    if (status != BS_OK) {
        bs_report(BS_LOG_ERROR, "cannot begin: %s", bs_status_text(status));
        return BS_EXIT_FAILED;
    }
    return BS_EXIT_OK;
}

int bs_runtime_start_outlet(struct bs_runtime *rt)
{
    char error[512];
    struct bs_outlet_options options = {.loop = &rt->loop,
                                        .outbox = rt->outbox,
                                        .intake = rt->intake,
                                        .conf = rt->conf,
                                        .jitter_seed = bs_clock_mono().ns,
                                        .on_change = on_outlet_change,
                                        .context = rt};
    enum bs_status status = bs_outlet_new(&rt->outlet, &options, error, sizeof error);
    if (status == BS_OK)
        return BS_EXIT_OK;
    bs_report(BS_LOG_ERROR, "%s", error);
    return status == BS_NO_SPACE ? BS_EXIT_FAILED : BS_EXIT_CONFIG;
}

/* A full outbox gives up its oldest segment, and the log's own thread makes the room a moment
 * later: that is no reason not to begin. */
static bool fold_next(struct bs_runtime *rt)
{
    for (unsigned looks = 0; !bs_fold_next(&rt->fold); looks++) {
        if (!rt->fold.backlog || rt->fold.trouble != BS_FULL || looks == ROOM_LOOKS_MAX)
            return false;
        bs_process_sleep(ROOM_LOOK_NS);
        uv_update_time(&rt->loop); /* the outlet asks it when it may drop again */
    }
    return true;
}

/* What stands in the log is folded before anything else happens; its publications wait in their
 * slots. Long work says how far it is. */
static int fold_the_log(struct bs_runtime *rt)
{
    uint64_t first = rt->fold.folded, head = bs_log_head(rt->intake), count = 0;
    uint64_t began = bs_clock_mono().ns;
    while (fold_next(rt)) {
        if (++count % PROGRESS_RECORDS == 0 && head > first) {
            char text[96];
            snprintf(text, sizeof text, "folding the log: %u %%",
                     (unsigned)((rt->fold.folded - first) * 100 / (head - first)));
            bs_notify_status(text);
        }
    }
    if (rt->fold.backlog) {
        bs_report(BS_LOG_ERROR, "the outbox in %s takes no rows: %s", rt->conf->journal.directory,
                  bs_status_text(rt->fold.trouble));
        return BS_EXIT_FAILED;
    }
    if (count)
        bs_report(BS_LOG_INFO, "folded %llu records of the log in %.3f s",
                  (unsigned long long)count, (double)(bs_clock_mono().ns - began) / 1e9);
    if (rt->fold.damaged)
        bs_report(BS_LOG_WARNING, "%llu records in the log were not understood",
                  (unsigned long long)rt->fold.damaged);
    return BS_EXIT_OK;
}

static void go_live(struct bs_runtime *rt, struct bs_tick_ms last_tick)
{
    struct bs_clock_past past = {.any = rt->fold.has_start,
                                 .start = rt->fold.start,
                                 .start_tick = rt->fold.start_tick,
                                 .last_tick = last_tick,
                                 .offset_ms = bs_engine_offset_ms(rt->engine)};
    bs_clock_init(&rt->clock, &past);
    struct bs_start_body body;
    bs_clock_start_body(&rt->clock, &body);
    uint8_t bytes[BS_START_BODY_BYTES];
    bs_start_body_write(&body, bytes);
    struct bs_slice part = bs_slice_of(bytes, sizeof bytes);
    enum bs_status status = bs_log_append(rt->intake, BS_RECORD_START, 0, &part, 1, NULL);
    if (status != BS_OK)
        bs_report(BS_LOG_WARNING, "this start is not in the log: %s", bs_status_text(status));

    rt->live = true;
    bs_runtime_start_snapshots(rt);
    const struct bs_books *books = bs_engine_books(rt->engine);
    memcpy(rt->reported_rejects, books->messages_rejected, sizeof books->messages_rejected);
    memcpy(rt->reported_rejects + BS_MESSAGE_REASON_COUNT, books->steps_rejected,
           sizeof books->steps_rejected);
    rt->unknown_documents = books->config_unknown_kind;
    if (bs_engine_documents(rt->engine))
        bs_runtime_report_in_force(rt, " from the log", "");
}

int bs_runtime_set_up(struct bs_runtime *rt)
{
    struct bs_tick_ms last_tick = {0};
    int status = open_logs(rt, &last_tick);
    bs_clock_hold(&rt->clock, last_tick);
    if (status == BS_EXIT_OK)
        status = start_fold(rt);
    if (rt->fold.folded_tick.ms > last_tick.ms) {
        last_tick = rt->fold.folded_tick;
        bs_clock_hold(&rt->clock, last_tick);
    }
    if (status == BS_EXIT_OK)
        status = bs_runtime_start_outlet(rt);
    if (status != BS_EXIT_OK)
        return status;
    if (bs_runtime_link_start(rt) != BS_OK) {
        bs_report(BS_LOG_ERROR, "cannot begin: %s", bs_status_text(BS_NO_MEMORY));
        return BS_EXIT_FAILED;
    }
    status = fold_the_log(rt);
    if (status == BS_EXIT_OK)
        go_live(rt, last_tick);
    return status;
}
