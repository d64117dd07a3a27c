/* Memory that runs out at every single allocation while a class walks: no step is lost from the
 * books, every step that was counted stands in its window, and the fold goes on. */
#include "engine_world.h"
#include "failing_memory.h"
#include "rows.h"

#include <string.h>

#define MEMBERS 4

/* What a whole run came to. */
struct outcome {
    bool enough; /* no allocation was refused */
    uint64_t received, counted, fused, over_limit;
    long in_windows, in_bouts, slips, carry_overs, group_rows;
};

/* Steps wait, or pass at once. */
static void say_members(struct world *w)
{
    char topic[64], document[128];
    snprintf(document, sizeof document,
             "{\"min_group_size\":3,\"allowed_lateness_s\":0,\"refresh_s\":1,\"reorder_ms\":%d}",
             stays_out ? 0 : 2000);
    world_say(w, "config/settings/site", BS_RECORD_RETAINED, bs_slice_text(document));
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(topic, sizeof topic, "config/member/m%d", i);
        snprintf(document, sizeof document,
                 "{\"consent\":\"member\",\"groups\":[\"tue\"],\"devices\":[\"pod%d\",\"belt%d\"]}",
                 i, i);
        world_say(w, topic, BS_RECORD_RETAINED, bs_slice_text(document));
    }
}

/* Memory is there again when what found none is through. */
static void come_back(void)
{
    if (refusals > 0)
        until_failure = -1;
}

static void step(struct world *w, const char *device, int member, char direction, int mm)
{
    char topic[64], payload[256];
    static uint32_t seq;
    snprintf(topic, sizeof topic, "device/%s%d/steps", device, member);
    snprintf(payload, sizeof payload,
             "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"foot\":\"%c\",\"dir\":\"%c\","
             "\"step_mm\":%d,\"vo_mm\":30}",
             ++seq, (long long)w->tick, w->tick / 500 % 2 ? 'L' : 'R', direction, mm);
    world_say_text(w, topic, payload);
    come_back();
}

/* The first of them walks on, backwards and forwards, and slips; the others make her a group. */
static void walk(struct world *w)
{
    world_say_text(w, "device/belt0/birth", "{\"kind\":\"trunk\"}");
    for (int k = 0; k < 56; k++) {
        char direction = k >= 20 && k < 28 ? 'B' : 'F';
        int mm = k < 20 ? 700 : k < 28 ? 500 : k < 50 ? 600 : 750;
        step(w, "pod", 0, direction, mm);
        step(w, "belt", 0, direction, mm);
        for (int i = 1; i < MEMBERS && k % 20 < 2; i++)
            step(w, "pod", i, 'F', 700);
        if (k == 30)
            world_say_text(w, "device/pod0/steps",
                           "{\"v\":1,\"boot\":2,\"seq\":1,\"t\":1795716000000,\"stored\":true}");
        world_wait(w, 500);
        come_back();
    }
}

static void run(int allowed, struct outcome *ret)
{
    struct world w;
    world_begin(&w);
    assert_non_null(bs_buffer_room(&w.lines, 4u << 20)); /* the world's own memory is there */
    assert_non_null(bs_buffer_room(&w.publications, 1u << 20));
    say_members(&w);
    until_failure = allowed;
    refusals = 0;
    walk(&w);
    until_failure = -1;
    *ret = (struct outcome){.enough = refusals == 0};
    world_wait(&w, INT64_C(8) * 24 * 3600000);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.windows, 0);
    const struct bs_books *b = bs_engine_books(w.engine);
    assert_int_equal(b->steps_waiting, 0);
    ret->received = b->steps_received;
    ret->counted = b->steps_counted;
    ret->fused = b->steps_fused;
    ret->over_limit = b->steps_rejected[BS_STEP_OVER_LIMIT];
    const char *lines = world_lines(&w);
    ret->in_windows = (long)rows_of(lines, "gait_window", "final=true", "steps").sum;
    ret->in_bouts = (long)rows_of(lines, "gait_bout", "open=false", "steps").sum;
    ret->slips = rows_of(lines, "slip", "", NULL).count;
    ret->carry_overs = rows_of(lines, "carry_over", "", NULL).count;
    ret->group_rows = rows_of(lines, "group_window", "final=true", NULL).count;
    world_end(&w);
}

static void assert_whole(const struct outcome *o, int allowed)
{
    if (o->received != o->counted + o->fused + o->over_limit)
        fail_msg("after %d allocations: %d received, %d counted, %d fused, %d over limit", allowed,
                 (int)o->received, (int)o->counted, (int)o->fused, (int)o->over_limit);
    if ((uint64_t)o->in_windows != o->counted)
        fail_msg("after %d allocations: %d steps counted, %ld in windows", allowed, (int)o->counted,
                 o->in_windows);
}

static void fail_everywhere(bool for_a_message)
{
    struct outcome o, full;
    stays_out = for_a_message;
    run(1 << 30, &full);
    assert_whole(&full, 1 << 30);
    assert_true(full.enough && full.over_limit == 0);
    assert_true(full.slips > 0 && full.carry_overs > 0 && full.group_rows > 0);
    int allowed = 0, rejections = 0;
    do {
        run(allowed, &o);
        assert_whole(&o, allowed);
        rejections += o.over_limit > 0;
        allowed++;
    } while (!o.enough);
    assert_memory_equal(&o, &full, sizeof o);
    assert_true(allowed > 50);
    assert_true(rejections > 10); /* else nothing was tried */
}

static void one_allocation_fails(void **state)
{
    (void)state;
    fail_everywhere(false);
}

static void all_allocations_of_a_message_fail(void **state)
{
    (void)state;
    fail_everywhere(true);
}

/* The first step of a member found no room for all that a member's steps need. */
static void consent_changes_of_who_found_no_room(void **state)
{
    (void)state;
    stays_out = true;
    for (int allowed = 0; allowed < 100; allowed++) {
        struct world w;
        world_begin(&w);
        assert_non_null(bs_buffer_room(&w.lines, 1u << 20));
        assert_non_null(bs_buffer_room(&w.publications, 1u << 20));
        say_members(&w);
        until_failure = allowed;
        refusals = 0;
        step(&w, "pod", 0, 'F', 700);
        until_failure = -1;
        world_say(&w, "config/member/m0", BS_RECORD_RETAINED,
                  BS_SLICE("{\"consent\":\"group\",\"devices\":[\"pod0\"]}"));
        const struct bs_books *b = bs_engine_books(w.engine);
        assert_int_equal(b->steps_counted + b->steps_rejected[BS_STEP_OVER_LIMIT], 1);
        world_end(&w);
        if (refusals == 0)
            return;
    }
    fail_msg("100 allocations are not enough for a step");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_allocation_fails),
        cmocka_unit_test(all_allocations_of_a_message_fail),
        cmocka_unit_test(consent_changes_of_who_found_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
