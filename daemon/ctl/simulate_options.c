/* The command line of simulate. Must never start a run whose options contradict each other. */
#include "simulate_options.h"

#include "class_documents.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#define DAY_S           86400
#define TIME_ABS_MAX    (INT64_C(1) << 53)
#define DURATION_MS     40000
#define SCRIPT_START_MS INT64_C(1795543200000) /* 2026-11-24T18:00:00Z */

enum {
    OPTION_MEMBERS = 0x3000,
    OPTION_GYM,
    OPTION_GROUP,
    OPTION_DURATION,
    OPTION_BACK,
    OPTION_FORWARD,
    OPTION_WARM_UP,
    OPTION_STEPS,
    OPTION_START,
    OPTION_SEED,
    OPTION_ROWS,
    OPTION_SCRIPT,
    OPTION_GROUP_CONSENT,
    OPTION_GUESTS,
};

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "The class:", 3},
    {"members", OPTION_MEMBERS, "N", 0, "who walk (12)", 0},
    {"duration", OPTION_DURATION, "S", 0, "of event time (40)", 0},
    {"steps", OPTION_STEPS, "N", 0, "stop after exactly N steps, however long that takes", 0},
    {"warm-up", OPTION_WARM_UP, "S", 0, "forward walking before the first phase: the habit (0)", 0},
    {"back", OPTION_BACK, "S", 0, "length of the backward phases, which come first (20)", 0},
    {"forward", OPTION_FORWARD, "S", 0, "length of the forward phases (20)", 0},
    {"gym", OPTION_GYM, "DIR", 0,
     "a folder of documents (kind/id.json): the members of --group walk, each with the first "
     "device of the own document, in the phases of the group's session",
     0},
    {"group", OPTION_GROUP, "GROUP", 0, "whose class it is; with --gym", 0},
    {"start", OPTION_START, "TIME", 0,
     "event time of the beginning: 2026-11-24T18:00:00Z, Unix milliseconds, or -S seconds before "
     "now. Default: now at speed 1, else such that the events end now; in a script that time",
     0},
    {"seed", OPTION_SEED, "N", 0, "same seed and start: same steps (1)", 0},
    {NULL, 0, NULL, 0, "Script and truth:", 7},
    {"script", OPTION_SCRIPT, "FILE", 0,
     "no broker: write the class's documents and its messages to FILE (-: stdout), one line each",
     0},
    {"group-consent", OPTION_GROUP_CONSENT, "PCT", 0,
     "in a script: members whose consent is 'group', not 'member' (0)", 0},
    {"guests", OPTION_GUESTS, NULL, 0, "in a script: no members' documents, each device is a guest",
     0},
    {"truth-rows", OPTION_ROWS, "FILE", 0,
     "write all that was generated to FILE: steps, bouts, carry-overs, slips, as lines of JSON", 0},
    {0},
};

/* 2026-11-24T18:00:00Z, with or without a fraction of up to three digits. */
static bool parse_iso_time(const char *text, int64_t *ret_ms)
{
    struct tm t = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
    if (!rest)
        return false;
    int64_t ms = 0, unit = 100;
    if (*rest == '.') {
        for (rest++; isdigit((unsigned char)*rest) && unit > 0; rest++, unit /= 10)
            ms += (*rest - '0') * unit;
    }
    if (strcmp(rest, "Z") != 0)
        return false;
    *ret_ms = (int64_t)timegm(&t) * 1000 + ms;
    return true;
}

static void parse_start(struct bs_simulation *s, const char *text, struct argp_state *state)
{
    s->has_start = true;
    s->start_is_relative = text[0] == '-';
    if (s->start_is_relative)
        s->start_ms = -(int64_t)(bs_parse_number(state, "start", text + 1, 0, 1e9) * 1000);
    else if (!parse_iso_time(text, &s->start_ms))
        s->start_ms = (int64_t)bs_parse_count(state, "start", text, 0, TIME_ABS_MAX);
}

int64_t bs_parse_seconds(struct argp_state *state, const char *option, const char *text, double min)
{
    return (int64_t)(bs_parse_number(state, option, text, min, 366.0 * DAY_S) * 1000 + 0.5);
}

void bs_parse_range(struct argp_state *state, const char *option, const char *text, double min,
                    double max, double ret[2])
{
    char low[32];
    const char *dots = strstr(text, "..");
    size_t length = dots ? (size_t)(dots - text) : strlen(text);
    if (length >= sizeof low) {
        argp_error(state, "--%s is '%s', not a number or two with .. between", option, text);
        return; /* argp has ended the program, which the compiler does not know */
    }
    memcpy(low, text, length);
    low[length] = '\0';
    ret[0] = bs_parse_number(state, option, low, min, max);
    ret[1] = dots ? bs_parse_number(state, option, dots + 2, ret[0], max) : ret[0];
}

static const char *parse_group(const char *text, struct argp_state *state)
{
    if (!bs_slice_is_id(bs_slice_text(text)))
        argp_error(state, "--group is '%s', not of [A-Za-z0-9_-]{1,%d}", text, BS_ID_MAX);
    return text;
}

