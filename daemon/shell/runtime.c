/* The daemon's life: open the logs, fold what stands in them, go on live, end in order. Must never
 * acknowledge before the intake log is open, nor count before it is folded. */
#include "runtime.h"

#include "backstep/base/check.h"
#include "backstep/edge/notify.h"
#include "report.h"
#include "runtime_parts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIB                (1024 * UINT64_C(1024))

/* Enough segments that one can be delivered from while another is filled and a third is ready. */
#define OUTBOX_SEGMENTS    8

#define DELIVER_AT_STOP_MS 5000
#define PROGRESS_RECORDS   100000

/* Ten seconds for room in the outbox while the log is folded. */
#define ROOM_LOOK_NS       20000000
#define ROOM_LOOKS_MAX     500

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
        return BS_EXIT_CONFIG;
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

static void publish(void *context, const struct bs_publication *publication)
{
    bs_runtime_publish(context, publication);
}

static void on_outlet_change(void *context)
{
    struct bs_runtime *rt = context;
    bs_runtime_tell(rt, rt->reason[0] ? "stalled" : "online");
}

static int start_fold(struct bs_runtime *rt)
{
    struct bs_engine_options engine = {.topic_root = bs_slice_text(rt->conf->mqtt.topic_root),
                                       .site = bs_slice_text(rt->conf->site.id)};
    enum bs_status status = bs_engine_new(&rt->engine, &engine);
    rt->fold.engine = rt->engine;
    rt->fold.intake = rt->intake;
    rt->fold.outbox = rt->outbox;
    rt->fold.make_room = make_room;
    rt->fold.skip_open_rows = skip_open_rows;
    rt->fold.publish = publish;
    rt->fold.context = rt;
    if (status == BS_OK)
        status = bs_fold_init(&rt->fold);
    if (status != BS_OK) {
        bs_report(BS_LOG_ERROR, "cannot begin: %s", bs_status_text(status));
        return BS_EXIT_FAILED;
    }
    return BS_EXIT_OK;
}

static int start_outlet(struct bs_runtime *rt)
{
    char error[512];
    struct bs_outlet_options options = {.loop = &rt->loop,
                                        .outbox = rt->outbox,
                                        .intake = rt->intake,
                                        .conf = rt->conf,
                                        .jitter_seed = bs_clock_mono().ns,
                                        .on_change = on_outlet_change,
                                        .context = rt};
    if (bs_outlet_new(&rt->outlet, &options, error, sizeof error) == BS_OK)
        return BS_EXIT_OK;
    bs_report(BS_LOG_ERROR, "%s", error);
    return BS_EXIT_CONFIG;
}

/* A full outbox gives up its oldest segment, and the log's own thread makes the room a moment
 * later: that is no reason not to begin. */
static bool fold_next(struct bs_runtime *rt)
{
    for (unsigned looks = 0; !bs_fold_next(&rt->fold); looks++) {
        if (!rt->fold.backlog || rt->fold.trouble != BS_FULL || looks == ROOM_LOOKS_MAX)
            return false;
        struct timespec wait = {0, ROOM_LOOK_NS};
        nanosleep(&wait, NULL);
        uv_update_time(&rt->loop); /* the outlet asks it when it may drop again */
    }
    return true;
}

/* What stands in the log is folded before anything else happens; its publications wait in their
 * slots. Long work says how far it is. */
static int fold_the_log(struct bs_runtime *rt)
{
    uint64_t first = bs_log_first(rt->intake), head = bs_log_head(rt->intake), count = 0;
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
        return BS_EXIT_CONFIG;
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

    const struct bs_books *books = bs_engine_books(rt->engine);
    memcpy(rt->reported_rejects, books->messages_rejected, sizeof books->messages_rejected);
    memcpy(rt->reported_rejects + BS_MESSAGE_REASON_COUNT, books->steps_rejected,
           sizeof books->steps_rejected);
    rt->reported_rejects[BS_MESSAGE_REASON_COUNT + BS_STEP_REASON_COUNT] =
        books->config_unknown_kind;
}

/* The loop's handles. */

static void on_signal(uv_signal_t *signal, int number);

static void start_handles(struct bs_runtime *rt)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    uv_async_init(&rt->loop, &rt->wake, bs_runtime_on_wake);
    uv_idle_init(&rt->loop, &rt->busy);
    rt->wake.data = rt->busy.data = rt;
    for (int i = 0; i < BS_TIMER_COUNT; i++) {
        uv_timer_init(&rt->loop, &rt->timers[i]);
        rt->timers[i].data = rt;
    }
    for (int i = 0; i < 3; i++) {
        uv_signal_init(&rt->loop, &rt->signals[i]);
        rt->signals[i].data = rt;
        uv_signal_start(&rt->signals[i], on_signal, numbers[i]);
    }
}

