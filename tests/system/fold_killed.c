/* A daemon that dies at an exact place: folds the intake log of a folder into its outbox, as
 * backstepd does at its start, and kills itself behind the given number of records. Nothing is
 * flushed, closed or cut; what stands in the outbox then is what a later start finds. Must never be
 * kinder to the logs than SIGKILL is. */
#include "../../daemon/shell/fold.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB UINT64_C(1048576)

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "fold_killed: %s: %s\n", what, why);
    exit(1);
}

static struct bs_tick_ms stamp(void *context)
{
    return *(struct bs_tick_ms *)context;
}

static void note_change(void *context)
{
    (void)context;
}

/* Sizes as backstepd has them by default. `last` becomes the latest tick of the logs opened so far.
 */
static struct bs_log *open_log(const char *folder, const char *name, struct bs_tick_ms *last)
{
    struct bs_log_options options = {.directory = folder,
                                     .name = name,
                                     .segment_bytes = 64 * MIB,
                                     .max_bytes = 1024 * MIB,
                                     .sync_ms = 200,
                                     .stamp = stamp,
                                     .on_record = note_change,
                                     .on_change = note_change,
                                     .context = last};
    struct bs_log_recovery found;
    struct bs_log *log;
    if (bs_log_open(&log, &options, &found) != BS_OK)
        fail(name, found.message);
    if (found.last_tick.ms > last->ms)
        *last = found.last_tick;
    return log;
}

static bool answer_no(void *context)
{
    (void)context;
    return false;
}

static void ignore_publication(void *context, const struct bs_publication *publication)
{
    (void)context;
    (void)publication;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: fold_killed FOLDER SITE RECORDS\n");
        return 2;
    }
    struct bs_tick_ms last = {0};
    struct bs_engine_options options = {BS_SLICE("backstep/v1"), bs_slice_text(argv[2])};
    struct bs_fold fold = {.intake = open_log(argv[1], "intake", &last),
                           .outbox = open_log(argv[1], "outbox", &last),
                           .make_room = answer_no,
                           .skip_open_rows = answer_no,
                           .publish = ignore_publication};
    if (bs_engine_new(&fold.engine, &options) != BS_OK || bs_fold_init(&fold) != BS_OK)
        fail("cannot begin", argv[1]);
    for (unsigned long left = strtoul(argv[3], NULL, 10); left > 0; left--)
        if (!bs_fold_next(&fold))
            fail("the log ends, or the outbox takes nothing", bs_status_text(fold.trouble));
    raise(SIGKILL);
    return 1;
}
