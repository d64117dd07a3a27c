/* The options that name broker and site. Must never take a secret from the command line: those
 * stand in files that the configuration names. */
#include "broker.h"

#include "exit_status.h"

#include "backstep/base/check.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GIVE_UP_S      60u
#define FALLBACK_URI   "mqtt://127.0.0.1:1883"
#define FALLBACK_ROOT  "backstep/v1"
#define ROOT_BYTES_MAX 256u

enum { OPTION_CONFIG = 0x1000, OPTION_URI, OPTION_SITE, OPTION_ROOT, OPTION_TIMEOUT };

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Broker and site:", 1},
    {"config", OPTION_CONFIG, "FILE", 0, "the daemon's configuration: broker, site, credentials",
     0},
    {"uri", OPTION_URI, "URI", 0, "broker: mqtt://, mqtts://, ws:// or wss:// (" FALLBACK_URI ")",
     0},
    {"site", OPTION_SITE, "SITE", 0, "site (needed where no --config names it)", 0},
    {"root", OPTION_ROOT, "TOPIC", 0, "topics above the site (" FALLBACK_ROOT ")", 0},
    {"timeout", OPTION_TIMEOUT, "S", 0,
     "give up after S seconds without an answer (simulate, replay: 60; others: 30; 0: never)", 0},
    {0},
};

double bs_parse_number(struct argp_state *state, const char *option, const char *text, double min,
                       double max)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (*text == '\0' || isspace((unsigned char)*text) || *end != '\0' || errno != 0 ||
        !isfinite(value) || value < min || value > max)
        argp_error(state, "--%s is '%s', not a number from %g to %g", option, text, min, max);
    return value;
}

uint64_t bs_parse_count(struct argp_state *state, const char *option, const char *text,
                        uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || value < min || value > max)
        argp_error(state, "--%s is '%s', not an integer from %llu to %llu", option, text,
                   (unsigned long long)min, (unsigned long long)max);
    return value;
}

static void check_root(struct argp_state *state, const char *root)
{
    struct bs_slice s = bs_slice_text(root);
    if (s.length == 0 || s.length > ROOT_BYTES_MAX || !bs_slice_is_utf8(s) || strpbrk(root, "+#") ||
        root[0] == '/' || root[s.length - 1] == '/')
        argp_error(state, "--root is '%s', not a topic without wildcards", root);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct bs_broker *b = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        b->give_up_s = b->give_up_s > 0 ? b->give_up_s : GIVE_UP_S;
        return 0;
    case OPTION_CONFIG:
        b->config = argument;
        return 0;
    case OPTION_URI:
        b->uri = argument;
        return 0;
    case OPTION_SITE:
        if (!bs_slice_is_id(bs_slice_text(argument)))
            argp_error(state, "--site is '%s', not of [A-Za-z0-9_-]{1,64}", argument);
        b->site = argument;
        return 0;
    case OPTION_ROOT:
        check_root(state, argument);
        b->root = argument;
        return 0;
    case OPTION_TIMEOUT:
        b->give_up_s = (uint32_t)bs_parse_count(state, "timeout", argument, 0, 86400);
        return 0;
    case ARGP_KEY_END:
        if (!b->config && !b->site && !b->unneeded)
            argp_error(state, "name the site: --site, or --config FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp bs_broker_argp = {.options = options, .parser = parse};

int bs_broker_resolve(struct bs_broker *b)
{
    if (b->config) {
        char error[512];
        if (bs_conf_load(&b->conf, b->config, error, sizeof error) != BS_OK) {
            fprintf(stderr, "backstepctl: %s\n", error);
            return BS_EXIT_CONFIG;
        }
    }
    b->uri = b->uri ? b->uri : b->config ? b->conf.mqtt.uri : FALLBACK_URI;
    b->site = b->site ? b->site : b->conf.site.id;
    b->root = b->root ? b->root : b->config ? b->conf.mqtt.topic_root : FALLBACK_ROOT;
    if (strlen(b->root) > ROOT_BYTES_MAX) {
        fprintf(stderr, "backstepctl: %s: topic_root is longer than %u bytes\n", b->config,
                ROOT_BYTES_MAX);
        bs_broker_fini(b);
        return BS_EXIT_CONFIG;
    }
    return BS_EXIT_DONE;
}

void bs_broker_fini(struct bs_broker *b)
{
    if (b->config)
        bs_conf_fini(&b->conf);
}

void bs_broker_connection_options(const struct bs_broker *b, struct bs_progress *progress,
                                  struct bs_connection_options *ret)
{
    *ret = (struct bs_connection_options){
        .uri = b->uri,
        .version = b->config ? b->conf.mqtt.version : 5,
        .username = b->conf.mqtt.username,
        .password = b->conf.mqtt.password,
        .ca_file = b->conf.mqtt.ca_file,
        .cert_file = b->conf.mqtt.cert_file,
        .key_file = b->conf.mqtt.key_file,
        .keepalive_s = b->config ? b->conf.mqtt.keepalive_s : 30,
        .give_up_s = b->give_up_s,
        .seed = progress->begun_ns,
        .poll = bs_progress_poll,
        .context = progress,
    };
}

int bs_broker_explain(const struct bs_broker *b, enum bs_status status, const char *left,
                      const char *trouble)
{
    const char *more = *left ? ", " : "", *why = *trouble ? ": " : "";
    switch (status) {
    case BS_OK:
        return BS_EXIT_DONE;
    case BS_INVALID:
        fprintf(stderr, "backstepctl: %s: no such kind of broker\n", b->uri);
        return BS_EXIT_USAGE;
    case BS_IO:
        fprintf(stderr, "backstepctl: %s: gave up after %u s without an answer%s%s%s%s\n", b->uri,
                b->give_up_s, more, left, why, trouble);
        return BS_EXIT_GAVE_UP;
    case BS_REFUSED:
        fprintf(stderr, "backstepctl: %s: %s%s%s\n", b->uri, trouble, *left ? "; " : "", left);
        return BS_EXIT_REFUSED;
    case BS_CLOSED:
        fprintf(stderr, "backstepctl: stopped%s%s\n", more, left);
        return BS_EXIT_INTERRUPTED;
    default:
        fprintf(stderr, "backstepctl: %s\n", bs_status_text(status));
        return BS_EXIT_MEMORY;
    }
}

void bs_broker_topic(const struct bs_broker *b, const char *rest,
                     char ret_topic[BS_BROKER_TOPIC_MAX])
{
    int length = snprintf(ret_topic, BS_BROKER_TOPIC_MAX, "%s/%s/%s", b->root, b->site, rest);
    bs_check(length > 0 && length < BS_BROKER_TOPIC_MAX);
}
