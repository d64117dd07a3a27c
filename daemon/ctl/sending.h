/* What simulate and replay share: the options of sending, the run itself from a source of readings
 * to the last acknowledgement or the end of a script, and the truth file. */
#ifndef BACKSTEP_CTL_SENDING_H
#define BACKSTEP_CTL_SENDING_H

#include "broker.h"
#include "encode.h"
#include "network.h"
#include "paced_publisher.h"
#include "progress.h"
#include "reading.h"
#include "script.h"
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
    const char *script_path; /* no option here; NULL: to the broker */
};

/* --speed, --form, --batch, --up, --stored, --truth, --quiet. */
extern const struct argp bs_sending_argp;

struct bs_sending_plan {
    struct bs_source source;
    const struct bs_wearable *wearables;
    int64_t origin_ms; /* event time that is due at once */
    struct bs_network_options network;
    /* Delivers what comes before the first step; NULL: nothing does. */
    enum bs_status (*open)(void *context, const struct bs_sink *to);
    /* Learns of every message as it is handed over; NULL: nobody does. */
    void (*arrived)(void *context, const struct bs_parcel *parcel);
    void *open_context, *arrived_context;
};

/* A connection, or a script, and what is told about it; all calls give an exit status and say on
 * stderr what is wrong where it is not BS_EXIT_DONE. */
struct bs_sending {
    const struct bs_broker *broker;
    const struct bs_sending_options *options;
    struct bs_progress progress;
    struct bs_publisher *publisher; /* NULL until there is one, and with a script */
    struct bs_paced_publisher pace;
    struct bs_script script;
    struct bs_sink sink;                /* one of the two */
    const struct bs_sending_plan *plan; /* of the run; NULL before and after it */
    struct bs_truth *truth;             /* likewise */
    FILE *truth_file;
};

/* Opens the truth file and the script, or waits for the broker. */
int bs_sending_open(struct bs_sending *s, const struct bs_broker *broker,
                    const struct bs_sending_options *sending);
void bs_sending_close(struct bs_sending *s);

/* Sends all of it; done when all of it is acknowledged. `truth` is for as many wearables and also
 * holds what was sent where the run ended early. */
int bs_sending_run(struct bs_sending *s, const struct bs_sending_plan *plan,
                   struct bs_truth *truth);

/* Topics above a wearable, "backstep/v1/north/device/" or "device/", of at most
 * BS_BROKER_TOPIC_MAX. */
void bs_sending_device_topic(const struct bs_sending *s, char ret[BS_BROKER_TOPIC_MAX]);

/* Writes the JSON that stands in `text` to the truth file, where there is one. */
int bs_sending_write_truth(struct bs_sending *s, const struct bs_buffer *text);

/* Messages handed over without PUBACK so far. */
uint64_t bs_sending_unacknowledged(const struct bs_sending *s);

/* The last line of a run, on stdout, unless quiet or where a script stands there. */
void bs_sending_summarise(const struct bs_sending *s, const struct bs_truth *truth);

int64_t bs_sending_wall_ms(void);

#endif
