/* Floods of what an outsider can make any number of: what is beyond a bound is counted, and holds
 * no more memory the longer it lasts. */
#include "counting_memory.h"
#include "gait_world.h"

#include "backstep/core/config.h"
#include "backstep/core/decode.h"
#include "backstep/core/roster.h"

enum { ROUNDS = 7 };

static int forget_others(void **state)
{
    (void)state;
    bytes_held = 0;
    return 0;
}

static size_t held_by_engine(struct world *w)
{
    world_lines(w);
    world_publications(w);
    return bytes_held - w->lines.capacity - w->publications.capacity;
}

/* Rounds of `count` messages; the bounds are reached in the first four of them, and in the last
 * three no byte more is held. `number` is new each time. */
static void flood(struct world *w, unsigned count, void (*send)(struct world *w, unsigned number),
                  const char *what)
{
    size_t before = 0, bytes;
    unsigned number = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < count; i++) {
            send(w, number++);
            if (i % 500 == 499)
                held_by_engine(w);
        }
        bytes = held_by_engine(w);
        if (round > 3 && bytes > before)
            fail_msg("%s, round %d: %zu bytes, %zu at most before", what, round, bytes, before);
        before = bytes > before ? bytes : before;
    }
    print_message("%s: %u messages, %zu KiB are held\n", what, number, before / 1024);
}

static void begin(struct world *w, const char *settings)
{
    world_begin(w);
    say(w, "settings/site", settings);
}

static void world_end_flat(struct world *w)
{
    world_end(w);
    assert_int_equal(bytes_held, 0);
}

static void step_of(struct world *w, const char *device, uint32_t boot, uint32_t seq)
{
    world_step(w, device, "{\"v\":1,\"boot\":%u,\"seq\":%u,\"t\":%lld,\"dir\":\"B\"}", boot, seq,
               (long long)w->tick);
}

/* Devices ----------------------------------------------------------------------------------- */

static void a_stranger(struct world *w, unsigned number)
{
    char device[64], topic[128];
    snprintf(device, sizeof device, "stranger-%08u", number);
    step_of(w, device, 1, 1);
    snprintf(topic, sizeof topic, "device/%s/birth", device);
    world_say(w, topic, BS_RECORD_RETAINED, BS_SLICE("{\"kind\":\"foot\",\"model\":\"x\"}"));
    snprintf(topic, sizeof topic, "device/%s/state", device);
    world_say(w, topic, BS_RECORD_RETAINED, BS_SLICE("online"));
}

static void unknown_devices(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{}");
    flood(&w, 18000, a_stranger, "unknown devices");
    assert_int_equal(books(&w)->steps_rejected[BS_STEP_UNKNOWN_DEVICE], 18000 * ROUNDS);
    assert_int_equal(books(&w)->steps_received, 18000 * ROUNDS);
    assert_int_equal(books(&w)->birth_received, 18000 * ROUNDS);
    world_end_flat(&w);
}

static void a_guest(struct world *w, unsigned number)
{
    char device[64];
    snprintf(device, sizeof device, "guest-%08u", number);
    step_of(w, device, 1, 1);
    step_of(w, device, 1, 2);
}

static void guests(void **state)
{
    (void)state;
    struct world w;
    struct bs_engine_held held;
    begin(&w, "{\"unknown_devices\":\"guest\",\"max_members\":500}");
    flood(&w, 1000, a_guest, "guests");
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 500);
    assert_int_equal(books(&w)->steps_counted, 1000);
    assert_int_equal(books(&w)->steps_rejected[BS_STEP_OVER_LIMIT], 2000 * ROUNDS - 1000);
    world_end_flat(&w);
}

static void a_boot(struct world *w, unsigned number)
{
    step_of(w, "pod", number, 7);
}

static void boots(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{}");
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    flood(&w, 1000, a_boot, "boots");
    assert_int_equal(books(&w)->steps_counted, BS_BOOTS_MAX);
    assert_int_equal(books(&w)->steps_rejected[BS_STEP_OVER_LIMIT], 1000 * ROUNDS - BS_BOOTS_MAX);
    world_end_flat(&w);
}

/* One a minute: an older one is forgotten when it may be, and its place taken. */
static void a_boot_and_a_minute(struct world *w, unsigned number)
{
    step_of(w, "pod", number, 7);
    world_wait(w, MINUTE);
}

static void boots_for_days(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{}");
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    flood(&w, 700, a_boot_and_a_minute, "boots for days");
    assert_in_range(books(&w)->steps_counted, 150, 400); /* sixteen in stored_lateness_s */
    world_end_flat(&w);
}

/* Documents --------------------------------------------------------------------------------- */

static void document(struct world *w, const char *topic, const char *payload)
{
    world_say(w, topic, BS_RECORD_RETAINED, bs_slice_text(payload));
}

static void a_member(struct world *w, unsigned number)
{
    char topic[128], payload[256];
    snprintf(topic, sizeof topic, "config/member/m-%08u", number);
    snprintf(payload, sizeof payload,
             "{\"consent\":\"member\",\"devices\":[\"pod-%08u\"],\"groups\":[\"g-%08u\"]}", number,
             number);
    document(w, topic, payload);
    snprintf(topic, sizeof topic, "pod-%08u", number);
    step_of(w, topic, 1, 1);
}

