/* The loop when a log takes nothing more: it waits, and neither turns without end nor fills the
 * intake with ticks that nobody can fold. */
#include "../../daemon/shell/runtime_parts.h"

#pragma GCC diagnostic ignored "-Wunused-function" /* the rig has more than is used here */
#include "outlet_rig.h"

#include <string.h>

#define CALM_MS    400
#define TURNS_MOST 400 /* the rig itself turns every 5 ms, twice */

struct scene {
    struct rig rig;
    struct bs_runtime rt;
    uv_prepare_t prepare;
    unsigned turns;
};

static bool no_room(void *context)
{
    (void)context;
    return false;
}

static void ignore_publication(void *context, const struct bs_publication *publication)
{
    (void)context;
    (void)publication;
}

static void count_turn(uv_prepare_t *prepare)
{
    struct scene *s = prepare->data;
    s->turns++;
}

static enum bs_status say(struct scene *s, const char *topic, const char *payload)
{
    uint8_t head[BS_MESSAGE_HEAD_BYTES];
    bs_message_head_write((uint16_t)strlen(topic), 0, head);
    struct bs_slice parts[] = {bs_slice_of(head, sizeof head), bs_slice_text(topic),
                               bs_slice_text(payload)};
    return bs_log_append(s->rig.intake, BS_RECORD_MESSAGE, 0, parts, 3, NULL);
}

static void init_runtime(struct scene *s)
{
    struct bs_runtime *rt = &s->rt;
    struct bs_engine_options engine = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};
    rt->intake = s->rig.intake;
    rt->outlet = s->rig.outlet;
    assert_int_equal(bs_engine_new(&rt->engine, &engine), BS_OK);
    rt->fold = (struct bs_fold){.engine = rt->engine,
                                .intake = s->rig.intake,
                                .outbox = s->rig.outbox,
                                .make_room = no_room,
                                .skip_open_rows = no_room,
                                .publish = ignore_publication,
                                .context = rt};
    assert_int_equal(bs_fold_init(&rt->fold), BS_OK);
    bs_clock_hold(&rt->clock, (struct bs_tick_ms){INT64_C(1) << 50}); /* all deadlines are due */
    uv_idle_init(&s->rig.loop, &rt->busy);
    rt->busy.data = rt;
    for (int i = 0; i < BS_TIMER_COUNT; i++) {
        uv_timer_init(&s->rig.loop, &rt->timers[i]);
        rt->timers[i].data = rt;
    }
    uv_prepare_init(&s->rig.loop, &s->prepare);
    s->prepare.data = s;
    uv_prepare_start(&s->prepare, count_turn);
}

/* A sink that never takes a line, so that what the outbox holds stays there. */
static void begin(struct scene *s)
{
    memset(s, 0, sizeof *s);
    prepare(&s->rig, 0);
    snprintf(s->rig.file, sizeof s->rig.file, "/dev/full");
    s->rig.conf.output.file = s->rig.file;
    s->rig.outbox_segment_bytes = 4096;
    s->rig.outbox_max_bytes = 4 * 4096;
    start(&s->rig);
    s->rig.deaf = true;
}

static void end(struct scene *s)
{
    bs_fold_fini(&s->rt.fold);
    bs_engine_free(s->rt.engine);
    uv_close((uv_handle_t *)&s->rt.busy, NULL);
    for (int i = 0; i < BS_TIMER_COUNT; i++)
        uv_close((uv_handle_t *)&s->rt.timers[i], NULL);
    uv_close((uv_handle_t *)&s->prepare, NULL);
    stop(&s->rig, 0);
    discard(&s->rig);
}

/* One open row, whose deadlines are still to come for the engine and past for the clock. */
static void open_a_row(struct scene *s)
{
    static const char step[] = "{\"v\":1,\"boot\":1,\"seq\":1,\"t\":0}";
    const char *topic = "backstep/v1/gym/config/settings/site";
    assert_int_equal(say(s, topic, "{\"unknown_devices\":\"guest\"}"), BS_OK);
    assert_int_equal(say(s, "backstep/v1/gym/device/pod/steps", step), BS_OK);
    while (bs_fold_next(&s->rt.fold))
        ;
    assert_int_equal(bs_engine_books(s->rt.engine)->steps_counted, 1);
}

static void assert_calm(struct scene *s)
{
    bs_runtime_turn(&s->rt);
    run_for(&s->rig, 50);
    uint64_t head = bs_log_head(s->rig.intake);
    s->turns = 0;
    run_for(&s->rig, CALM_MS);
    uint64_t grown = bs_log_head(s->rig.intake) - head;
    if (s->turns > TURNS_MOST || grown > 10 * 32)
        fail_msg("%u turns of the loop and %llu bytes of ticks in %d ms", s->turns,
                 (unsigned long long)grown, CALM_MS);
}

static void a_full_outbox_is_waited_for(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    while (append_line(&s.rig) == BS_OK)
        ;
    init_runtime(&s);
    open_a_row(&s);
    atomic_fetch_add(&last_tick_ms, 3000); /* the row is to be written */
    assert_int_equal(bs_log_append(s.rig.intake, BS_RECORD_TICK, 0, NULL, 0, NULL), BS_OK);
    assert_calm(&s);
    assert_non_null(s.rt.fold.backlog);
    end(&s);
}

static void a_full_intake_is_waited_for(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    init_runtime(&s);
    open_a_row(&s);
    static char filler[60000];
    memset(filler, 'x', sizeof filler - 1);
    while (say(&s, "elsewhere", filler) == BS_OK)
        ;
    while (bs_log_append(s.rig.intake, BS_RECORD_TICK, 0, NULL, 0, NULL) == BS_OK)
        ;
    assert_calm(&s);
    end(&s);
}

/* The log is folded at the start without one turn of the loop: what waits must be known all the
 * same, or open rows would push closed ones out of the outbox. */
static void what_waits_is_known_before_the_loop_turns(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    init_runtime(&s);
    assert_int_equal(append_line(&s.rig), BS_OK);
    struct bs_outlet_state waiting = state_of(&s.rig);
    assert_int_equal(waiting.bytes + waiting.fresh_bytes, bs_log_head(s.rig.outbox));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_outbox_is_waited_for),
        cmocka_unit_test(a_full_intake_is_waited_for),
        cmocka_unit_test(what_waits_is_known_before_the_loop_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
