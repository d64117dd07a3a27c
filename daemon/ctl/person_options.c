/* Options of the persons of a class. Must never let one slip in a step that no phase has. */
#include "simulate_options.h"

#include <string.h>

#define SLIP_STEP_MIN 1
#define SLIP_STEP_MAX 100000
#define SIZE_PCT_MAX  90
#define ALL_METRICS   ((1u << BS_SHIFT_METRICS) - 1)

enum {
    OPTION_PACE = 0x4000,
    OPTION_RETENTION,
    OPTION_SLIPS,
    OPTION_SLIP_SIZE,
    OPTION_SLIP_METRICS,
    OPTION_SLIP_STEP
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "The persons:", 4},
    {"pace", OPTION_PACE, "SPM", 0, "mean cadence, both feet; persons vary (110)", 0},
    {"retention", OPTION_RETENTION, "PCT[..PCT]", 0,
     "how much of the backward step length and walk ratio the forward gait keeps behind a backward "
     "phase; each person's own lies between (0)",
     0},
    {"slips", OPTION_SLIPS, "PCT", 0,
     "persons who slip once in every forward phase behind a backward one (0)", 0},
    {"slip-size", OPTION_SLIP_SIZE, "PCT[,PCT...]", 0,
     "sizes of the lasting shifts; of trunk pitch a fifth of a degree for each percent (25)", 0},
    {"slip-metrics", OPTION_SLIP_METRICS, "NAME[,NAME...]", 0,
     "what may slip: step_length, step_time, vertical_oscillation, trunk_pitch (all)", 0},
    {"slip-step", OPTION_SLIP_STEP, "N[..N]", 0,
     "the step of the phase with which it sets in (30..60)", 0},
    {0},
};

static void parse_sizes(struct bs_person_options *p, char *text, struct argp_state *state)
{
    p->shift_count = 0;
    char *rest = text, *one;
    while ((one = strsep(&rest, ",")) != NULL) {
        if (p->shift_count == BS_SHIFT_SIZES_MAX)
            argp_error(state, "--slip-size has more than %d sizes", BS_SHIFT_SIZES_MAX);
        p->shift_pct[p->shift_count++] = bs_parse_number(state, "slip-size", one, 0, SIZE_PCT_MAX);
    }
}

static unsigned parse_metric(const char *name, struct argp_state *state)
{
    for (int i = 0; i < BS_SHIFT_METRICS; i++) {
        if (strcmp(name, bs_shift_metric_names[i]) == 0)
            return 1u << i;
    }
    argp_error(state,
               "--slip-metrics has '%s', not step_length, step_time, vertical_oscillation or "
               "trunk_pitch",
               name);
    return 0;
}

static void parse_metrics(struct bs_person_options *p, char *text, struct argp_state *state)
{
    p->metrics = 0;
    char *rest = text, *one;
    while ((one = strsep(&rest, ",")) != NULL)
        p->metrics |= parse_metric(one, state);
}

static void parse_slip_step(struct bs_person_options *p, const char *text, struct argp_state *state)
{
    double steps[2];
    bs_parse_range(state, "slip-step", text, SLIP_STEP_MIN, SLIP_STEP_MAX, steps);
    p->shift_step_min = (uint32_t)steps[0];
    p->shift_step_max = (uint32_t)steps[1];
}

static void parse_retention(struct bs_person_options *p, const char *text, struct argp_state *state)
{
    double pct[2];
    bs_parse_range(state, "retention", text, 0, 100, pct);
    p->retention_min = pct[0] / 100;
    p->retention_max = pct[1] / 100;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct bs_person_options *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        *p = (struct bs_person_options){.pace_spm = 110,
                                        .shift_pct = {25},
                                        .shift_count = 1,
                                        .metrics = ALL_METRICS,
                                        .shift_step_min = 30,
                                        .shift_step_max = 60};
        return 0;
    case OPTION_PACE:
        p->pace_spm = bs_parse_number(state, "pace", argument, 30, 300);
        return 0;
    case OPTION_RETENTION:
        parse_retention(p, argument, state);
        return 0;
    case OPTION_SLIPS:
        p->slips_pct = bs_parse_number(state, "slips", argument, 0, 100);
        return 0;
    case OPTION_SLIP_SIZE:
        parse_sizes(p, argument, state);
        return 0;
    case OPTION_SLIP_METRICS:
        parse_metrics(p, argument, state);
        return 0;
    case OPTION_SLIP_STEP:
        parse_slip_step(p, argument, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp bs_person_argp = {.options = options, .parser = parse};
