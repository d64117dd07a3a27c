/* What `backstepctl simulate` is told to do. */
#ifndef BACKSTEP_CTL_SIMULATE_OPTIONS_H
#define BACKSTEP_CTL_SIMULATE_OPTIONS_H

#include "broker.h"
#include "class.h"
#include "network.h"
#include "sending.h"
#include "wearables.h"

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

struct bs_simulation {
    struct bs_broker broker;
    struct bs_sending_options sending;
    struct bs_class_options class;
    struct bs_wearables_options wearables;
    struct bs_network_options network;
    const char *gym_folder, *group; /* NULL: a class of nobody in particular */
    struct bs_class_phase turns[2]; /* --back and --forward, without a folder */
    bool has_start, start_is_relative;
    int64_t start_ms;
    const char *rows_path; /* of the truth's rows; NULL: none */
    double group_consent_pct;
    bool guests;
};

/* Fills in all of it, or ends the program. */
void bs_simulation_parse(struct bs_simulation *s, int argc, char **argv);

/* Parts of it: their inputs are a bs_person_options, a bs_wearables_options, a bs_network_options.
 */
extern const struct argp bs_person_argp, bs_wearables_argp, bs_network_argp;

/* A time in seconds, in ms; or "LOW..HIGH" or one number for both, each within min..max; or
 * argp_error. */
int64_t bs_parse_seconds(struct argp_state *state, const char *option, const char *text,
                         double min);
void bs_parse_range(struct argp_state *state, const char *option, const char *text, double min,
                    double max, double ret[2]);

#endif
