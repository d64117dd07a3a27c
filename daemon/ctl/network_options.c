/* Options of the network's faults. Must never delay anything that no option names. */
#include "simulate_options.h"

#define REORDER_MS_MAX 600000

enum { OPTION_DUPLICATES = 0x6000, OPTION_REORDER, OPTION_REORDER_MS };

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "The network:", 6},
    {"duplicates", OPTION_DUPLICATES, "PCT", 0, "messages that are sent twice (0)", 0},
    {"reorder", OPTION_REORDER, "PCT", 0, "messages that up to 10 later ones overtake (0)", 0},
    {"reorder-ms", OPTION_REORDER_MS, "MS", 0,
     "messages are late by up to so much instead: those of --reorder, without it all", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct bs_network_options *n = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        *n = (struct bs_network_options){.reorder_pct = -1};
        return 0;
    case OPTION_DUPLICATES:
        n->duplicates_pct = bs_parse_number(state, "duplicates", argument, 0, 100);
        return 0;
    case OPTION_REORDER:
        n->reorder_pct = bs_parse_number(state, "reorder", argument, 0, 100);
        return 0;
    case OPTION_REORDER_MS:
        n->reorder_ms = (int64_t)bs_parse_count(state, "reorder-ms", argument, 0, REORDER_MS_MAX);
        return 0;
    case ARGP_KEY_END:
        if (n->reorder_pct < 0)
            n->reorder_pct = n->reorder_ms > 0 ? 100 : 0;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp bs_network_argp = {.options = options, .parser = parse};