static void start_beats(struct bs_runtime *rt)
{
    uv_timer_start(&rt->timers[BS_TIMER_BEAT], bs_runtime_on_timer, BS_TIMEKEEPER_LOOK_MS,
                   BS_TIMEKEEPER_LOOK_MS);
    uint64_t watchdog_ms = bs_notify_watchdog_ms();
    if (watchdog_ms)
        uv_timer_start(&rt->timers[BS_TIMER_WATCHDOG], bs_runtime_on_timer, watchdog_ms,
                       watchdog_ms);
    uv_timer_start(&rt->timers[BS_TIMER_PAUSE], bs_runtime_on_timer, 0, 0);
}

static void close_handles(struct bs_runtime *rt)
{
    uv_close((uv_handle_t *)&rt->wake, NULL);
    uv_close((uv_handle_t *)&rt->busy, NULL);
    for (int i = 0; i < BS_TIMER_COUNT; i++)
        uv_close((uv_handle_t *)&rt->timers[i], NULL);
    for (int i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&rt->signals[i], NULL);
}

/* Stopping: leave the broker, fold to the head, deliver for a while, close. */

static void on_delivered(void *context)
{
    struct bs_runtime *rt = context;
    uv_stop(&rt->loop);
}

static void stop(struct bs_runtime *rt)
{
    rt->stop_wanted = true;
    if (rt->reload != BS_RELOAD_NONE || atomic_exchange(&rt->stopping, true))
        return;
    bs_notify_stopping();
    bs_report(BS_LOG_INFO, "stopping");
    bs_runtime_tell(rt, "offline");
    bs_runtime_link_stop(rt);
    while (rt->outlet && bs_fold_next(&rt->fold))
        ;
    uv_idle_stop(&rt->busy);
    for (int i = 0; i < BS_TIMER_COUNT; i++)
        uv_timer_stop(&rt->timers[i]);
    if (!rt->outlet) { /* a reload could open none */
        uv_stop(&rt->loop);
        return;
    }
    bs_outlet_wake(rt->outlet);
    bs_outlet_finish(rt->outlet, DELIVER_AT_STOP_MS, on_delivered, rt);
}

/* Reading the configuration again: what names the log's place or the site needs a restart; the rest
 * is used from now on. A bad file leaves the old one in force. */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool needs_restart(const struct bs_conf *a, const struct bs_conf *b)
{
    return !same_text(a->site.id, b->site.id) || !same_text(a->site.instance, b->site.instance) ||
           !same_text(a->mqtt.topic_root, b->mqtt.topic_root) ||
           !same_text(a->journal.directory, b->journal.directory) ||
           a->journal.segment_mb != b->journal.segment_mb ||
           a->journal.max_mb != b->journal.max_mb || a->journal.sync_ms != b->journal.sync_ms ||
           a->influxdb.outbox_max_mb != b->influxdb.outbox_max_mb;
}

/* The outlet calls this from its own depths: what follows waits for the next turn. */
static void on_reload_closed(void *context)
{
    struct bs_runtime *rt = context;
    rt->reload = BS_RELOAD_READY;
    uv_async_send(&rt->wake);
}

static void begin_reload(struct bs_runtime *rt)
{
    char error[1024];
    if (rt->reload != BS_RELOAD_NONE || atomic_load(&rt->stopping))
        return;
    /* The client may wait in our own callback for room, and nobody can leave it meanwhile. */
    if (rt->stalled) {
        bs_report(BS_LOG_ERROR, "the configuration stays as it was: %s", rt->reason);
        return;
    }
    if (bs_conf_load(&rt->fresh, rt->conf_path, error, sizeof error) != BS_OK) {
        bs_report(BS_LOG_ERROR, "the configuration stays as it was: %s", error);
        return;
    }
    if (needs_restart(rt->conf, &rt->fresh)) {
        bs_report(BS_LOG_ERROR,
                  "the configuration stays as it was: %s changes [site], [journal], topic_root or "
                  "outbox_max_mb, which takes a restart",
                  rt->conf_path);
        bs_conf_fini(&rt->fresh);
        return;
    }
    bs_notify_reloading();
    rt->reload = BS_RELOAD_CLOSING;
    bs_runtime_tell(rt, "offline"); /* a normal leave sends no will */
    bs_runtime_link_stop(rt);
    bs_outlet_finish(rt->outlet, 0, on_reload_closed, rt);
}

