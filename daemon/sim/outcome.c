/* What a run has come to. Must never depend on the order of a hash. */
#include "outcome.h"

#include "backstep/base/check.h"
#include "expectation.h"
#include "world.h"

#include <stdlib.h>

static void trace_number(void *context, const char *name, uint64_t value)
{
    (void)context;
    if (value > 0)
        sim_trace("end %s %llu", name, (unsigned long long)value);
}

/* Rows ----------------------------------------------------------------------------------------- */

static int by_key(const struct sim_row *a, const struct sim_row *b)
{
    size_t least = a->key.length < b->key.length ? a->key.length : b->key.length;
    int order = memcmp(a->key.at, b->key.at, least);
    return order ? order : (a->key.length > b->key.length) - (a->key.length < b->key.length);
}

static void trace_row(const struct sim_row *row)
{
    const char *space = memrchr(row->key.at, ' ', row->key.length);
    size_t head = (size_t)(space - row->key.at);
    sim_trace("end row %.*s %.*s %.*s", (int)head, row->key.at, (int)row->fields.length,
              row->fields.at, (int)(row->key.length - head - 1), space + 1);
}

static void trace_rows(void)
{
    struct sim_row *row, *next;
    HASH_SORT(world->database.rows.by_key, by_key);
    HASH_ITER(hh, world->database.rows.by_key, row, next)
    {
        if (!bs_slice_starts(row->key, BS_SLICE("backstep_service,")))
            trace_row(row);
    }
}

static void trace_sum(const char *measurement)
{
    struct sim_row *row, *next;
    uint64_t sum = 0;
    size_t length = strlen(measurement);
    HASH_ITER(hh, world->database.rows.by_key, row, next)
    {
        struct bs_slice steps;
        if (bs_slice_starts(row->key, bs_slice_text(measurement)) && row->key.at[length] == ',' &&
            sim_fields_find(row->fields, BS_SLICE("steps"), &steps))
            sum += strtoull(steps.at, NULL, 10);
    }
    char name[64];
    snprintf(name, sizeof name, "steps in %s", measurement);
    trace_number(NULL, name, sum);
}

/* Dead letters --------------------------------------------------------------------------------- */

static void trace_letters(const char *name)
{
    const struct sim_file *f = sim_disk_find(name);
    if (!f)
        return;
    struct bs_slice rest = bs_slice_of(f->cached, (size_t)f->size), line;
    while (sim_text_next_line(&rest, &line))
        sim_trace("end letter %.*s", (int)line.length, line.at);
}

void sim_outcome_trace(void)
{
    if (!world->trace)
        return;
    bs_books_each(&world->process.books, trace_number, NULL);
    trace_number(NULL, "starts", world->process.starts);
    trace_number(NULL, "lost", world->truth.lost);
    trace_number(NULL, "dropped", world->history.dropped);
    trace_number(NULL, "letters", world->history.letters);
    trace_number(NULL, "expired", world->history.expired);
    trace_sum("gait_window");
    trace_sum("gait_bout");
    trace_rows();
    trace_letters("dead-letters.jsonl.1");
    trace_letters("dead-letters.jsonl");
}
