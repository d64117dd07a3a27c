/* backstepctl replay: recorded steps on a real broker, as they are. Must send every row once, and
 * nothing that does not stand in the table. */
#include "commands.h"
#include "exit_status.h"
#include "sending.h"
#include "step_table.h"

#include "backstep/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRUTH_BYTES_MAX (1024u * 1024 * 1024)
#define TRIAL_GAP_MS    5000 /* longer than the pause that ends a bout */

struct replay {
    struct bs_broker broker;
    struct bs_sending_options sending;
    const char *path;
    size_t at_once; /* 0: all */
    struct bs_step_table table;
    struct bs_wearable *wearables; /* of the run */
    size_t next_row;
};

enum { OPTION_AT_ONCE = 0x3000 };

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "The recording:", 3},
    {"members-at-once", OPTION_AT_ONCE, "N", OPTION_ARG_OPTIONAL,
     "how many members walk at the same time, the others behind them (all)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct replay *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &r->broker;
        state->child_inputs[1] = &r->sending;
        return 0;
    case OPTION_AT_ONCE:
        r->at_once =
            argument ? bs_parse_count(state, "members-at-once", argument, 1, BS_TABLE_ROWS_MAX) : 0;
        return 0;
    case ARGP_KEY_ARG:
        if (r->path)
            argp_error(state, "'%s' is too much", argument);
        r->path = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arguments(struct replay *r, int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&bs_broker_argp, 0, NULL, 0}, {&bs_sending_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table,
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Publish the steps of a table (CSV), at QoS 1. Members walk at the same time, the "
               "trials of one behind each other; event times end now, at speed 1 they are now. "
               "Values are sent as recorded.",
        .children = children,
    };
    *r = (struct replay){0};
    argp_parse(&parser, argc, argv, 0, NULL, r);
}

static int read_table(struct replay *r)
{
    FILE *file = fopen(r->path, "re");
    if (!file) {
        fprintf(stderr, "backstepctl: %s: %s\n", r->path, strerror(errno));
        return BS_EXIT_NO_INPUT;
    }
    char error[512] = "";
    enum bs_status status = bs_step_table_read(&r->table, file, r->path, error, sizeof error);
    fclose(file);
    if (status == BS_OK) {
        status = bs_step_table_lay_out(&r->table, TRIAL_GAP_MS, r->at_once);
        if (status == BS_OK)
            return BS_EXIT_DONE;
        bs_step_table_fini(&r->table);
        snprintf(error, sizeof error, "%s: %s", r->path, bs_status_text(status));
    }
    fprintf(stderr, "%s\n", error);
    return status == BS_NO_MEMORY ? BS_EXIT_MEMORY : BS_EXIT_DATA;
}

/* Moves the recording so that its last event is now when it is sent; slower than life it begins
 * now, or it would run ahead of the clock. */
static int64_t place_in_time(struct replay *r)
{
    double speed = r->sending.speed;
    int64_t length_ms = r->table.rows[r->table.row_count - 1].event.time_ms;
    int64_t lead_ms = speed <= 0  ? length_ms
                      : speed < 1 ? 0
                                  : length_ms - (int64_t)((double)length_ms / speed);
    int64_t start_ms = bs_sending_wall_ms() - lead_ms;
    bs_step_table_shift(&r->table, start_ms);
    return start_ms;
}

static bool next_row(void *context, struct bs_reading *ret)
{
    struct replay *r = context;
    if (r->next_row >= r->table.row_count)
        return false;
    const struct bs_table_row *row = &r->table.rows[r->next_row++];
    uint32_t wearable = r->table.trials[row->trial].member;
    *ret = (struct bs_reading){.wearable = wearable,
                               .boot = r->wearables[wearable].boot,
                               .made_ms = row->event.time_ms,
                               .event = row->event};
    if (r->sending.encoding.up)
        ret->event.time_ms -= r->wearables[wearable].powered_up_ms;
    return true;
}

/* Another start draws another boot: the same table sent again is another walk. */
static struct bs_wearable *draw_wearables(const struct bs_step_table *t, int64_t start_ms)
{
    struct bs_wearable *wearables = calloc(t->member_count, sizeof *wearables);
    for (size_t i = 0; wearables && i < t->member_count; i++) {
        struct bs_wearable *w = &wearables[i];
        snprintf(w->id, sizeof w->id, "%s", bs_step_table_device(t, i));
        w->boot = (uint32_t)bs_hash_bytes((uint64_t)start_ms, bs_slice_text(w->id));
        w->powered_up_ms = start_ms - 60000;
    }
    return wearables;
}

static int write_truth(struct replay *r, struct bs_sending *sending, const struct bs_truth *truth)
{
    struct bs_buffer text;
    bs_buffer_init(&text, TRUTH_BYTES_MAX);
    bs_buffer_add_format(&text, "{\"rows\":%zu,", r->table.row_count);
    bs_truth_write_counts(truth, &text);
    bs_buffer_add_format(&text, ",\"unacknowledged\":%llu,\n ",
                         (unsigned long long)bs_sending_unacknowledged(sending));
    bs_truth_write_sent(truth, r->wearables, &text);
    bs_buffer_add_text(&text, ",\n ");
    bs_step_table_write_devices(&r->table, &text);
    bs_buffer_add_text(&text, "}\n");
    int exit_status = bs_sending_write_truth(sending, &text);
    bs_buffer_fini(&text);
    return exit_status;
}

static int send_table(struct replay *r, struct bs_sending *sending)
{
    int64_t start_ms = place_in_time(r);
    r->wearables = draw_wearables(&r->table, start_ms);
    struct bs_truth truth;
    if (bs_truth_init(&truth, r->table.member_count) != BS_OK || !r->wearables) {
        free(r->wearables);
        bs_truth_fini(&truth);
        return BS_EXIT_MEMORY;
    }
    struct bs_sending_plan plan = {
        .source = {r, next_row}, .wearables = r->wearables, .origin_ms = start_ms};
    int exit_status = bs_sending_run(sending, &plan, &truth);
    int written = write_truth(r, sending, &truth);
    bs_sending_summarise(sending, &truth);
    bs_truth_fini(&truth);
    free(r->wearables);
    return exit_status != BS_EXIT_DONE ? exit_status : written;
}

int bs_replay(int argc, char **argv)
{
    struct replay r;
    parse_arguments(&r, argc, argv);
    int exit_status = bs_broker_resolve(&r.broker);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    exit_status = read_table(&r);
    if (exit_status == BS_EXIT_DONE) {
        struct bs_sending sending;
        exit_status = bs_sending_open(&sending, &r.broker, &r.sending);
        if (exit_status == BS_EXIT_DONE)
            exit_status = send_table(&r, &sending);
        bs_sending_close(&sending);
        bs_step_table_fini(&r.table);
    }
    bs_broker_fini(&r.broker);
    return exit_status;
}
