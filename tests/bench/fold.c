/* Cost of the fold per step, from a recorded intake log of 1000 devices that walk at 109 steps a
 * minute: decoding, judging, windows and the rows that are written meanwhile. Also what a device
 * holds, how often memory is asked for, and the cost of a document.
 *
 *   fold PEOPLE FORM [STEPS]      ns a step: median of five passes over the same records
 *   fold PEOPLE count FORM        one pass and nothing else, for counting instructions
 *   fold PEOPLE memory DEVICES    bytes a device after more than the lateness of walking
 *   fold documents COUNT          us a member's document: new, the same again, another
 *
 * PEOPLE is `guests`, or `members` of classes; FORM `single`, `batch` or `binary`.
 * Prints one JSON object. */
#include "backstep/base/check.h"
#include "backstep/core/engine.h"
#include "walk.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEGIN_MS   INT64_C(1795716000000)
#define DEVICES    1000
#define WARM_STEPS 40000u
#define WALKED_MS  330000 /* more than allowed_lateness_s */

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

/* A tick record of 100 ms goes in between as the daemon would make it. A name of its own in the
 * program, so that callgrind can count it alone. */
__attribute__((noinline)) static void fold(struct bs_engine *engine,
                                           const struct bs_record *records, size_t count,
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

/* Of documents, and by another name: they are no part of what a step costs. */
__attribute__((noinline)) static void put_in_force(struct bs_engine *engine,
                                                   const struct bs_record *records, size_t count)
{
    struct said said = {0};
    struct bs_effects effects = {&said, take_line, take_publication};
    for (size_t i = 0; i < count; i++)
        bs_engine_step(engine, &records[i], &effects);
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

/* Gives how many records stand before the first step. */
static size_t record_walk(struct walk *w, enum walk_people people, enum walk_form form,
                          uint64_t steps)
{
    walk_init(w, form, people, DEVICES, BEGIN_MS);
    walk_add_head(w);
    size_t head = w->count;
    while (w->steps < steps)
        walk_add_message(w);
    walk_place(w);
    return head;
}

static void time_fold(enum walk_people people, const char *name, uint64_t steps)
{
    struct walk w;
    enum walk_form form = (enum walk_form)walk_form_of(name);
    size_t warm = record_walk(&w, people, form, steps + WARM_STEPS);
    warm += WARM_STEPS / walk_steps_per_message(form);
    uint64_t timed = w.steps - WARM_STEPS;
    double costs[5];
    uint64_t asked = 0;
    struct said said = {0};
    for (int pass = 0; pass < 5; pass++) {
        struct bs_engine *engine = new_engine();
        fold(engine, w.records, warm, &(struct said){0});
        said = (struct said){0};
        uint64_t before = allocations;
        double began = cpu_ns();
        fold(engine, w.records + warm, w.count - warm, &said);
        costs[pass] = (cpu_ns() - began) / (double)timed;
        asked = allocations - before;
        bs_check(bs_engine_books(engine)->steps_counted == w.steps);
        bs_engine_free(engine);
    }
    qsort(costs, 5, sizeof costs[0], by_value);
    printf("{\"form\":\"%s\",\"steps\":%llu,\"ns_per_step\":%.1f,\"least_ns\":%.1f,"
           "\"steps_per_row\":%.2f,\"allocations\":%llu,\"allocations_per_step\":%.6f}\n",
           name, (unsigned long long)timed, costs[2], costs[0], (double)timed / (double)said.rows,
           (unsigned long long)asked, (double)asked / (double)timed);
    walk_fini(&w);
}

static void count_fold(enum walk_people people, enum walk_form form)
{
    struct walk w;
    size_t head = record_walk(&w, people, form, 100000);
    struct bs_engine *engine = new_engine();
    struct said said = {0};
    put_in_force(engine, w.records, head);
    fold(engine, w.records + head, w.count - head, &said);
    printf("{\"steps\":%llu,\"rows\":%llu}\n", (unsigned long long)w.steps,
           (unsigned long long)said.rows);
    bs_engine_free(engine);
    walk_fini(&w);
}

static size_t held_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Records are made and dropped one at a time, so that what is measured is the engine; what the
 * recording itself keeps is there before. */
static void measure_memory(enum walk_people people, unsigned devices)
{
    struct bs_engine *engine = new_engine();
    struct said said = {0};
    struct walk w;
    walk_init(&w, WALK_BINARY, people, devices, BEGIN_MS);
    walk_add_head(&w);
    walk_place(&w);
    size_t empty = held_bytes();
    fold(engine, w.records, w.count, &said);
    size_t before = held_bytes();
    const uint64_t rounds = WALKED_MS / (WALK_STEP_MS * WALK_BATCH);
    while (w.messages < rounds * devices) {
        walk_drop(&w);
        walk_add_message(&w);
        walk_place(&w);
        fold(engine, w.records, w.count, &said);
    }
    size_t after = held_bytes();
    struct bs_engine_held held;
    bs_engine_get_held(engine, &held);
    bs_check(held.devices == devices);
    printf("{\"devices\":%u,\"bytes_per_device\":%.0f,\"document_bytes_per_device\":%.0f,"
           "\"windows_per_device\":%.1f}\n",
           devices, (double)(after - before) / devices, (double)(before - empty) / devices,
           (double)held.windows / devices);
    bs_engine_free(engine);
    walk_fini(&w);
}

/* All members' documents of that version, folded: us each. */
static double fold_documents(struct bs_engine *engine, unsigned count, unsigned version)
{
    struct walk w;
    struct said said = {0};
    walk_init(&w, WALK_SINGLE, WALK_MEMBERS, count, BEGIN_MS);
    for (unsigned i = 0; i < count; i++)
        walk_add_member(&w, i, version);
    walk_place(&w);
    double began = cpu_ns();
    fold(engine, w.records, w.count, &said);
    double took = cpu_ns() - began;
    walk_fini(&w);
    return took / count / 1000;
}

static void time_documents(unsigned count)
{
    struct bs_engine *engine = new_engine();
    struct said said = {0};
    struct walk w;
    walk_init(&w, WALK_SINGLE, WALK_GUESTS, 1, BEGIN_MS);
    walk_add_head(&w);
    walk_place(&w);
    fold(engine, w.records, w.count, &said);
    double new_us = fold_documents(engine, count, 0), again_us[5], changed_us[5];
    for (unsigned i = 0; i < 5; i++) {
        again_us[i] = fold_documents(engine, count, i);
        changed_us[i] = fold_documents(engine, count, i + 1);
    }
    qsort(again_us, 5, sizeof again_us[0], by_value);
    qsort(changed_us, 5, sizeof changed_us[0], by_value);
    bs_check(bs_engine_books(engine)->config_accepted == 1 + 11 * (uint64_t)count);
    printf("{\"documents\":%u,\"new_us\":%.2f,\"again_us\":%.2f,\"changed_us\":%.2f}\n", count,
           new_us, again_us[2], changed_us[2]);
    bs_engine_free(engine);
    walk_fini(&w);
}

static int explain(const char *program)
{
    fprintf(stderr,
            "usage: %s guests|members single|batch|binary [STEPS] | PEOPLE count FORM |\n"
            "       PEOPLE memory DEVICES | documents COUNT\n",
            program);
    return 64;
}

int main(int argc, char **argv)
{
    uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000;
    if (argc == 3 && strcmp(argv[1], "documents") == 0) {
        time_documents((unsigned)strtoul(argv[2], NULL, 10));
        return 0;
    }
    if (argc < 3 || (strcmp(argv[1], "guests") != 0 && strcmp(argv[1], "members") != 0))
        return explain(argv[0]);
    enum walk_people people = argv[1][0] == 'g' ? WALK_GUESTS : WALK_MEMBERS;
    if (argc == 4 && strcmp(argv[2], "memory") == 0)
        measure_memory(people, (unsigned)number);
    else if (argc == 4 && strcmp(argv[2], "count") == 0 && walk_form_of(argv[3]) >= 0)
        count_fold(people, (enum walk_form)walk_form_of(argv[3]));
    else if (walk_form_of(argv[2]) >= 0)
        time_fold(people, argv[2], number);
    else
        return explain(argv[0]);
    return 0;
}
