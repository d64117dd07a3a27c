/* backstepctl simulate: a class of wearables on a real broker. Must never send other steps for the
 * same seed and start. */
#include "class.h"
#include "commands.h"
#include "exit_status.h"
#include "gym.h"
#include "sending.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRUTH_BYTES_MAX (1024u * 1024 * 1024)
#define DAY_S           86400
#define TIME_ABS_MAX    (INT64_C(1) << 53)

struct simulation {
    struct bs_broker broker;
    struct bs_sending_options sending;
    struct bs_class_options class;
    const char *gym_folder, *group; /* NULL: a class of nobody in particular */
    struct bs_gym gym;              /* only with a folder */
    struct bs_class_phase turns[2]; /* --back and --forward, without a folder */
    double duplicates_pct, reorder_pct;
    bool has_start, start_is_relative;
    int64_t start_ms;
};

enum {
    OPTION_MEMBERS = 0x3000,
    OPTION_GYM,
    OPTION_GROUP,
    OPTION_DEVICES,
    OPTION_PREFIX,
    OPTION_DURATION,
    OPTION_BACK,
    OPTION_FORWARD,
    OPTION_PACE,
    OPTION_STEPS,
    OPTION_START,
    OPTION_DUPLICATES,
    OPTION_REORDER,
    OPTION_LOSS,
    OPTION_SEED,
};

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "The class:", 3},
    {"members", OPTION_MEMBERS, "N", 0, "who walk (12)", 0},
    {"devices", OPTION_DEVICES, "N", 0,
     "per member: 1 reports both feet; 2 are a left and a right pod (1)", 0},
    {"prefix", OPTION_PREFIX, "TEXT", 0, "of device ids: TEXT-001, or TEXT-001L and -R (sim)", 0},
    {"duration", OPTION_DURATION, "S", 0, "of event time (40)", 0},
    {"steps", OPTION_STEPS, "N", 0, "stop after exactly N steps, however long that takes", 0},
    {"back", OPTION_BACK, "S", 0, "length of the backward phases, which come first (20)", 0},
    {"forward", OPTION_FORWARD, "S", 0, "length of the forward phases (20)", 0},
    {"gym", OPTION_GYM, "DIR", 0,
     "a folder of documents (kind/id.json): the members of --group walk, each with the first "
     "device of the own document, in the phases of the group's session",
     0},
    {"group", OPTION_GROUP, "GROUP", 0, "whose class it is; with --gym", 0},
    {"pace", OPTION_PACE, "SPM", 0, "mean cadence, both feet; persons vary (110)", 0},
    {"start", OPTION_START, "TIME", 0,
     "event time of the beginning: 2026-11-24T18:00:00Z, Unix milliseconds, or -S seconds before "
     "now. Default: now at speed 1, else such that the events end now",
     0},
    {"seed", OPTION_SEED, "N", 0, "same seed and start: same steps (1)", 0},
    {NULL, 0, NULL, 0, "The network:", 4},
    {"duplicates", OPTION_DUPLICATES, "PCT", 0, "messages that are sent twice (0)", 0},
    {"reorder", OPTION_REORDER, "PCT", 0, "messages that up to 10 later ones overtake (0)", 0},
    {"loss", OPTION_LOSS, "PCT", 0, "steps that are never sent: gaps in seq (0)", 0},
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

static void parse_start(struct simulation *s, const char *text, struct argp_state *state)
{
    s->has_start = true;
    s->start_is_relative = text[0] == '-';
    if (s->start_is_relative)
        s->start_ms = -(int64_t)(bs_parse_number(state, "start", text + 1, 0, 1e9) * 1000);
    else if (!parse_iso_time(text, &s->start_ms))
        s->start_ms = (int64_t)bs_parse_count(state, "start", text, 0, TIME_ABS_MAX);
}

static int64_t parse_seconds(struct argp_state *state, const char *name, const char *text,
                             double min)
{
    return (int64_t)(bs_parse_number(state, name, text, min, 366.0 * DAY_S) * 1000 + 0.5);
}

static void parse_prefix(struct bs_class_options *c, const char *text, struct argp_state *state)
{
    struct bs_slice s = bs_slice_text(text);
    if (!bs_slice_is_id(s) || s.length > BS_CLASS_PREFIX_MAX)
        argp_error(state, "--prefix is '%s', not of [A-Za-z0-9_-]{1,%d}", text,
                   BS_CLASS_PREFIX_MAX);
    c->prefix = text;
}

