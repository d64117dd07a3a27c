/* What simulate and replay share: the options of sending, the run itself from a source of steps to
 * the last acknowledgement, and the truth file. */
#ifndef BACKSTEP_CTL_SENDING_H
#define BACKSTEP_CTL_SENDING_H

#include "broker.h"
#include "encode.h"
#include "progress.h"
#include "publisher.h"
#include "truth.h"

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

/* Input of bs_sending_argp; begin with all zero. */
struct bs_sending_options {
    struct bs_encoding encoding;
    uint32_t batch;
    double speed;
    const char *truth_path; /* NULL: none */
    bool quiet;
};

/* --speed, --form, --batch, --up, --stored, --truth, --quiet. */
extern const struct argp bs_sending_argp;

/* A connection and what is told about it; all calls give an exit status and say on stderr what is
 * wrong where it is not BS_EXIT_DONE. */
struct bs_sending {
    const struct bs_broker *broker;
    const struct bs_sending_options *options;
    struct bs_progress progress;
    struct bs_publisher *publisher; /* NULL until there is one */
    const struct bs_truth *truth;   /* of the run, for its progress; NULL before it */
    FILE *truth_file;
};

/* Opens the truth file and waits for the broker. */
int bs_sending_open(struct bs_sending *s, const struct bs_broker *broker,
                    const struct bs_sending_options *sending);
void bs_sending_close(struct bs_sending *s);

struct bs_source {
    void *context;
    /* The next step in order of event time; false at the end. */
    bool (*next)(void *context, uint32_t *ret_wearable, struct bs_event *ret);
};

struct bs_sending_plan {
    struct bs_source source;
    const struct bs_wearable *wearables;
    int64_t origin_ms; /* event time that is due at once */
    double duplicates_pct, reorder_pct;
    uint64_t seed;
};

/* Sends all of it; done when all of it is acknowledged. `truth` is for as many wearables and also
 * holds what was sent where the run ended early. */
int bs_sending_run(struct bs_sending *s, const struct bs_sending_plan *plan,
                   struct bs_truth *truth);

/* Writes the JSON that stands in `text` to the truth file, where there is one. */
int bs_sending_write_truth(struct bs_sending *s, const struct bs_buffer *text);

/* Messages handed over without PUBACK so far. */
uint64_t bs_sending_unacknowledged(const struct bs_sending *s);

/* The last line of a run, on stdout, unless quiet. */
void bs_sending_summarise(const struct bs_sending *s, const struct bs_truth *truth);

int64_t bs_sending_wall_ms(void);

#endif
