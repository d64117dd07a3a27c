/* What a long run says of itself while it lasts, and whether it was asked to stop.
 *
 * SIGINT and SIGTERM are blocked and looked for, not caught: a run that is asked to stop still
 * waits for acknowledgements and writes its truth, and no handler needs a global. */
#ifndef BACKSTEP_CTL_PROGRESS_H
#define BACKSTEP_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct bs_progress {
    bool quiet, terminal, stop;
    bool drawn; /* a line stands on the terminal that the next one replaces */
    uint64_t begun_ns, look_ns, draw_ns, granted_until_ns;
    void (*describe)(void *context, FILE *to); /* how far it is, without a newline */
    void *context;
};

/* Blocks the two signals; before any thread is started, so that all threads do. */
void bs_progress_init(struct bs_progress *p, bool quiet, void (*describe)(void *, FILE *),
                      void *context);

/* Cheap enough for every step. True once a stop was requested. */
bool bs_progress_poll(void *progress);

/* A stop was seen: polls say nothing of it for `ms`, so that what was begun can be finished. */
void bs_progress_grant(struct bs_progress *p, uint32_t ms);

/* Leaves the terminal clean for what comes next. */
void bs_progress_end(struct bs_progress *p);

#endif
