/* A whole sequence of records through the fold: whatever comes, the books balance, a deadline that
 * was fired is over, and the same records give the same effects, byte for byte, whatever the seed
 * of the tables, and however often the engine was replaced by what its snapshot gives.
 *
 * Eight bytes a command: what, and seven that say more of it. */
#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/core/engine.h"
#include "backstep/core/step.h"

#include "../unit/engine_again.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BEGIN_MS INT64_C(1795716000000)
#define COMMAND  8
#define ENGINES  2 /* with tables of different seeds; snapshots are taken of the last */

static const struct bs_engine_options options = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};

struct world {
    struct bs_engine *engines[ENGINES];
    uint64_t said[ENGINES]; /* hash over all effects */
    uint64_t position;
    int64_t tick;
    uint32_t seq[8];
};

static void take_line(void *context, struct bs_slice line, bool open)
{
    uint64_t *said = context;
    bs_check(line.length > 0 && line.at[line.length - 1] == '\n');
    *said = bs_hash_bytes(*said + open, line);
}

static void take_publication(void *context, const struct bs_publication *p)
{
    uint64_t *said = context;
    *said = bs_hash_bytes(bs_hash_bytes(*said, p->topic), p->payload);
}

static void fold(struct world *w, enum bs_record_type type, uint8_t flags, struct bs_slice body)
{
    struct bs_record r = {.position = w->position,
                          .next = w->position + 64,
                          .tick = {w->tick},
                          .type = (uint8_t)type,
                          .flags = flags,
                          .body = body};
    w->position = r.next;
    for (int i = 0; i < ENGINES; i++) {
        struct bs_effects effects = {&w->said[i], take_line, take_publication};
        bs_check(bs_engine_step(w->engines[i], &r, &effects) == BS_OK);
        const struct bs_books *b = bs_engine_books(w->engines[i]);
        bs_check(bs_books_balance(b) && b->steps_waiting <= b->steps_counted);
    }
    bs_check(w->said[0] == w->said[1]);
}

static void start(struct world *w)
{
    *w = (struct world){.tick = BEGIN_MS};
    for (int i = 0; i < ENGINES; i++) {
        bs_check(bs_engine_new(&w->engines[i], &options) == BS_OK);
        uint8_t bytes[BS_START_BODY_BYTES];
        struct bs_start_body body = {.hash_seed = (uint64_t)i * 77};
        bs_start_body_write(&body, bytes);
        struct bs_record r = {
            .tick = {w->tick}, .type = BS_RECORD_START, .body = bs_slice_of(bytes, sizeof bytes)};
        struct bs_effects effects = {&w->said[i], take_line, take_publication};
        bs_check(bs_engine_step(w->engines[i], &r, &effects) == BS_OK);
    }
}

static void say(struct world *w, const char *topic, uint8_t flags, struct bs_slice payload)
{
    static uint8_t body[4096];
    char text[128];
    int length = snprintf(text, sizeof text, "backstep/v1/gym/%s", topic);
    bs_message_head_write((uint16_t)length, 0, body);
    memcpy(body + BS_MESSAGE_HEAD_BYTES, text, (size_t)length);
    memcpy(body + BS_MESSAGE_HEAD_BYTES + length, payload.at, payload.length);
    fold(w, BS_RECORD_MESSAGE, flags,
         bs_slice_of(body, BS_MESSAGE_HEAD_BYTES + (size_t)length + payload.length));
}

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* A batch of alike steps in one direction. */
static void walk(struct world *w, const uint8_t *c)
{
    unsigned device = c[1] % 8, count = c[2] % 32 + 1u, boot = c[1] >> 6;
    unsigned step_ms = 200 + 4u * c[5];
    uint8_t payload[24 + 16 * 32] = {'B', 'S', 1, (uint8_t)count};
    char topic[32];
    put(payload + 4, boot, 4);
    put(payload + 8, w->seq[device], 4);
    payload[12] = c[4] >> 7 ? 2 : 0; /* stored */
    int64_t last = w->tick - (int64_t)(c[6] & 63) * 100 + ((c[6] & 64) ? 3000 : 0);
    put(payload + 16, (uint64_t)(last - (int64_t)(step_ms * (count - 1))), 8);
    for (unsigned i = 0; i < count; i++) {
        uint8_t *r = payload + 24 + 16 * i;
        put(r, i ? step_ms : 0, 2);
        r[2] = (uint8_t)((c[4] & 64 ? c[4] % 3 : i % 2 + 1u) | (c[3] % 10u) << 2);
        r[3] = 255;
        put(r + 4, c[3] & 64 ? step_ms : 65535, 2);
        put(r + 6, c[3] & 128 ? 2 * step_ms : 65535, 2);
        put(r + 8, 65535, 2);
        put(r + 10, c[7] ? 200u + 4u * c[7] : 65535u, 2);
        r[12] = c[5] & 1 ? 0x80 : c[7];
        r[13] = 0x80;
        r[14] = c[5] & 2 ? 255 : c[7];
    }
    w->seq[device] += count - (c[4] & 32 ? 1 : 0);
    snprintf(topic, sizeof topic, "device/d%u/steps", device);
    say(w, topic, 0, bs_slice_of(payload, 24 + 16 * count));
}

