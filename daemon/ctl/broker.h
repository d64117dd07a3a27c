/* Which broker and site a command speaks to: options that all of them share, over a configuration
 * file of the daemon's where one is named. */
#ifndef BACKSTEP_CTL_BROKER_H
#define BACKSTEP_CTL_BROKER_H

#include "connection.h"
#include "progress.h"

#include "backstep/edge/conf.h"

#include <argp.h>

/* Input of bs_broker_argp; begin with all zero, or with another give_up_s where that is the
 * command's default. */
struct bs_broker {
    const char *config, *uri, *site, *root; /* as given; NULL: not given */
    uint32_t give_up_s;
    bool unneeded; /* the command speaks to no broker after all: no site need be named */
    struct bs_conf conf;
};

/* --config, --uri, --site, --root, --timeout. */
extern const struct argp bs_broker_argp;

/* Loads the configuration where one was named and fills in the rest. BS_EXIT_DONE, or says what is
 * wrong on stderr and gives BS_EXIT_CONFIG. */
int bs_broker_resolve(struct bs_broker *b);
void bs_broker_fini(struct bs_broker *b);

/* Options of a connection to this broker that stops when the progress says so: all but filters and
 * listener. */
void bs_broker_connection_options(const struct bs_broker *b, struct bs_progress *progress,
                                  struct bs_connection_options *ret);

/* Says on stderr what a connection's status means, and gives the exit status for it. `left`: what
 * is not done ("3 messages are not acknowledged"), or ""; `trouble`: the connection's. */
int bs_broker_explain(const struct bs_broker *b, enum bs_status status, const char *left,
                      const char *trouble);

/* "ROOT/SITE/REST" into ret_topic, which is large enough for every root, site and id. */
#define BS_BROKER_TOPIC_MAX 512
void bs_broker_topic(const struct bs_broker *b, const char *rest,
                     char ret_topic[BS_BROKER_TOPIC_MAX]);

/* A number within min..max for an option, or argp_error. */
double bs_parse_number(struct argp_state *state, const char *option, const char *text, double min,
                       double max);
uint64_t bs_parse_count(struct argp_state *state, const char *option, const char *text,
                        uint64_t min, uint64_t max);

#endif
