/* Makes the recording of walk.h. Must never depend on anything but its arguments. */
#include "walk.h"

#include "backstep/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BOOT 2882343476u

int walk_form_of(const char *name)
{
    static const char *const names[WALK_FORMS] = {"single", "batch", "binary"};
    for (int i = 0; i < WALK_FORMS; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

unsigned walk_steps_per_message(enum walk_form form)
{
    return form == WALK_SINGLE ? 1 : WALK_BATCH;
}

void walk_init(struct walk *w, enum walk_form form, enum walk_people people, unsigned devices,
               int64_t begin_ms)
{
    *w = (struct walk){.form = form, .people = people, .devices = devices, .begin_ms = begin_ms};
    bs_random_init(&w->random, 1);
    bs_buffer_init(&w->bytes, SIZE_MAX / 2);
}

void walk_fini(struct walk *w)
{
    bs_buffer_fini(&w->bytes);
    free(w->records);
    free(w->bodies);
}

static void add_record(struct walk *w, int64_t tick, enum bs_record_type type, size_t body)
{
    if (w->count == w->room) {
        w->room = w->room ? w->room * 2 : 64;
        w->records = realloc(w->records, w->room * sizeof *w->records);
        w->bodies = realloc(w->bodies, w->room * sizeof *w->bodies);
        bs_check(w->records && w->bodies);
    }
    w->bodies[w->count] = body;
    w->records[w->count] = (struct bs_record){.position = w->count,
                                              .next = w->count + 1,
                                              .tick = {tick},
                                              .type = (uint8_t)type,
                                              .body = {NULL, w->bytes.length - body}};
    w->count++;
}

static size_t begin_message(struct walk *w, const char *topic)
{
    size_t body = w->bytes.length;
    uint8_t head[BS_MESSAGE_HEAD_BYTES];
    bs_message_head_write((uint16_t)strlen(topic), 0, head);
    bs_buffer_add(&w->bytes, bs_slice_of(head, sizeof head));
    bs_buffer_add_text(&w->bytes, topic);
    return body;
}

static void add_start(struct walk *w)
{
    struct bs_start_body start = {.offset_ms = 0, .hash_seed = 0x5eed};
    uint8_t bytes[BS_START_BODY_BYTES];
    bs_start_body_write(&start, bytes);
    size_t body = w->bytes.length;
    bs_buffer_add(&w->bytes, bs_slice_of(bytes, sizeof bytes));
    add_record(w, w->begin_ms, BS_RECORD_START, body);
}

__attribute__((format(printf, 3, 4))) static void add_document(struct walk *w, const char *name,
                                                               const char *format, ...)
{
    char topic[96], text[512];
    snprintf(topic, sizeof topic, "backstep/v1/gym/config/%s", name);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bs_check(length > 0 && (size_t)length < sizeof text);
    size_t body = begin_message(w, topic);
    bs_buffer_add(&w->bytes, bs_slice_of(text, (size_t)length));
    add_record(w, w->begin_ms, BS_RECORD_MESSAGE, body);
}

void walk_add_member(struct walk *w, unsigned device, unsigned version)
{
    char name[32];
    snprintf(name, sizeof name, "member/m-%06u", device);
    add_document(
        w, name,
        "{\"alias\":\"Walker %06u.%03u\",\"consent\":\"member\",\"devices\":[\"pod-%06u\"],"
        "\"groups\":[\"class-%u\"]}",
        device, version % 1000, device, device / WALK_CLASS_SIZE);
}

static void add_class(struct walk *w, unsigned number)
{
    char name[32], start[32];
    time_t begin_s = (time_t)(w->begin_ms / 1000);
    struct tm utc;
    strftime(start, sizeof start, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&begin_s, &utc));
    snprintf(name, sizeof name, "group/class-%u", number);
    add_document(w, name, "{\"name\":\"Class %u\"}", number);
    snprintf(name, sizeof name, "session/class-%u", number);
    add_document(w, name, "{\"drill\":\"back-twenty\",\"start\":\"%s\"}", start);
}

void walk_add_head(struct walk *w)
{
    add_start(w);
    add_document(w, "settings/site", "{\"unknown_devices\":\"%s\",\"max_members\":1000000}",
                 w->people == WALK_GUESTS ? "guest" : "ignore");
    if (w->people == WALK_GUESTS)
        return;
    add_document(w, "drill/back-twenty",
                 "{\"repeat\":100,\"phases\":[{\"name\":\"imprint\",\"direction\":\"B\","
                 "\"duration_s\":%d},{\"name\":\"carry-over\",\"direction\":\"F\","
                 "\"duration_s\":%d}]}",
                 WALK_PHASE_S, WALK_PHASE_S);
    for (unsigned i = 0; i * WALK_CLASS_SIZE < w->devices; i++)
        add_class(w, i);
    for (unsigned i = 0; i < w->devices; i++)
        walk_add_member(w, i, 0);
}

static int vary(struct bs_random *random, int mean, int spread)
{
    return mean - spread + (int)bs_random_below(random, (uint64_t)(2 * spread + 1));
}

/* Where a message stands in its device's walk. */
struct place {
    unsigned device, seq;
    int64_t first_ms; /* event time of its first step */
};

struct manner {
    char direction;
    int step_mm, pitch_cdeg, trunk_cdeg, vo_mm;
};

/* Members walk as their drill says; in the second half of a way forward a quarter of them takes
 * longer steps. */
static struct manner manner_at(const struct walk *w, const struct place *p, unsigned step)
{
    static const struct manner forward = {'F', 650, 2100, 300, 40};
    static const struct manner backward = {'B', 500, -2600, 800, 30};
    int64_t since_ms = p->first_ms + (int64_t)step * WALK_STEP_MS - w->begin_ms / 1000 * 1000;
    int64_t phase = since_ms / (WALK_PHASE_S * 1000);
    if (w->people == WALK_GUESTS)
        return forward;
    if (phase % 2 == 0)
        return backward;
    struct manner m = forward;
    if (since_ms % (WALK_PHASE_S * 1000) >= WALK_PHASE_S * 500 && (p->device + phase) % 8 < 2)
        m.step_mm = m.step_mm * 5 / 4;
    return m;
}

static void add_single(struct walk *w, const struct place *p)
{
    struct manner m = manner_at(w, p, 0);
    bs_buffer_add_format(&w->bytes,
                         "{\"v\":1,\"boot\":%u,\"seq\":%u,\"t\":%lld,\"foot\":\"%c\",\"dir\":"
                         "\"%c\",\"step_ms\":%d,\"contact_ms\":%d,\"step_mm\":%d,\"pitch_cdeg\":%d",
                         BOOT, p->seq, (long long)p->first_ms, p->seq % 2 ? 'L' : 'R', m.direction,
                         vary(&w->random, 550, 20), vary(&w->random, 600, 20),
                         vary(&w->random, m.step_mm, 40), vary(&w->random, m.pitch_cdeg, 200));
    if (w->people == WALK_MEMBERS)
        bs_buffer_add_format(&w->bytes, ",\"trunk_cdeg\":%d,\"vo_mm\":%d",
                             vary(&w->random, m.trunk_cdeg, 50), vary(&w->random, m.vo_mm, 2));
    bs_buffer_add_text(&w->bytes, "}");
}

static void add_row(struct walk *w, const struct place *p, unsigned i)
{
    struct manner m = manner_at(w, p, i);
    bs_buffer_add_format(&w->bytes, "%s[%d,\"%c\",\"%c\",%d,%d,%d,%d", i ? "," : "",
                         i ? WALK_STEP_MS : 0, (p->seq + i) % 2 ? 'L' : 'R', m.direction,
                         vary(&w->random, 550, 20), vary(&w->random, 600, 20),
                         vary(&w->random, m.step_mm, 40), vary(&w->random, m.pitch_cdeg, 200));
    if (w->people == WALK_MEMBERS)
        bs_buffer_add_format(&w->bytes, ",%d,%d", vary(&w->random, m.trunk_cdeg, 50),
                             vary(&w->random, m.vo_mm, 2));
    bs_buffer_add_text(&w->bytes, "]");
}

static void add_batch(struct walk *w, const struct place *p)
{
    bs_buffer_add_format(
        &w->bytes,
        "{\"v\":1,\"boot\":%u,\"seq\":%u,\"t\":%lld,\"columns\":[\"dt_ms\","
        "\"foot\",\"dir\",\"step_ms\",\"contact_ms\",\"step_mm\",\"pitch_cdeg\"%s],"
        "\"rows\":[",
        BOOT, p->seq, (long long)p->first_ms,
        w->people == WALK_MEMBERS ? ",\"trunk_cdeg\",\"vo_mm\"" : "");
    for (unsigned i = 0; i < WALK_BATCH; i++)
        add_row(w, p, i);
    bs_buffer_add_text(&w->bytes, "]}");
}

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Both directions have letters of the numbers 1 and 2. */
static void put_record(struct walk *w, const struct place *p, unsigned i, uint8_t *record)
{
    struct manner m = manner_at(w, p, i);
    bool posture = w->people == WALK_MEMBERS;
    put(record, i ? WALK_STEP_MS : 0, 2);
    record[2] = (uint8_t)(((p->seq + i) % 2 ? 1 : 2) | (m.direction == 'F' ? 1 : 2) << 2);
    record[3] = 255;
    put(record + 4, (uint64_t)vary(&w->random, 550, 20), 2);
    put(record + 6, 65535, 2);
    put(record + 8, (uint64_t)vary(&w->random, 600, 20), 2);
    put(record + 10, (uint64_t)vary(&w->random, m.step_mm, 40), 2);
    record[12] = posture ? (uint8_t)vary(&w->random, m.trunk_cdeg / 50, 1) : 0x80;
    record[13] = (uint8_t)(m.pitch_cdeg / 100);
    record[14] = posture ? (uint8_t)vary(&w->random, m.vo_mm, 2) : 255;
}

static void add_binary(struct walk *w, const struct place *p)
{
    uint8_t text[24 + 16 * WALK_BATCH] = {'B', 'S', 1, WALK_BATCH};
    put(text + 4, BOOT, 4);
    put(text + 8, p->seq, 4);
    put(text + 16, (uint64_t)p->first_ms, 8);
    for (unsigned i = 0; i < WALK_BATCH; i++)
        put_record(w, p, i, text + 24 + 16 * i);
    bs_buffer_add(&w->bytes, bs_slice_of(text, sizeof text));
}

/* Devices begin at different moments; a message arrives when its last step was made. */
void walk_add_message(struct walk *w)
{
    unsigned steps = walk_steps_per_message(w->form);
    unsigned device = (unsigned)(w->messages % w->devices);
    unsigned seq = (unsigned)(w->messages / w->devices) * steps;
    int64_t first = w->begin_ms + (int64_t)seq * WALK_STEP_MS +
                    (int64_t)device * steps * WALK_STEP_MS / w->devices;
    struct place place = {device, seq, first};
    char topic[96];
    snprintf(topic, sizeof topic, "backstep/v1/gym/device/pod-%06u/steps", device);
    size_t body = begin_message(w, topic);
    if (w->form == WALK_SINGLE)
        add_single(w, &place);
    else if (w->form == WALK_BATCHED)
        add_batch(w, &place);
    else
        add_binary(w, &place);
    add_record(w, first + (steps - 1) * WALK_STEP_MS + 20, BS_RECORD_MESSAGE, body);
    w->messages++;
    w->steps += steps;
}

void walk_place(struct walk *w)
{
    bs_check(!w->bytes.failed);
    for (size_t i = 0; i < w->count; i++)
        w->records[i].body.at = w->bytes.at + w->bodies[i];
}

void walk_drop(struct walk *w)
{
    bs_buffer_reset(&w->bytes);
    w->count = 0;
}
