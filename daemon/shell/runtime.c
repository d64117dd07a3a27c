/* The daemon's life: handles, signals, an orderly end. Must never leave a handle open, nor a thread
 * that may still send to one. */
#include "runtime.h"

#include "backstep/base/check.h"
#include "backstep/edge/notify.h"
#include "report.h"
#include "runtime_parts.h"

#include <signal.h>
#include <stdlib.h>

#define DELIVER_AT_STOP_MS 5000

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

/* Stopping: leave the broker, fold to the head, deliver for a while, take a snapshot, close. */

static void on_delivered(void *context)
{
    bs_runtime_end_with_snapshot(context);
}

void bs_runtime_stop(struct bs_runtime *rt)
{
    rt->stop_wanted = true;
    if (rt->reload != BS_RELOAD_NONE || atomic_exchange(&rt->stopping, true))
        return;
    bs_notify_stopping();
    bs_report(BS_LOG_INFO, "stopping");
    bs_runtime_tell(rt, "offline");
    bs_runtime_link_leave(rt);
    while (rt->outlet && bs_fold_next(&rt->fold))
        ;
    bs_runtime_note_answered(rt); /* also of what came while we left, whose answers stay with us */
    bs_runtime_link_stop(rt);
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

static void on_signal(uv_signal_t *signal, int number)
{
    struct bs_runtime *rt = signal->data;
    if (number == SIGHUP)
        bs_runtime_begin_reload(rt);
    else
        bs_runtime_stop(rt);
}

/* The whole. */

static void take_down(struct bs_runtime *rt)
{
    bs_runtime_link_stop(rt);
    if (rt->outlet)
        bs_outlet_free(rt->outlet);
    if (rt->snapshots.files)
        bs_snapshot_files_close(rt->snapshots.files);
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
    bs_buffer_fini(&rt->result_topic);
    bs_buffer_fini(&rt->absent);
    bs_buffer_fini(&rt->document);
    bs_buffer_fini(&rt->sentence);
    bs_conf_fini(rt->conf);
}

static void on_given_up(void *context)
{
    struct bs_runtime *rt = context;
    uv_stop(&rt->loop);
}

/* A start that failed half-way ends as a stop does, so that every handle is closed, and so that an
 * outbox that had no room has some at the next start. */
static void give_up(struct bs_runtime *rt)
{
    atomic_store(&rt->stopping, true);
    bs_runtime_link_stop(rt);
    if (!rt->outlet)
        return;
    bs_outlet_finish(rt->outlet, DELIVER_AT_STOP_MS, on_given_up, rt);
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
    bs_buffer_init(&rt->result_topic, 1024);
    bs_buffer_init(&rt->absent, 64 * 1024);
    bs_buffer_init(&rt->document, 64 * 1024);
    bs_buffer_init(&rt->sentence, 2048);
    start_handles(rt);
    rt->exit_status = bs_runtime_set_up(rt);
    if (rt->exit_status == BS_EXIT_OK) {
        start_beats(rt);
        bs_runtime_link_connect(rt);
        bs_report(BS_LOG_INFO, "backstepd " BACKSTEP_VERSION " counts for site %s", conf->site.id);
        bs_runtime_look_around(rt);
        bs_runtime_tell(rt, rt->reason[0] ? "stalled" : "online");
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