static void members(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{\"max_members\":500}");
    flood(&w, 1000, a_member, "members");
    assert_int_equal(bs_config_count_kind(bs_engine_config(w.engine), BS_KIND_MEMBER), 500);
    assert_int_equal(books(&w)->config_rejected, 1000 * ROUNDS - 500);
    assert_int_equal(books(&w)->steps_counted, 500);
    world_end_flat(&w);
}

static void documents_of_a_group(struct world *w, unsigned number)
{
    char topic[128];
    snprintf(topic, sizeof topic, "config/group/g-%08u", number);
    document(w, topic, "{\"name\":\"many\"}");
    snprintf(topic, sizeof topic, "config/session/g-%08u", number);
    document(w, topic, "{\"drill\":\"back\",\"start\":\"2026-11-26T18:00:00Z\"}");
}

static void a_drill(struct world *w, unsigned number)
{
    char topic[128];
    snprintf(topic, sizeof topic, "config/drill/d-%08u", number);
    document(w, topic, "{\"phases\":[{\"name\":\"one\",\"direction\":\"B\"}]}");
}

static void documents_of_groups(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{}");
    flood(&w, 4200, documents_of_a_group, "documents of groups");
    const struct bs_config *config = bs_engine_config(w.engine);
    assert_int_equal(bs_config_count_kind(config, BS_KIND_GROUP), BS_CONFIG_DOCUMENTS_MAX);
    assert_int_equal(bs_config_count_kind(config, BS_KIND_SESSION), BS_CONFIG_DOCUMENTS_MAX);
    assert_int_equal(books(&w)->config_rejected, 2 * (4200 * ROUNDS - BS_CONFIG_DOCUMENTS_MAX));
    world_end_flat(&w);
}

static void drills(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{}");
    flood(&w, 4200, a_drill, "drills");
    assert_int_equal(bs_config_count_kind(bs_engine_config(w.engine), BS_KIND_DRILL),
                     BS_CONFIG_DOCUMENTS_MAX);
    assert_int_equal(books(&w)->config_rejected, 4200 * ROUNDS - BS_CONFIG_DOCUMENTS_MAX);
    world_end_flat(&w);
}

/* A member that is in another group with every step: each is a row of its own, and a board. */
static void be_in_group(struct world *w, unsigned number)
{
    char payload[256];
    snprintf(payload, sizeof payload,
             "{\"consent\":\"member\",\"devices\":[\"pod\"],\"groups\":[\"g-%08u\"]}", number);
    document(w, "config/member/m1", payload);
}

static void a_group(struct world *w, unsigned number)
{
    world_wait(w, 100); /* a board is there for a minute */
    be_in_group(w, number);
    for (unsigned i = 0; i < 9; i++)
        world_step(w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"%c\"}",
                   number * 9 + i, (long long)w->tick, "FBLRUDTNX"[i]);
}

static void groups(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{\"reorder_ms\":0,\"window_s\":300,\"allowed_lateness_s\":3600}");
    flood(&w, 1200, a_group, "groups");
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    print_message("%u windows, %llu steps beyond a limit, %llu without a board\n", held.windows,
                  (unsigned long long)books(&w)->steps_rejected[BS_STEP_OVER_LIMIT],
                  (unsigned long long)books(&w)->live_without_room);
    assert_int_equal(books(&w)->steps_counted, BS_WINDOW_MEMBER_LIVE_ROWS_MAX);
    assert_int_equal(books(&w)->steps_rejected[BS_STEP_OVER_LIMIT],
                     1200 * 9 * ROUNDS - BS_WINDOW_MEMBER_LIVE_ROWS_MAX);
    world_end_flat(&w);
}

/* The same in many windows, while time goes on: what is final goes. */
static void a_group_and_a_second(struct world *w, unsigned number)
{
    be_in_group(w, number);
    step_of(w, "pod", 1, number);
    world_wait(w, 1000);
}

static void groups_for_hours(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{\"reorder_ms\":0}");
    flood(&w, 1000, a_group_and_a_second, "groups for hours");
    assert_int_equal(books(&w)->steps_counted, 1000 * ROUNDS);
    world_end_flat(&w);
}

static void an_alias(struct world *w, unsigned number)
{
    char payload[256];
    snprintf(payload, sizeof payload,
             "{\"consent\":\"member\",\"alias\":\"Ruth %08u\",\"devices\":[\"pod\"]}", number);
    document(w, "config/member/m1", payload);
    step_of(w, "pod", 1, number);
    world_wait(w, 1000);
}

static void aliases_for_hours(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{\"reorder_ms\":0}");
    flood(&w, 1000, an_alias, "aliases for hours");
    world_end_flat(&w);
}

/* Steps ------------------------------------------------------------------------------------- */

