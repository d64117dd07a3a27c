/* Any bytes as an engine's state: they are refused, or give an engine that can be saved, folds what
 * comes with books that balance, and can be freed. What is read of a file is covered by its
 * checksum; this is about what a checksum does not cover. */
#include "backstep/base/check.h"
#include "backstep/core/engine.h"

#include "../unit/engine_again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TICKS   200
#define LATE_MS (INT64_C(1) << 53) /* no clock shows it: a forged deadline */

static void ignore_line(void *context, struct bs_slice line, bool open)
{
    (void)context;
    (void)open;
    bs_check(line.length > 0 && line.at[line.length - 1] == '\n');
}

static void ignore_publication(void *context, const struct bs_publication *p)
{
    (void)context;
    (void)p;
}

static void fold(struct bs_engine *e, struct bs_tick_ms tick)
{
    struct bs_record r = {.position = 8, .next = 16, .tick = tick, .type = BS_RECORD_TICK};
    struct bs_effects effects = {NULL, ignore_line, ignore_publication};
    bs_check(bs_engine_step(e, &r, &effects) == BS_OK);
    bs_check(bs_books_balance(bs_engine_books(e)));
}

/* Time passes from deadline to deadline. */
static void live_on(struct bs_engine *e)
{
    for (int i = 0; i < TICKS; i++) {
        struct bs_tick_ms due = bs_engine_deadline(e);
        if (due.ms > LATE_MS || due.ms < -LATE_MS)
            break;
        fold(e, due);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_engine *e;
    struct bs_engine_options options = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};
    enum bs_status status =
        bs_engine_load(&e, &options, bs_slice_of(data, size), BS_SNAPSHOT_FORMAT);
    if (status != BS_OK)
        return 0;
    engine_again(&e, &options);
    live_on(e);
    engine_again(&e, &options);
    bs_engine_free(e);
    return 0;
}
