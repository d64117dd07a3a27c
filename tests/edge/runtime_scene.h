/* The runtime with a broker and an intake, and no loop that turns by itself. For tests only. */
#ifndef BACKSTEP_TESTS_RUNTIME_SCENE_H
#define BACKSTEP_TESTS_RUNTIME_SCENE_H

#include "../../daemon/shell/runtime_parts.h"

#include "mqtt_broker.h"

struct scene {
    struct bs_runtime rt;
    struct bs_conf conf;
    char folder[64];
};

static struct bs_tick_ms stamp(void *context)
{
    struct bs_runtime *rt = context;
    return bs_clock_tick(&rt->clock);
}

static void ignore(void *context)
{
    (void)context;
}

static void on_wake(uv_async_t *wake)
{
    (void)wake;
}

static inline void open_log(struct scene *s, const char *name, struct bs_log **ret)
{
    struct bs_log_recovery found;
    struct bs_log_options options = {.directory = s->folder,
                                     .name = name,
                                     .segment_bytes = 1 << 20,
                                     .max_bytes = 3 << 20,
                                     .sync_ms = 200,
                                     .stamp = stamp,
                                     .on_record = ignore,
                                     .on_change = ignore,
                                     .context = &s->rt};
    assert_int_equal(bs_log_open(ret, &options, &found), BS_OK);
}

static inline void open_logs(struct scene *s)
{
    snprintf(s->folder, sizeof s->folder, "/tmp/backstep-link-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    open_log(s, "intake", &s->rt.intake);
    open_log(s, "outbox", &s->rt.outbox);
}

static inline void begin(struct scene *s)
{
    struct bs_runtime *rt = &s->rt;
    struct bs_engine_options engine = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};
    memset(s, 0, sizeof *s);
    rt->conf = &s->conf;
    s->conf.site.id = "gym";
    s->conf.site.instance = "backstepd";
    s->conf.mqtt.uri = broker.uri;
    s->conf.mqtt.version = 5;
    s->conf.mqtt.client_id = "backstepd-gym";
    s->conf.mqtt.topic_root = "backstep/v1";
    s->conf.mqtt.session_expiry_s = 3600;
    s->conf.mqtt.receive_maximum = 100;
    s->conf.mqtt.keepalive_s = 30;
    bs_buffer_init(&rt->service_topic, 1024);
    bs_buffer_init(&rt->config_topic, 1024);
    bs_buffer_init(&rt->result_topic, 1024);
    bs_clock_init(&rt->clock, &(struct bs_clock_past){0});
    open_logs(s);
    assert_int_equal(bs_engine_new(&rt->engine, &engine), BS_OK);
    assert_int_equal(uv_loop_init(&rt->loop), 0);
    uv_async_init(&rt->loop, &rt->wake, on_wake);
    uv_timer_init(&rt->loop, &rt->timers[BS_TIMER_DOCUMENTS]);
    assert_int_equal(bs_runtime_link_start(rt), BS_OK);
}

static inline void end(struct scene *s)
{
    struct bs_runtime *rt = &s->rt;
    char command[128];
    bs_runtime_link_stop(rt);
    bs_engine_free(rt->engine);
    bs_log_close(rt->outbox);
    bs_log_close(rt->intake);
    uv_close((uv_handle_t *)&rt->wake, NULL);
    uv_close((uv_handle_t *)&rt->timers[BS_TIMER_DOCUMENTS], NULL);
    uv_run(&rt->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rt->loop), 0);
    bs_buffer_fini(&rt->service_topic);
    bs_buffer_fini(&rt->config_topic);
    bs_buffer_fini(&rt->result_topic);
    snprintf(command, sizeof command, "rm -rf '%s'", s->folder);
    assert_int_equal(system(command), 0);
}

#endif
