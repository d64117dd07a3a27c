/* Leaves an intake log as a daemon would have written it while so many devices (1000) walked:
 * binary batches of 20 and a tick every 100 ms, ending now.
 *
 *   record DIRECTORY STEPS [DEVICES] */
#include "backstep/base/check.h"
#include "backstep/edge/clock.h"
#include "backstep/edge/log.h"
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES       1000
#define MIB           (1024 * UINT64_C(1024))
#define TICK_EVERY_MS 100

static struct bs_tick_ms stamp(void *context)
{
    return *(struct bs_tick_ms *)context;
}

static void ignore(void *context)
{
    (void)context;
}

/* The log's own thread makes room ahead; we are faster than it now and then. */
static void append(struct bs_log *log, uint8_t type, struct bs_slice body)
{
    enum bs_status status;
    do
        status = bs_log_append(log, type, 0, &body, 1, NULL);
    while (status == BS_FULL);
    if (status == BS_OK)
        return;
    fprintf(stderr, "record: cannot append: %s\n", bs_status_text(status));
    exit(1);
}

/* Neighbours may have made their last step a hair out of order; a log's ticks do not fall. */
static void append_walk(struct bs_log *log, struct bs_tick_ms *tick, struct walk *w)
{
    walk_place(w);
    for (size_t i = 0; i < w->count; i++) {
        struct bs_record *r = &w->records[i];
        int64_t next_tick_ms = tick->ms - tick->ms % TICK_EVERY_MS + TICK_EVERY_MS;
        if (tick->ms && next_tick_ms <= r->tick.ms) {
            tick->ms = next_tick_ms;
            append(log, BS_RECORD_TICK, bs_slice_of("", 0));
        }
        tick->ms = r->tick.ms > tick->ms ? r->tick.ms : tick->ms;
        append(log, r->type, r->body);
    }
    walk_drop(w);
}

int main(int argc, char **argv)
{
    struct bs_tick_ms tick = {0};
    struct bs_log_recovery found;
    struct bs_log *log;
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: %s DIRECTORY STEPS [DEVICES]\n", argv[0]);
        return 64;
    }
    struct bs_log_options options = {.directory = argv[1],
                                     .name = "intake",
                                     .segment_bytes = 64 * MIB,
                                     .max_bytes = 2048 * MIB,
                                     .sync_ms = 200,
                                     .stamp = stamp,
                                     .on_record = ignore,
                                     .on_change = ignore,
                                     .context = &tick};
    if (bs_log_open(&log, &options, &found) != BS_OK) {
        fprintf(stderr, "record: %s\n", found.message);
        return 1;
    }
    uint64_t steps = strtoull(argv[2], NULL, 10);
    unsigned devices = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : DEVICES;
    bs_check(devices > 0);
    uint64_t seconds = (steps / devices / WALK_BATCH + 2) * WALK_BATCH * WALK_STEP_MS / 1000;
    struct walk w;
    walk_init(&w, WALK_BINARY, WALK_GUESTS, devices, bs_clock_wall().ms - (int64_t)seconds * 1000);
    for (walk_add_head(&w); w.steps < steps; walk_add_message(&w))
        append_walk(log, &tick, &w);
    append_walk(log, &tick, &w);
    bs_log_close(log);
    printf("{\"steps\":%llu,\"messages\":%llu}\n", (unsigned long long)w.steps,
           (unsigned long long)w.messages);
    walk_fini(&w);
    return 0;
}
