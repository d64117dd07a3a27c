/* Cost of the fold per step, from a recorded intake log of 1000 devices that walk at 109 steps a
 * minute: decoding, judging, windows and the rows that are written meanwhile. Also what a device
 * holds, and how often memory is asked for.
 *
 *   fold single|batch|binary [STEPS]   ns a step: median of five passes over the same records
 *   fold count single|batch|binary     one pass and nothing else, for counting instructions
 *   fold memory DEVICES                bytes a device after more than the lateness of walking
 *
 * Prints one JSON object. */
#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/base/random.h"
#include "backstep/core/engine.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEGIN_MS   INT64_C(1795716000000)
#define STEP_MS    550
#define BATCH      20
#define WARM_STEPS 40000u

enum form { SINGLE, BATCHED, BINARY };

/* Counted by interposing: the C library's own entry points stay behind these. */
static uint64_t allocations;
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *at, size_t size)
{
    allocations++;
    return __libc_realloc(at, size);
}

/* The recording: records one behind the other, bodies in one buffer. */
struct recording {
    struct bs_buffer bytes;
    struct bs_record *records;
    size_t *bodies; /* offsets: the buffer moves while it grows */
    size_t count, room;
    uint64_t steps;
};

static void add_record(struct recording *r, int64_t tick, enum bs_record_type type, size_t body)
{
    if (r->count == r->room) {
        r->room = r->room ? r->room * 2 : 4096;
        r->records = realloc(r->records, r->room * sizeof *r->records);
        r->bodies = realloc(r->bodies, r->room * sizeof *r->bodies);
        bs_check(r->records && r->bodies);
    }
    r->bodies[r->count] = body;
    r->records[r->count] = (struct bs_record){.position = r->count,
                                              .next = r->count + 1,
                                              .tick = {tick},
                                              .type = (uint8_t)type,
                                              .body = {NULL, r->bytes.length - body}};
    r->count++;
}

static size_t begin_message(struct recording *r, const char *topic)
{
    size_t body = r->bytes.length;
    uint8_t head[BS_MESSAGE_HEAD_BYTES];
    bs_message_head_write((uint16_t)strlen(topic), 0, head);
    bs_buffer_add(&r->bytes, bs_slice_of(head, sizeof head));
    bs_buffer_add_text(&r->bytes, topic);
    return body;
}

static void steps_topic(char *ret, size_t bytes, unsigned device)
{
    snprintf(ret, bytes, "backstep/v1/gym/device/pod-%06u/steps", device);
}

static int vary(struct bs_random *random, int mean, int spread)
{
    return mean - spread + (int)bs_random_below(random, (uint64_t)(2 * spread + 1));
}

static void add_single(struct recording *r, struct bs_random *random, unsigned seq, int64_t t)
{
    bs_buffer_add_format(
        &r->bytes,
        "{\"v\":1,\"boot\":2882343476,\"seq\":%u,\"t\":%lld,\"foot\":\"%c\",\"dir\":"
        "\"F\",\"step_ms\":%d,\"contact_ms\":%d,\"step_mm\":%d,\"pitch_cdeg\":%d}",
        seq, (long long)t, seq % 2 ? 'L' : 'R', vary(random, 550, 20), vary(random, 600, 20),
        vary(random, 650, 40), vary(random, 2100, 200));
}

static void add_batch(struct recording *r, struct bs_random *random, unsigned seq, int64_t t)
{
    bs_buffer_add_format(
        &r->bytes,
        "{\"v\":1,\"boot\":2882343476,\"seq\":%u,\"t\":%lld,\"columns\":[\"dt_ms\","
        "\"foot\",\"dir\",\"step_ms\",\"contact_ms\",\"step_mm\",\"pitch_cdeg\"],"
        "\"rows\":[",
        seq, (long long)t);
    for (unsigned i = 0; i < BATCH; i++)
        bs_buffer_add_format(&r->bytes, "%s[%d,\"%c\",\"F\",%d,%d,%d,%d]", i ? "," : "",
                             i ? STEP_MS : 0, (seq + i) % 2 ? 'L' : 'R', vary(random, 550, 20),
                             vary(random, 600, 20), vary(random, 650, 40), vary(random, 2100, 200));
    bs_buffer_add_text(&r->bytes, "]}");
}

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void add_binary(struct recording *r, struct bs_random *random, unsigned seq, int64_t t)
{
    uint8_t text[24 + 16 * BATCH] = {'B', 'S', 1, BATCH};
    put(text + 4, 2882343476, 4);
    put(text + 8, seq, 4);
    put(text + 16, (uint64_t)t, 8);
    for (unsigned i = 0; i < BATCH; i++) {
        uint8_t *record = text + 24 + 16 * i;
        put(record, i ? STEP_MS : 0, 2);
        record[2] = (uint8_t)(((seq + i) % 2 ? 1 : 2) | 1 << 2);
        record[3] = 255;
        put(record + 4, (uint64_t)vary(random, 550, 20), 2);
        put(record + 6, 65535, 2);
        put(record + 8, (uint64_t)vary(random, 600, 20), 2);
        put(record + 10, (uint64_t)vary(random, 650, 40), 2);
        record[12] = 0x80;
        record[13] = 21;
        record[14] = 255;
    }
    bs_buffer_add(&r->bytes, bs_slice_of(text, sizeof text));
}