static const char *parse_group(const char *text, struct argp_state *state)
{
    if (!bs_slice_is_id(bs_slice_text(text)))
        argp_error(state, "--group is '%s', not of [A-Za-z0-9_-]{1,%d}", text, BS_ID_MAX);
    return text;
}

static error_t parse_network(int key, char *argument, struct argp_state *state)
{
    struct simulation *s = state->input;
    switch (key) {
    case OPTION_DUPLICATES:
        s->duplicates_pct = bs_parse_number(state, "duplicates", argument, 0, 100);
        return 0;
    case OPTION_REORDER:
        s->reorder_pct = bs_parse_number(state, "reorder", argument, 0, 100);
        return 0;
    case OPTION_LOSS:
        s->class.loss_pct = bs_parse_number(state, "loss", argument, 0, 99);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_class(int key, char *argument, struct argp_state *state)
{
    struct simulation *s = state->input;
    struct bs_class_options *c = &s->class;
    switch (key) {
    case OPTION_MEMBERS:
        c->members = (uint32_t)bs_parse_count(state, "members", argument, 1, BS_CLASS_MEMBERS_MAX);
        return 0;
    case OPTION_DEVICES:
        c->devices_each = (uint32_t)bs_parse_count(state, "devices", argument, 1, 2);
        return 0;
    case OPTION_PREFIX:
        parse_prefix(c, argument, state);
        return 0;
    case OPTION_GYM:
        s->gym_folder = argument;
        return 0;
    case OPTION_GROUP:
        s->group = parse_group(argument, state);
        return 0;
    case OPTION_DURATION:
        c->duration_ms = parse_seconds(state, "duration", argument, 0.001);
        return 0;
    case OPTION_STEPS:
        c->steps_max = bs_parse_count(state, "steps", argument, 1, UINT32_MAX);
        return 0;
    case OPTION_BACK:
        s->turns[0].length_ms = parse_seconds(state, "back", argument, 0);
        return 0;
    case OPTION_FORWARD:
        s->turns[1].length_ms = parse_seconds(state, "forward", argument, 0);
        return 0;
    case OPTION_PACE:
        c->pace_spm = bs_parse_number(state, "pace", argument, 30, 300);
        return 0;
    case OPTION_START:
        parse_start(s, argument, state);
        return 0;
    case OPTION_SEED:
        c->seed = bs_parse_count(state, "seed", argument, 0, UINT64_MAX);
        return 0;
    default:
        return parse_network(key, argument, state);
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct simulation *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->broker;
        state->child_inputs[1] = &s->sending;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is too much", argument);
        return 0;
    case ARGP_KEY_END:
        if (s->turns[0].length_ms + s->turns[1].length_ms == 0)
            argp_error(state, "--back and --forward are both 0");
        if (!s->gym_folder != !s->group)
            argp_error(state, "--gym and --group need each other");
        return 0;
    default:
        return parse_class(key, argument, state);
    }
}

static void parse_arguments(struct simulation *s, int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&bs_broker_argp, 0, NULL, 0}, {&bs_sending_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table,
        .parser = parse,
        .doc = "Publish the steps of a class that walks backwards and forwards in turn, at QoS 1. "
               "Exit status 0 says that the broker acknowledged every message.",
        .children = children,
    };
    *s = (struct simulation){
        .class = {.members = 12,
                  .devices_each = 1,
                  .prefix = "sim",
                  .duration_ms = 40000,
                  .pace_spm = 110,
                  .seed = 1},
        .turns = {{BS_DIRECTION_BACKWARD, 20000}, {BS_DIRECTION_FORWARD, 20000}}};
    s->class.timetable = (struct bs_class_timetable){.phases = s->turns, .count = 2};
    argp_parse(&parser, argc, argv, 0, NULL, s);
}

/* How long the class walks until it has taken its steps: it walks them once for nobody, for the
 * answer decides when it must have begun. Negative where memory is out. */
static int64_t walk_length_ms(const struct bs_class_options *options)
{
    struct bs_class *class;
    if (bs_class_new(&class, options, 0) != BS_OK)
        return -1;
    uint32_t wearable;
    struct bs_event event = {0};
    while (bs_class_next(class, &wearable, &event))
        ;
    bs_class_free(class);
    return event.time_ms;
}

static bool choose_start(const struct simulation *s, int64_t *ret_ms)
{
    int64_t now = bs_sending_wall_ms();
    if (s->has_start) {
        *ret_ms = s->start_is_relative ? now + s->start_ms : s->start_ms;
        return true;
    }
    int64_t length = 0;
    if (s->sending.speed != 1)
        length = s->class.steps_max > 0 ? walk_length_ms(&s->class) : s->class.duration_ms;
    *ret_ms = now - length;
    return length >= 0;
}

static int write_truth(const struct simulation *s, struct bs_sending *sending,
                       const struct bs_class *class, const struct bs_wearable *wearables,
                       const struct bs_truth *truth)
{
    struct bs_buffer text;
    bs_buffer_init(&text, TRUTH_BYTES_MAX);
    bs_buffer_add_format(&text, "{\"seed\":%" PRIu64 ",", s->class.seed);
    bs_truth_write_counts(truth, &text);
    bs_buffer_add_format(&text, ",\"lost\":%" PRIu64 ",\"unacknowledged\":%" PRIu64 ",\n ",
                         bs_class_lost(class), bs_sending_unacknowledged(sending));
    bs_truth_write_sent(truth, wearables, &text);
    bs_buffer_add_text(&text, "}\n");
    int exit_status = bs_sending_write_truth(sending, &text);
    bs_buffer_fini(&text);
    return exit_status;
}

static int send_class(const struct simulation *s, struct bs_sending *sending,
                      struct bs_class *class, int64_t start_ms)
{
    uint32_t count = bs_class_wearable_count(&s->class);
    struct bs_wearable *wearables = calloc(count, sizeof *wearables);
    struct bs_truth truth;
    if (bs_truth_init(&truth, count) != BS_OK || !wearables) {
        free(wearables);
        bs_truth_fini(&truth);
        return BS_EXIT_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++)
        bs_class_wearable(&s->class, i, start_ms, &wearables[i]);
    struct bs_sending_plan plan = {
        .source = {class, bs_class_next},
        .wearables = wearables,
        .origin_ms = start_ms,
        .duplicates_pct = s->duplicates_pct,
        .reorder_pct = s->reorder_pct,
        .seed = s->class.seed,
    };
    int exit_status = bs_sending_run(sending, &plan, &truth);
    int written = write_truth(s, sending, class, wearables, &truth);
    bs_sending_summarise(sending, &truth);
    bs_truth_fini(&truth);
    free(wearables);
    return exit_status != BS_EXIT_DONE ? exit_status : written;
}

/* The class and when it begins. */
static int gather(struct simulation *s, int64_t *ret_start_ms, struct bs_class **ret)
{
    bool chosen = choose_start(s, ret_start_ms);
    if (chosen && s->gym_folder)
        bs_gym_class(&s->gym, *ret_start_ms, &s->class);
    if (chosen && bs_class_new(ret, &s->class, *ret_start_ms) == BS_OK)
        return BS_EXIT_DONE;
    fprintf(stderr, "backstepctl: %s\n", bs_status_text(BS_NO_MEMORY));
    return BS_EXIT_MEMORY;
}

static int simulate(struct simulation *s)
{
    struct bs_sending sending;
    int exit_status = bs_sending_open(&sending, &s->broker, &s->sending);
    int64_t start_ms = 0;
    struct bs_class *class = NULL;
    if (exit_status == BS_EXIT_DONE)
        exit_status = gather(s, &start_ms, &class);
    if (exit_status == BS_EXIT_DONE)
        exit_status = send_class(s, &sending, class, start_ms);
    bs_class_free(class);
    bs_sending_close(&sending);
    return exit_status;
}

static int load_gym(struct simulation *s)
{
    int exit_status = bs_gym_load(&s->gym, s->gym_folder, s->group);
    if (exit_status == BS_EXIT_DONE)
        bs_gym_class(&s->gym, 0, &s->class); /* until it is known when the class begins */
    return exit_status;
}

int bs_simulate(int argc, char **argv)
{
    struct simulation s;
    parse_arguments(&s, argc, argv);
    int exit_status = bs_broker_resolve(&s.broker);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    if (s.gym_folder)
        exit_status = load_gym(&s);
    if (exit_status == BS_EXIT_DONE)
        exit_status = simulate(&s);
    bs_gym_fini(&s.gym);
    bs_broker_fini(&s.broker);
    return exit_status;
}
