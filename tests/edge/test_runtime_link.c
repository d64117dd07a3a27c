/* The runtime and the broker's connections: another one is noticed, whatever of the loss was seen.
 */
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

static void open_intake(struct scene *s)
{
    struct bs_log_recovery found;
    struct bs_log_options options = {.directory = s->folder,
                                     .name = "intake",
                                     .segment_bytes = 1 << 20,
                                     .max_bytes = 3 << 20,
                                     .sync_ms = 200,
                                     .stamp = stamp,
                                     .on_record = ignore,
                                     .on_change = ignore,
                                     .context = &s->rt};
    snprintf(s->folder, sizeof s->folder, "/tmp/backstep-link-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    assert_int_equal(bs_log_open(&s->rt.intake, &options, &found), BS_OK);
}

static void begin(struct scene *s)
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
    open_intake(s);
    assert_int_equal(bs_engine_new(&rt->engine, &engine), BS_OK);
    assert_int_equal(uv_loop_init(&rt->loop), 0);
    uv_async_init(&rt->loop, &rt->wake, on_wake);
    uv_timer_init(&rt->loop, &rt->timers[BS_TIMER_DOCUMENTS]);
    assert_int_equal(bs_runtime_link_start(rt), BS_OK);
}

static void end(struct scene *s)
{
    struct bs_runtime *rt = &s->rt;
    char command[128];
    bs_runtime_link_stop(rt);
    bs_engine_free(rt->engine);
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

/* The loop is busy from before the loss until the next connection stands. */
static void another_connection_is_noticed(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    bs_runtime_link_connect(&s.rt);
    expect_online(s.rt.mqtt, 1);
    bs_runtime_look_around(&s.rt);
    assert_int_equal(s.rt.documents, BS_DOCUMENTS_COMING);
    s.rt.documents = BS_DOCUMENTS_HERE;
    int64_t first_ms = s.rt.connected_at.ms;
    bs_runtime_look_around(&s.rt);
    assert_int_equal(s.rt.documents, BS_DOCUMENTS_HERE);
    assert_int_equal(s.rt.connected_at.ms, first_ms);

    broker_end(&broker, SIGKILL);
    broker_run(&broker);
    expect_online(s.rt.mqtt, 2);
    bs_runtime_look_around(&s.rt);
    assert_int_equal(s.rt.documents, BS_DOCUMENTS_COMING);
    if (s.rt.connected_at.ms <= first_ms)
        fail_msg("connected at %lld, and then at %lld", (long long)first_ms,
                 (long long)s.rt.connected_at.ms);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_connection_is_noticed, set_up, tear_down),
    };
    return skipped() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