static void add_settings(struct recording *r, const char *document)
{
    size_t body = begin_message(r, "backstep/v1/gym/config/settings/site");
    bs_buffer_add_text(&r->bytes, document);
    add_record(r, BEGIN_MS, BS_RECORD_MESSAGE, body);
}

static void add_start(struct recording *r)
{
    struct bs_start_body start = {.offset_ms = 0, .hash_seed = 0x5eed};
    uint8_t bytes[BS_START_BODY_BYTES];
    bs_start_body_write(&start, bytes);
    size_t body = r->bytes.length;
    bs_buffer_add(&r->bytes, bs_slice_of(bytes, sizeof bytes));
    add_record(r, BEGIN_MS, BS_RECORD_START, body);
}

/* Devices begin at different moments; a message arrives when its last step was made. */
static void record_walk(struct recording *r, enum form form, unsigned devices, uint64_t steps)
{
    unsigned per_message = form == SINGLE ? 1 : BATCH;
    struct bs_random random;
    bs_random_init(&random, 1);
    bs_buffer_init(&r->bytes, SIZE_MAX / 2);
    add_start(r);
    add_settings(r, "{\"unknown_devices\":\"guest\",\"max_members\":1000000}");
    for (uint64_t message = 0; r->steps < steps; message++) {
        unsigned device = (unsigned)(message % devices), round = (unsigned)(message / devices);
        int64_t first = BEGIN_MS + (int64_t)round * per_message * STEP_MS +
                        (int64_t)device * per_message * STEP_MS / devices;
        int64_t arrival = first + (per_message - 1) * STEP_MS + 20;
        char topic[96];
        steps_topic(topic, sizeof topic, device);
        size_t body = begin_message(r, topic);
        if (form == SINGLE)
            add_single(r, &random, round, first);
        else if (form == BATCHED)
            add_batch(r, &random, round * BATCH, first);
        else
            add_binary(r, &random, round * BATCH, first);
        add_record(r, arrival, BS_RECORD_MESSAGE, body);
        r->steps += per_message;
    }
    bs_check(!r->bytes.failed);
    for (size_t i = 0; i < r->count; i++)
        r->records[i].body.at = r->bytes.at + r->bodies[i];
}

static void free_recording(struct recording *r)
{
    bs_buffer_fini(&r->bytes);
    free(r->records);
    free(r->bodies);
}

/* The fold. */

struct said {
    uint64_t rows, bytes;
};

static void take_line(void *context, struct bs_slice line, bool open)
{
    struct said *said = context;
    (void)open;
    said->rows++;
    said->bytes += line.length;
}

static void take_publication(void *context, const struct bs_publication *p)
{
    (void)context;
    (void)p;
}

static struct bs_engine *new_engine(void)
{
    struct bs_engine_options options = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};
    struct bs_engine *engine = NULL;
    bs_check(bs_engine_new(&engine, &options) == BS_OK);
    return engine;
}

/* A tick record of 100 ms goes in between as the daemon would make it. */
static void fold(struct bs_engine *engine, const struct bs_record *records, size_t count,
                 struct said *said)
{
    struct bs_effects effects = {said, take_line, take_publication};
    for (size_t i = 0; i < count; i++) {
        int64_t due = bs_engine_deadline(engine).ms;
        if (due != BS_NEVER_MS && due - due % 100 + 100 <= records[i].tick.ms) {
            struct bs_record tick = {.tick = {due - due % 100 + 100}, .type = BS_RECORD_TICK};
            bs_engine_step(engine, &tick, &effects);
        }
        bs_engine_step(engine, &records[i], &effects);
    }
}

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t warm_records(const struct recording *r, enum form form)
{
    size_t count = WARM_STEPS / (form == SINGLE ? 1 : BATCH);
    return count < r->count ? count : 0;
}

