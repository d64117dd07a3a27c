/* The options of sending. Must never let a batch be larger than its form holds. */
#include "sending.h"

#include <string.h>

enum { OPTION_SPEED = 0x2000, OPTION_FORM, OPTION_BATCH, OPTION_UP, OPTION_STORED, OPTION_TRUTH };

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Sending:", 2},
    {"speed", OPTION_SPEED, "X", 0,
     "event time over wall time: 1 real time, 10 ten times faster, 0 as fast as the broker takes "
     "it "
     "(1)",
     0},
    {"form", OPTION_FORM, "FORM", 0, "json, batch or binary (json)", 0},
    {"batch", OPTION_BATCH, "N", 0, "steps in a message of form batch or binary (20)", 0},
    {"up", OPTION_UP, NULL, 0, "device times as time since power-up, not as Unix time", 0},
    {"stored", OPTION_STORED, NULL, 0, "mark the steps as kept on the device and uploaded late", 0},
    {"truth", OPTION_TRUTH, "FILE", 0, "write what was really sent to FILE, as JSON", 0},
    {"quiet", 'q', NULL, 0, "say nothing but errors", 0},
    {0},
};

static void set_form(struct bs_sending_options *o, const char *name, struct argp_state *state)
{
    static const char *const names[] = {"json", "batch", "binary"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            o->encoding.form = (enum bs_form)i;
            return;
        }
    }
    argp_error(state, "--form is '%s', not json, batch or binary", name);
}

static void settle_batch(struct bs_sending_options *o, struct argp_state *state)
{
    size_t max = bs_encode_max(o->encoding.form);
    if (o->encoding.form == BS_FORM_JSON)
        o->batch = 1;
    else if (o->batch > max)
        argp_error(state, "--batch is %u, this form holds at most %zu", o->batch, max);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct bs_sending_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        o->speed = 1;
        o->batch = 20;
        return 0;
    case OPTION_SPEED:
        o->speed = bs_parse_number(state, "speed", argument, 0, 1e6);
        return 0;
    case OPTION_FORM:
        set_form(o, argument, state);
        return 0;
    case OPTION_BATCH:
        o->batch = (uint32_t)bs_parse_count(state, "batch", argument, 1, 256);
        return 0;
    case OPTION_UP:
        o->encoding.up = true;
        return 0;
    case OPTION_STORED:
        o->encoding.stored = true;
        return 0;
    case OPTION_TRUTH:
        o->truth_path = argument;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case ARGP_KEY_END:
        settle_batch(o, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp bs_sending_argp = {.options = options, .parser = parse};