/* What cannot be opened by the new configuration goes on by the old one. */
static bool reopen_outlet(struct bs_runtime *rt, struct bs_conf *old)
{
    bs_outlet_free(rt->outlet);
    rt->outlet = NULL;
    *old = *rt->conf;
    *rt->conf = rt->fresh;
    if (start_outlet(rt) == BS_EXIT_OK)
        return true;
    *rt->conf = *old;
    *old = rt->fresh;
    bs_report(BS_LOG_ERROR, "the configuration stays as it was");
    return start_outlet(rt) == BS_EXIT_OK;
}

void bs_runtime_finish_reload(struct bs_runtime *rt)
{
    struct bs_conf old;
    bool reopened = reopen_outlet(rt, &old);
    bs_conf_fini(&old);
    rt->reload = BS_RELOAD_NONE;
    if (!reopened || bs_runtime_link_start(rt) != BS_OK)
        rt->exit_status = BS_EXIT_FAILED;
    if (rt->stop_wanted || rt->exit_status != BS_EXIT_OK) {
        stop(rt);
        return;
    }
    bs_report_set((enum bs_conf_log_level)rt->conf->log.level, rt->conf->log.json);
    bs_runtime_link_connect(rt);
    bs_notify_ready();
    bs_report(BS_LOG_INFO, "the configuration was read again");
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct bs_runtime *rt = signal->data;
    if (number == SIGHUP)
        begin_reload(rt);
    else
        stop(rt);
}

/* The whole. */

static int set_up(struct bs_runtime *rt)
{
    struct bs_tick_ms last_tick = {0};
    int status = open_logs(rt, &last_tick);
    bs_clock_hold(&rt->clock, last_tick);
    if (status == BS_EXIT_OK)
        status = start_fold(rt);
    if (status == BS_EXIT_OK)
        status = start_outlet(rt);
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

static void take_down(struct bs_runtime *rt)
{
    bs_runtime_link_stop(rt);
    if (rt->outlet)
        bs_outlet_free(rt->outlet);
    bs_fold_fini(&rt->fold);
    bs_engine_free(rt->engine);
    if (rt->outbox)
        bs_log_close(rt->outbox);
    if (rt->intake)
        bs_log_close(rt->intake);
    /* The logs' threads send to the loop's handles: these go last. */
    close_handles(rt);
    uv_run(&rt->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&rt->loop);
    bs_check(left == 0);
    bs_buffer_fini(&rt->service_topic);
    bs_buffer_fini(&rt->config_topic);
    bs_buffer_fini(&rt->absent);
    bs_buffer_fini(&rt->document);
    bs_buffer_fini(&rt->sentence);
    bs_conf_fini(rt->conf);
}

/* A start that failed half-way ends as a stop does, so that every handle is closed. */
static void give_up(struct bs_runtime *rt)
{
    atomic_store(&rt->stopping, true);
    bs_runtime_link_stop(rt);
    if (!rt->outlet)
        return;
    bs_outlet_finish(rt->outlet, 0, on_delivered, rt);
    uv_run(&rt->loop, UV_RUN_DEFAULT);
}

int bs_runtime_run(struct bs_conf *conf, const char *conf_path)
{
    struct bs_runtime *rt = calloc(1, sizeof *rt);
    if (!rt || uv_loop_init(&rt->loop) != 0) {
        bs_report(BS_LOG_ERROR, "%s", bs_status_text(BS_NO_MEMORY));
        return BS_EXIT_FAILED;
    }
    signal(SIGPIPE, SIG_IGN); /* a pipe as [output] file is an error to count, not an end */
    rt->conf = conf;
    rt->conf_path = conf_path;
    rt->started = bs_clock_mono();
    bs_buffer_init(&rt->service_topic, 1024);
    bs_buffer_init(&rt->config_topic, 1024);
    bs_buffer_init(&rt->absent, 64 * 1024);
    bs_buffer_init(&rt->document, 64 * 1024);
    bs_buffer_init(&rt->sentence, 2048);
    start_handles(rt);
    rt->exit_status = set_up(rt);
    if (rt->exit_status == BS_EXIT_OK) {
        start_beats(rt);
        bs_runtime_link_connect(rt);
        bs_report(BS_LOG_INFO, "backstepd " BACKSTEP_VERSION " counts for site %s", conf->site.id);
        bs_runtime_tell(rt, "online");
        bs_notify_ready();
        uv_run(&rt->loop, UV_RUN_DEFAULT);
    } else {
        give_up(rt);
    }
    int status = rt->exit_status;
    take_down(rt);
    free(rt);
    return status;
}