static void time_fold(const char *name, enum form form, uint64_t steps)
{
    struct recording r = {0};
    record_walk(&r, form, 1000, steps + WARM_STEPS);
    size_t warm = warm_records(&r, form);
    uint64_t warm_steps = form == SINGLE ? warm - 2 : (warm - 2) * BATCH;
    double costs[5];
    uint64_t asked = 0;
    struct said said = {0};
    for (int pass = 0; pass < 5; pass++) {
        struct bs_engine *engine = new_engine();
        fold(engine, r.records, warm, &(struct said){0});
        said = (struct said){0};
        uint64_t before = allocations;
        double began = cpu_ns();
        fold(engine, r.records + warm, r.count - warm, &said);
        costs[pass] = (cpu_ns() - began) / (double)(r.steps - warm_steps);
        asked = allocations - before;
        bs_check(bs_engine_books(engine)->steps_counted == r.steps);
        bs_engine_free(engine);
    }
    qsort(costs, 5, sizeof costs[0], by_value);
    printf("{\"form\":\"%s\",\"steps\":%llu,\"ns_per_step\":%.1f,\"least_ns\":%.1f,"
           "\"steps_per_row\":%.2f,\"allocations\":%llu,\"allocations_per_step\":%.6f}\n",
           name, (unsigned long long)(r.steps - warm_steps), costs[2], costs[0],
           (double)(r.steps - warm_steps) / (double)said.rows, (unsigned long long)asked,
           (double)asked / (double)(r.steps - warm_steps));
    free_recording(&r);
}

static void count_fold(enum form form)
{
    struct recording r = {0};
    record_walk(&r, form, 1000, 100000);
    struct bs_engine *engine = new_engine();
    struct said said = {0};
    fold(engine, r.records, r.count, &said);
    printf("{\"steps\":%llu,\"rows\":%llu}\n", (unsigned long long)r.steps,
           (unsigned long long)said.rows);
    bs_engine_free(engine);
    free_recording(&r);
}

/* Records are made and dropped one round at a time, so that what is measured is the engine. */
static void measure_memory(unsigned devices)
{
    struct bs_engine *engine = new_engine();
    struct said said = {0};
    struct bs_effects effects = {&said, take_line, take_publication};
    struct recording head = {0};
    bs_buffer_init(&head.bytes, 4096);
    add_start(&head);
    add_settings(&head, "{\"unknown_devices\":\"guest\",\"max_members\":1000000}");
    for (size_t i = 0; i < head.count; i++) {
        head.records[i].body.at = head.bytes.at + head.bodies[i];
        bs_engine_step(engine, &head.records[i], &effects);
    }
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct bs_random random;
    bs_random_init(&random, 1);
    const unsigned rounds = 330 * 1000 / (STEP_MS * BATCH);
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned device = 0; device < devices; device++) {
            static struct recording one;
            int64_t first = BEGIN_MS + (int64_t)round * BATCH * STEP_MS +
                            (int64_t)device * BATCH * STEP_MS / devices;
            char topic[96];
            steps_topic(topic, sizeof topic, device);
            one.count = 0;
            if (!one.bytes.max)
                bs_buffer_init(&one.bytes, 4096);
            bs_buffer_reset(&one.bytes);
            size_t body = begin_message(&one, topic);
            add_binary(&one, &random, round * BATCH, first);
            add_record(&one, first + (BATCH - 1) * STEP_MS + 20, BS_RECORD_MESSAGE, body);
            one.records[0].body.at = one.bytes.at;
            bs_engine_step(engine, &one.records[0], &effects);
        }
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct bs_engine_held held;
    bs_engine_get_held(engine, &held);
    bs_check(held.devices == devices);
    printf("{\"devices\":%u,\"bytes_per_device\":%.0f,\"windows_per_device\":%.1f}\n", devices,
           (double)(after - before) / devices, (double)held.windows / devices);
    bs_engine_free(engine);
    free_recording(&head);
}

static int form_of(const char *name)
{
    static const char *const names[] = {"single", "batch", "binary"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "memory") == 0) {
        measure_memory((unsigned)strtoul(argv[2], NULL, 10));
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "count") == 0 && form_of(argv[2]) >= 0) {
        count_fold((enum form)form_of(argv[2]));
        return 0;
    }
    if (argc < 2 || form_of(argv[1]) < 0) {
        fprintf(stderr, "usage: %s single|batch|binary [STEPS] | count FORM | memory DEVICES\n",
                argv[0]);
        return 64;
    }
    time_fold(argv[1], (enum form)form_of(argv[1]),
              argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000);
    return 0;
}