static void configure(struct world *w, const uint8_t *c)
{
    char text[640];
    int length = snprintf(
        text, sizeof text,
        "{\"unknown_devices\":\"%s\",\"window_s\":%d,\"reorder_ms\":%d,\"fuse_ms\":%d,"
        "\"bout_gap_ms\":%d,\"bout_min_steps\":%d,\"direction_confirm_steps\":%d,"
        "\"carry_over_steps\":%d,\"allowed_lateness_s\":%d,\"min_group_size\":3,"
        "\"slip\":{\"drift_pct\":8,\"threshold_pct\":%d,\"drift_deg\":1,\"threshold_deg\":6,"
        "\"hold_off_steps\":%d}}",
        c[1] & 1 ? "guest" : "ignore", 1 + c[1] % 30, c[2] % 101 * 100, c[3] % 140,
        500 + c[4] * 100, 2 + c[5] % 20, 1 + c[5] % 10, 10 + c[6] % 20, c[7] * 2, 10 + c[3],
        1 + c[6] % 40);
    say(w, "config/settings/site", BS_RECORD_RETAINED, bs_slice_of(text, (size_t)length));
}

static void dress(struct world *w, const uint8_t *c)
{
    static const char *const consents[] = {"none", "group", "member", "member"};
    char topic[32], text[256];
    unsigned device = c[3] % 8;
    int length = snprintf(text, sizeof text,
                          "{\"consent\":\"%s\",\"alias\":\"A%d\",\"devices\":[\"d%u\",\"d%u\"],"
                          "\"groups\":[\"g%d\"]}",
                          consents[c[2] % 4], c[4] % 3, device, (device + 1) % 8, c[5] % 2);
    snprintf(topic, sizeof topic, "config/member/m%d", c[1] % 4);
    say(w, topic, BS_RECORD_RETAINED,
        c[6] % 8 == 7 ? BS_SLICE("") : bs_slice_of(text, (size_t)length));
}

static void teach(struct world *w, const uint8_t *c)
{
    char topic[32], text[256];
    static const char drill[] = "{\"repeat\":5,\"phases\":[{\"name\":\"a\",\"direction\":\"B\","
                                "\"duration_s\":20},{\"name\":\"b\",\"direction\":\"F\","
                                "\"duration_s\":30}]}";
    say(w, "config/drill/d", BS_RECORD_RETAINED, bs_slice_text(drill));
    int length =
        snprintf(text, sizeof text, "{\"drill\":\"d\",\"start\":\"2026-11-26T%02d:%02d:00Z\"}",
                 17 + c[2] % 3, c[3] % 60);
    snprintf(topic, sizeof topic, "config/session/g%d", c[1] % 2);
    say(w, topic, BS_RECORD_RETAINED,
        c[4] % 8 == 7 ? BS_SLICE("") : bs_slice_of(text, (size_t)length));
}

static void bear(struct world *w, const uint8_t *c)
{
    static const char *const births[] = {
        "{\"kind\":\"foot\",\"side\":\"L\"}", "{\"kind\":\"foot\",\"side\":\"R\"}",
        "{\"kind\":\"trunk\",\"battery_pct\":50}", "{\"kind\":\"wrist\"}", "{\"kind\":\"hat\"}"};
    char topic[32];
    snprintf(topic, sizeof topic, "device/d%d/birth", c[1] % 8);
    say(w, topic, 0, bs_slice_text(births[c[2] % 5]));
}

/* As the shell does: a tick at each deadline. Each time it fires something, or later is due. */
static void wait(struct world *w, int64_t ms)
{
    int64_t until = w->tick + ms;
    for (int64_t due; (due = bs_engine_deadline(w->engines[0]).ms) <= until;) {
        bs_check(due == bs_engine_deadline(w->engines[1]).ms);
        w->tick = due > w->tick ? due : w->tick;
        fold(w, BS_RECORD_TICK, 0, (struct bs_slice){0});
        bs_check(bs_engine_deadline(w->engines[0]).ms > w->tick);
    }
    w->tick = until;
}

static void set_clock(struct world *w, const uint8_t *c)
{
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    struct bs_clock_body body = {.offset_ms = ((int64_t)c[2] - 128) * (c[1] & 1 ? 60000 : 1),
                                 .stepped = c[1] & 1};
    bs_clock_body_write(&body, bytes);
    fold(w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
}

static void take_command(struct world *w, const uint8_t *c)
{
    if (c[0] & 16)
        engine_again(&w->engines[ENGINES - 1], &options);
    switch (c[0] % 16) {
    case 0:
        configure(w, c);
        break;
    case 1:
        dress(w, c);
        break;
    case 2:
        teach(w, c);
        break;
    case 3:
        bear(w, c);
        break;
    case 4:
        set_clock(w, c);
        break;
    case 5:
        wait(w, c[1] * INT64_C(5000));
        break;
    case 6:
    case 7:
    case 8:
        wait(w, c[1] * INT64_C(20));
        break;
    default:
        walk(w, c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w;
    start(&w);
    for (size_t i = 0; i + COMMAND <= size && i < COMMAND * 512; i += COMMAND)
        take_command(&w, data + i);
    wait(&w, INT64_C(600000));
    for (int i = 0; i < ENGINES; i++)
        bs_engine_free(w.engines[i]);
    return 0;
}
