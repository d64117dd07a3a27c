/* Options of what the members of a class wear. Must never keep for later what no belt has. */
#include "simulate_options.h"

enum {
    OPTION_DEVICES = 0x5000,
    OPTION_SENSORS,
    OPTION_PREFIX,
    OPTION_CLOCK_ERROR,
    OPTION_DRIFT,
    OPTION_RESETS,
    OPTION_LATE_MEMBERS,
    OPTION_OUT_OF_REACH,
    OPTION_LATE,
    OPTION_LOSS
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "The wearables:", 5},
    {"devices", OPTION_DEVICES, "N", 0,
     "per member, with all fields: 1 reports both feet; 2 are a left and a right pod (1)", 0},
    {"sensors", OPTION_SENSORS, "NAME[,NAME...]", 0,
     "instead: trunk, pods, wrist, each with its own fields and a birth message", 0},
    {"prefix", OPTION_PREFIX, "TEXT", 0,
     "of device ids: TEXT-001, or TEXT-001L and -R, -T (trunk), -W (wrist) (sim)", 0},
    {"clock-error", OPTION_CLOCK_ERROR, "MS", 0,
     "how wrong a device's clock is at most, for good (0)", 0},
    {"drift", OPTION_DRIFT, "PPM", 0, "how fast or slow a device's clock runs at most (0)", 0},
    {"resets", OPTION_RESETS, "PCT", 0,
     "devices that lose their power once: another boot, seq and up from 0 (0)", 0},
    {"late-members", OPTION_LATE_MEMBERS, "PCT", 0,
     "members whose belt is out of reach once and uploads later what it kept (0)", 0},
    {"out-of-reach", OPTION_OUT_OF_REACH, "S", 0, "for how long (120)", 0},
    {"late", OPTION_LATE, "S", 0, "how long after it is back it uploads (3600)", 0},
    {"loss", OPTION_LOSS, "PCT", 0, "steps that are never sent: gaps in seq (0)", 0},
    {0},
};

static const char *parse_prefix(const char *text, struct argp_state *state)
{
    struct bs_slice s = bs_slice_text(text);
    if (!bs_slice_is_id(s) || s.length > BS_WEARABLES_PREFIX_MAX)
        argp_error(state, "--prefix is '%s', not of [A-Za-z0-9_-]{1,%d}", text,
                   BS_WEARABLES_PREFIX_MAX);
    return text;
}

static void parse_sensors(struct bs_wearables_options *w, const char *text,
                          struct argp_state *state)
{
    if (!bs_sensors_parse(text, &w->sensors))
        argp_error(state, "--sensors is '%s', not of trunk, pods and wrist", text);
}

static error_t parse_clocks(int key, const char *argument, struct argp_state *state)
{
    struct bs_wearables_options *w = state->input;
    switch (key) {
    case OPTION_CLOCK_ERROR:
        w->clock_error_ms = bs_parse_number(state, "clock-error", argument, 0, 60);
        return 0;
    case OPTION_DRIFT:
        w->drift_ppm = bs_parse_number(state, "drift", argument, 0, 1000);
        return 0;
    case OPTION_RESETS:
        w->resets_pct = bs_parse_number(state, "resets", argument, 0, 100);
        return 0;
    case OPTION_LATE_MEMBERS:
        w->late_pct = bs_parse_number(state, "late-members", argument, 0, 100);
        return 0;
    case OPTION_OUT_OF_REACH:
        w->out_of_reach_ms = bs_parse_seconds(state, "out-of-reach", argument, 0);
        return 0;
    case OPTION_LATE:
        w->late_ms = bs_parse_seconds(state, "late", argument, 0);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void set_defaults(struct bs_wearables_options *w)
{
    *w = (struct bs_wearables_options){
        .prefix = "sim", .out_of_reach_ms = 120000, .late_ms = 3600000};
    bs_sensors_whole(1, &w->sensors);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct bs_wearables_options *w = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        set_defaults(w);
        return 0;
    case OPTION_DEVICES:
        bs_sensors_whole((uint32_t)bs_parse_count(state, "devices", argument, 1, 2), &w->sensors);
        return 0;
    case OPTION_SENSORS:
        parse_sensors(w, argument, state);
        return 0;
    case OPTION_PREFIX:
        w->prefix = parse_prefix(argument, state);
        return 0;
    case OPTION_LOSS:
        w->loss_pct = bs_parse_number(state, "loss", argument, 0, 99);
        return 0;
    case ARGP_KEY_END:
        if (w->late_pct > 0 && bs_sensors_belt(&w->sensors) < 0)
            argp_error(state, "--late-members need a belt: --sensors trunk, or --devices 1");
        return 0;
    default:
        return parse_clocks(key, argument, state);
    }
}

const struct argp bs_wearables_argp = {.options = options, .parser = parse};