/* Of each window of a week. */
static void a_stored_step(struct world *w, unsigned number)
{
    world_step(w, "pod",
               "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"%c\",\"stored\":true}", number,
               (long long)(w->tick - (int64_t)(number % 60000) * 10000), "BFLR"[number % 4]);
}

static void stored_windows(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{\"stored_lateness_s\":604800}");
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    flood(&w, 10000, a_stored_step, "stored windows");
    assert_true(books(&w)->steps_counted >= BS_WINDOW_MEMBER_STORED_MAX);
    assert_true(books(&w)->steps_rejected[BS_STEP_OVER_LIMIT] > 20000);
    world_end_flat(&w);
}

/* All at once and none in its order: as many wait as may. */
static void an_unordered_step(struct world *w, unsigned number)
{
    world_step(w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"B\"}", number,
               (long long)(w->tick + 4999 - (int64_t)(number * 7919 % 5000)));
}

static void waiting_steps(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{\"reorder_ms\":10000,\"fuse_ms\":0}");
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    flood(&w, 3000, an_unordered_step, "waiting steps");
    assert_int_equal(books(&w)->steps_received, 3000 * ROUNDS);
    assert_in_range(books(&w)->steps_waiting, 1, 512);
    world_end_flat(&w);
}

/* Payloads of the greatest size ------------------------------------------------------------- */

static char payload[BS_MESSAGE_BYTES_MAX + 2];

static void say_payload(struct world *w, const char *topic, size_t bytes)
{
    world_say(w, topic, topic[0] == 'c' ? BS_RECORD_RETAINED : 0, bs_slice_of(payload, bytes));
}

static size_t put_batch(unsigned number, int64_t tick)
{
    size_t used = (size_t)snprintf(payload, sizeof payload,
                                   "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"columns\":"
                                   "[\"dt_ms\",\"dir\",\"step_ms\"],\"rows\":[",
                                   number * 256, (long long)tick);
    for (int i = 0; i < 256; i++)
        used += (size_t)snprintf(payload + used, sizeof payload - used, "%s[0,\"B\",%d]",
                                 i ? "," : "", 500 + i % 7);
    used += (size_t)snprintf(payload + used, sizeof payload - used, "]}");
    memset(payload + used, ' ', sizeof payload - used);
    return BS_MESSAGE_BYTES_MAX;
}

/* Keys that nobody knows, each another one. */
static size_t put_keys(unsigned number)
{
    size_t used = (size_t)snprintf(payload, sizeof payload, "{\"v\":1,\"boot\":1,\"seq\":1");
    for (unsigned i = 0; used < BS_MESSAGE_BYTES_MAX - 32; i++)
        used += (size_t)snprintf(payload + used, sizeof payload - used, ",\"%x-%x\":0", number, i);
    used += (size_t)snprintf(payload + used, sizeof payload - used, "}");
    return used;
}

static size_t put_depth(char open)
{
    memset(payload, open, BS_MESSAGE_BYTES_MAX);
    memcpy(payload, "{\"v\":", 5);
    return BS_MESSAGE_BYTES_MAX;
}

static void large_payloads_of_all_kinds(struct world *w, unsigned number)
{
    static const char *const documents[] = {"config/member/m2", "config/drill/d", "config/group/g",
                                            "config/session/s", "config/settings/site"};
    const char *topic = documents[number % 5];
    say_payload(w, "device/pod/steps", put_batch(number, w->tick));
    say_payload(w, "device/pod/steps", put_keys(number));
    say_payload(w, topic, put_keys(number));
    say_payload(w, "device/pod/birth", put_keys(number));
    say_payload(w, "device/pod/steps", put_depth('['));
    say_payload(w, topic, put_depth('['));
    say_payload(w, "device/pod/steps", BS_MESSAGE_BYTES_MAX + 1);
    say_payload(w, topic, BS_MESSAGE_BYTES_MAX + 1);
    world_wait(w, 20000); /* windows and bouts are over */
}

static void large_payloads(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "{\"reorder_ms\":0,\"allowed_lateness_s\":0}");
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    flood(&w, 40, large_payloads_of_all_kinds, "large payloads");
    assert_int_equal(books(&w)->messages_rejected[BS_MESSAGE_TOO_LARGE], 40 * ROUNDS);
    assert_int_equal(books(&w)->messages_rejected[BS_MESSAGE_MALFORMED] +
                         books(&w)->messages_rejected[BS_MESSAGE_SCHEMA],
                     80 * ROUNDS);
    assert_int_equal(books(&w)->steps_received, 256 * 40 * ROUNDS);
    assert_int_equal(books(&w)->config_rejected, 120 * ROUNDS);
    world_end_flat(&w);
}

#define TEST(test) cmocka_unit_test_setup(test, forget_others)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unknown_devices),
        TEST(guests),
        TEST(boots),
        TEST(boots_for_days),
        TEST(members),
        TEST(documents_of_groups),
        TEST(drills),
        TEST(groups),
        TEST(groups_for_hours),
        TEST(aliases_for_hours),
        TEST(stored_windows),
        TEST(waiting_steps),
        TEST(large_payloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