static error_t parse_output(int key, char *argument, struct argp_state *state)
{
    struct bs_simulation *s = state->input;
    switch (key) {
    case OPTION_ROWS:
        s->rows_path = argument;
        return 0;
    case OPTION_SCRIPT:
        s->sending.script_path = argument;
        s->broker.unneeded = true;
        return 0;
    case OPTION_GROUP_CONSENT:
        s->group_consent_pct = bs_parse_number(state, "group-consent", argument, 0, 100);
        return 0;
    case OPTION_GUESTS:
        s->guests = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_times(int key, char *argument, struct argp_state *state)
{
    struct bs_simulation *s = state->input;
    switch (key) {
    case OPTION_DURATION:
        s->class.duration_ms = bs_parse_seconds(state, "duration", argument, 0.001);
        return 0;
    case OPTION_BACK:
        s->turns[0].length_ms = bs_parse_seconds(state, "back", argument, 0);
        return 0;
    case OPTION_FORWARD:
        s->turns[1].length_ms = bs_parse_seconds(state, "forward", argument, 0);
        return 0;
    case OPTION_WARM_UP:
        s->class.timetable.ahead_ms = -bs_parse_seconds(state, "warm-up", argument, 0);
        return 0;
    case OPTION_START:
        parse_start(s, argument, state);
        return 0;
    default:
        return parse_output(key, argument, state);
    }
}

static error_t parse_class(int key, char *argument, struct argp_state *state)
{
    struct bs_simulation *s = state->input;
    switch (key) {
    case OPTION_MEMBERS:
        s->class.members =
            (uint32_t)bs_parse_count(state, "members", argument, 1, BS_CLASS_MEMBERS_MAX);
        return 0;
    case OPTION_GYM:
        s->gym_folder = argument;
        return 0;
    case OPTION_GROUP:
        s->group = parse_group(argument, state);
        return 0;
    case OPTION_STEPS:
        s->wearables.steps_max = bs_parse_count(state, "steps", argument, 1, UINT32_MAX);
        return 0;
    case OPTION_SEED:
        s->class.seed = bs_parse_count(state, "seed", argument, 0, UINT64_MAX);
        return 0;
    default:
        return parse_times(key, argument, state);
    }
}

static void check_script(const struct bs_simulation *s, struct argp_state *state)
{
    const char *trouble = bs_class_documents_trouble(&s->class.timetable);
    if (!s->sending.script_path && (s->group_consent_pct > 0 || s->guests))
        argp_error(state, "--group-consent and --guests are for a --script");
    if (s->sending.script_path && s->gym_folder)
        argp_error(state, "--script writes documents of its own: not with --gym");
    if (s->sending.script_path && trouble)
        argp_error(state, "%s", trouble);
    if (s->guests && s->wearables.sensors.count > 1)
        argp_error(state, "--guests have one device each");
}

static void check(const struct bs_simulation *s, struct argp_state *state)
{
    const struct bs_wearables_options *w = &s->wearables;
    if (s->turns[0].length_ms + s->turns[1].length_ms == 0)
        argp_error(state, "--back and --forward are both 0");
    if (!s->gym_folder != !s->group)
        argp_error(state, "--gym and --group need each other");
    if (w->steps_max > 0 && (w->resets_pct > 0 || w->late_pct > 0))
        argp_error(state, "--resets and --late-members need a --duration, not --steps");
    check_script(s, state);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct bs_simulation *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->broker;
        state->child_inputs[1] = &s->sending;
        state->child_inputs[2] = &s->class.person;
        state->child_inputs[3] = &s->wearables;
        state->child_inputs[4] = &s->network;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is too much", argument);
        return 0;
    case ARGP_KEY_END:
        check(s, state);
        return 0;
    default:
        return parse_class(key, argument, state);
    }
}

/* What two parts of a run have to agree on. */
static void settle(struct bs_simulation *s)
{
    if (s->wearables.steps_max > 0)
        s->class.duration_ms = 0;
    s->wearables.members = s->class.members;
    s->wearables.seed = s->class.seed;
    s->wearables.duration_ms = s->class.duration_ms;
    s->wearables.up = s->sending.encoding.up;
    s->network.seed = s->class.seed;
    if (s->sending.script_path && !s->has_start) {
        s->has_start = true;
        s->start_ms = SCRIPT_START_MS;
    }
}

void bs_simulation_parse(struct bs_simulation *s, int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&bs_broker_argp, 0, NULL, 0},  {&bs_sending_argp, 0, NULL, 0},
        {&bs_person_argp, 0, NULL, 0},  {&bs_wearables_argp, 0, NULL, 0},
        {&bs_network_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table,
        .parser = parse,
        .doc = "Publish the steps of a class that walks backwards and forwards in turn, at QoS 1. "
               "Exit status 0 says that the broker acknowledged every message.",
        .children = children,
    };
    *s = (struct bs_simulation){
        .class = {.members = 12, .duration_ms = DURATION_MS, .seed = 1},
        .turns = {{BS_DIRECTION_BACKWARD, 20000}, {BS_DIRECTION_FORWARD, 20000}}};
    s->class.timetable =
        (struct bs_class_timetable){.phases = s->turns, .count = 2, .before = BS_DIRECTION_FORWARD};
    argp_parse(&parser, argc, argv, 0, NULL, s);
    settle(s);
}
