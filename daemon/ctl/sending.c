/* One run of sending. Must never end well while a message is not acknowledged. */
#include "sending.h"

#include "exit_status.h"
#include "feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STOP_GRACE_MS 5000u
#define WINDOW        400u /* in flight; more brings no speed, less would with a far broker */

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

int64_t bs_sending_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t bs_sending_unacknowledged(const struct bs_sending *s)
{
    struct bs_publisher_progress p;
    bs_publisher_get_progress(s->publisher, &p);
    return p.handed_over - p.acknowledged;
}

/* Says what a status of the publisher's means, and gives the exit status for it. */
static int explain(const struct bs_sending *s, enum bs_status status)
{
    struct bs_publisher_progress p;
    bs_publisher_get_progress(s->publisher, &p);
    char left[64] = "";
    if (p.handed_over > p.acknowledged)
        snprintf(left, sizeof left, "%" PRIu64 " messages are not acknowledged",
                 p.handed_over - p.acknowledged);
    return bs_broker_explain(s->broker, status, left, p.trouble);
}

static void describe(void *context, FILE *to)
{
    const struct bs_sending *s = context;
    struct bs_publisher_progress p = {.trouble = ""};
    if (s->publisher)
        bs_publisher_get_progress(s->publisher, &p);
    fprintf(to, "%" PRIu64 " steps in %" PRIu64 " messages, %" PRIu64 " acknowledged%s%s",
            s->truth ? s->truth->steps : 0, p.handed_over, p.acknowledged, *p.trouble ? "; " : "",
            p.trouble);
}

static int open_truth(struct bs_sending *s)
{
    if (!s->options->truth_path)
        return BS_EXIT_DONE;
    s->truth_file = fopen(s->options->truth_path, "we");
    if (s->truth_file)
        return BS_EXIT_DONE;
    fprintf(stderr, "backstepctl: %s: %s\n", s->options->truth_path, strerror(errno));
    return BS_EXIT_CANNOT_CREATE;
}

int bs_sending_open(struct bs_sending *s, const struct bs_broker *broker,
                    const struct bs_sending_options *sending)
{
    *s = (struct bs_sending){.broker = broker, .options = sending};
    int exit_status = open_truth(s);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    bs_progress_init(&s->progress, sending->quiet, describe, s);
    struct bs_connection_options connection;
    bs_broker_connection_options(broker, &s->progress, &connection);
    enum bs_status status = bs_publisher_new(&s->publisher, &connection, WINDOW);
    if (status != BS_OK)
        return bs_broker_explain(broker, status, "", "");
    return explain(s, bs_publisher_connect(s->publisher));
}

void bs_sending_close(struct bs_sending *s)
{
    bs_publisher_free(s->publisher);
    if (s->truth_file)
        fclose(s->truth_file);
    *s = (struct bs_sending){0};
}

static enum bs_status send_all(struct bs_feed *feed, const struct bs_source *source)
{
    enum bs_status status = BS_OK;
    uint32_t wearable;
    struct bs_event event;
    while (status == BS_OK && source->next(source->context, &wearable, &event))
        status = bs_feed_step(feed, wearable, &event);
    return status;
}

static enum bs_status finish(struct bs_sending *s, struct bs_feed *feed)
{
    enum bs_status status = bs_feed_flush(feed);
    return status == BS_OK ? bs_publisher_drain(s->publisher) : status;
}

int bs_sending_run(struct bs_sending *s, const struct bs_sending_plan *plan, struct bs_truth *truth)
{
    char topic[512];
    snprintf(topic, sizeof topic, "%s/%s/device/", s->broker->root, s->broker->site);
    struct bs_feed_options how = {
        .encoding = s->options->encoding,
        .batch = s->options->batch,
        .speed = s->options->speed,
        .origin_ms = plan->origin_ms,
        .duplicates_pct = plan->duplicates_pct,
        .reorder_pct = plan->reorder_pct,
        .seed = plan->seed,
        .topic = topic,
    };
    struct bs_feed *feed;
    enum bs_status status =
        bs_feed_new(&feed, &how, plan->wearables, truth, s->publisher, &s->progress);
    if (status != BS_OK)
        return explain(s, status);
    s->truth = truth;
    status = send_all(feed, &plan->source);
    if (status == BS_OK)
        status = finish(s, feed);
    if (status == BS_CLOSED) {
        bs_progress_grant(&s->progress, STOP_GRACE_MS);
        finish(s, feed);
    }
    bs_progress_end(&s->progress);
    s->truth = NULL;
    bs_feed_free(feed);
    return explain(s, status);
}

int bs_sending_write_truth(struct bs_sending *s, const struct bs_buffer *text)
{
    if (!s->truth_file)
        return BS_EXIT_DONE;
    if (text->failed) {
        fprintf(stderr, "backstepctl: %s: %s\n", s->options->truth_path,
                bs_status_text(BS_NO_MEMORY));
        return BS_EXIT_MEMORY;
    }
    size_t written = fwrite(text->at, 1, text->length, s->truth_file);
    int closed = fclose(s->truth_file);
    s->truth_file = NULL;
    if (written == text->length && closed == 0)
        return BS_EXIT_DONE;
    fprintf(stderr, "backstepctl: %s: %s\n", s->options->truth_path, strerror(errno));
    return BS_EXIT_CANNOT_CREATE;
}

void bs_sending_summarise(const struct bs_sending *s, const struct bs_truth *truth)
{
    if (s->options->quiet)
        return;
    double seconds = (double)(bs_connection_now_ns() - s->progress.begun_ns) / 1e9;
    struct bs_publisher_progress p;
    bs_publisher_get_progress(s->publisher, &p);
    printf("%" PRIu64 " steps of %zu devices in %" PRIu64 " messages, %" PRIu64
           " acknowledged, in %.1f s (%.0f messages/s)",
           truth->steps, truth->wearable_count, truth->messages, p.acknowledged, seconds,
           (double)truth->messages / (seconds > 0 ? seconds : 1));
    if (truth->duplicates > 0)
        printf("; %" PRIu64 " steps sent twice", truth->duplicates);
    if (p.connects > 1)
        printf("; connected %" PRIu64 " times", p.connects);
    putchar('\n');
}
