/* One run of sending. Must never end well while a message is not acknowledged, or not written. */
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

int64_t bs_sending_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct bs_publisher_progress progress_of(const struct bs_sending *s)
{
    struct bs_publisher_progress p = {.trouble = ""};
    if (s->publisher)
        bs_publisher_get_progress(s->publisher, &p);
    return p;
}

uint64_t bs_sending_unacknowledged(const struct bs_sending *s)
{
    struct bs_publisher_progress p = progress_of(s);
    return p.handed_over - p.acknowledged;
}

/* Says what errno means for a file that is written; `path` "-" is stdout. */
static int explain_file(const char *path)
{
    fprintf(stderr, "backstepctl: %s: %s\n", path, strerror(errno));
    return BS_EXIT_CANNOT_CREATE;
}

/* Says what a status of the sink's means, and gives the exit status for it. */
static int explain(const struct bs_sending *s, enum bs_status status)
{
    if (s->options->script_path && status == BS_IO)
        return explain_file(s->options->script_path);
    struct bs_publisher_progress p = progress_of(s);
    char left[64] = "";
    if (p.handed_over > p.acknowledged)
        snprintf(left, sizeof left, "%" PRIu64 " messages are not acknowledged",
                 p.handed_over - p.acknowledged);
    return bs_broker_explain(s->broker, status, left, p.trouble);
}

static void describe(void *context, FILE *to)
{
    const struct bs_sending *s = context;
    struct bs_publisher_progress p = progress_of(s);
    fprintf(to, "%" PRIu64 " steps in %" PRIu64 " messages", s->truth ? s->truth->steps : 0,
            s->publisher ? p.handed_over : s->script.lines);
    if (s->publisher)
        fprintf(to, ", %" PRIu64 " acknowledged%s%s", p.acknowledged, *p.trouble ? "; " : "",
                p.trouble);
}

static int open_truth(struct bs_sending *s)
{
    if (!s->options->truth_path)
        return BS_EXIT_DONE;
    s->truth_file = fopen(s->options->truth_path, "we");
    return s->truth_file ? BS_EXIT_DONE : explain_file(s->options->truth_path);
}

static int open_script(struct bs_sending *s)
{
    if (!bs_script_open(&s->script, s->options->script_path))
        return explain_file(s->options->script_path);
    s->sink = bs_script_sink(&s->script);
    return BS_EXIT_DONE;
}

static int open_connection(struct bs_sending *s)
{
    struct bs_connection_options connection;
    bs_broker_connection_options(s->broker, &s->progress, &connection);
    enum bs_status status = bs_publisher_new(&s->publisher, &connection, WINDOW);
    if (status != BS_OK)
        return bs_broker_explain(s->broker, status, "", "");
    s->pace = (struct bs_paced_publisher){
        .publisher = s->publisher, .progress = &s->progress, .speed = s->options->speed};
    s->sink = bs_paced_publisher_sink(&s->pace);
    return explain(s, bs_publisher_connect(s->publisher));
}

int bs_sending_open(struct bs_sending *s, const struct bs_broker *broker,
                    const struct bs_sending_options *sending)
{
    *s = (struct bs_sending){.broker = broker, .options = sending};
    int exit_status = open_truth(s);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    bs_progress_init(&s->progress, sending->quiet, describe, s);
    return sending->script_path ? open_script(s) : open_connection(s);
}

void bs_sending_close(struct bs_sending *s)
{
    bs_publisher_free(s->publisher);
    if (s->script.file)
        bs_script_close(&s->script);
    if (s->truth_file)
        fclose(s->truth_file);
    *s = (struct bs_sending){0};
}

void bs_sending_device_topic(const struct bs_sending *s, char ret[BS_BROKER_TOPIC_MAX])
{
    if (s->options->script_path)
        snprintf(ret, BS_BROKER_TOPIC_MAX, "device/");
    else
        bs_broker_topic(s->broker, "device/", ret);
}

/* ---- the sink of a run: the one that was opened, and what is to be known of its messages ---- */

static enum bs_status wait(void *context, int64_t at_ms)
{
    struct bs_sending *s = context;
    if (s->options->script_path && bs_progress_poll(&s->progress))
        return BS_CLOSED;
    return s->sink.wait(s->sink.context, at_ms);
}

static enum bs_status deliver(void *context, const struct bs_parcel *parcel)
{
    struct bs_sending *s = context;
    enum bs_status status = s->sink.deliver(s->sink.context, parcel);
    if (status != BS_OK || parcel->count == 0)
        return status;
    s->truth->messages++;
    if (s->plan->arrived)
        s->plan->arrived(s->plan->arrived_context, parcel);
    return BS_OK;
}

/* ---- the run ---- */

static enum bs_status send_all(const struct bs_sending_plan *plan, struct bs_feed *feed)
{
    enum bs_status status = BS_OK;
    struct bs_reading reading;
    while (status == BS_OK && plan->source.next(plan->source.context, &reading))
        status = bs_feed_step(feed, &reading);
    return status;
}

static enum bs_status finish(struct bs_sending *s, struct bs_feed *feed, bool hurry)
{
    enum bs_status status = bs_feed_flush(feed, hurry);
    if (status != BS_OK)
        return status;
    if (s->publisher)
        return bs_publisher_drain(s->publisher);
    return bs_script_close(&s->script) ? BS_OK : BS_IO;
}

static enum bs_status run(struct bs_sending *s, struct bs_feed *feed, const struct bs_sink *sink)
{
    enum bs_status status = sink->wait(sink->context, s->plan->origin_ms);
    if (status == BS_OK && s->plan->open)
        status = s->plan->open(s->plan->open_context, sink);
    if (status == BS_OK)
        status = send_all(s->plan, feed);
    if (status == BS_OK)
        status = finish(s, feed, false);
    if (status == BS_CLOSED) {
        bs_progress_grant(&s->progress, STOP_GRACE_MS);
        finish(s, feed, true);
    }
    bs_progress_end(&s->progress);
    return status;
}

static enum bs_status run_with(struct bs_sending *s, struct bs_network *network,
                               const struct bs_sink *sink)
{
    char topic[BS_BROKER_TOPIC_MAX];
    bs_sending_device_topic(s, topic);
    const struct bs_feed_options how = {
        .encoding = s->options->encoding, .batch = s->options->batch, .topic = topic};
    struct bs_feed *feed;
    enum bs_status status = bs_feed_new(&feed, &how, s->plan->wearables, s->truth, network);
    if (status != BS_OK)
        return status;
    status = run(s, feed, sink);
    s->truth->duplicates = bs_network_duplicates(network);
    bs_feed_free(feed);
    return status;
}

int bs_sending_run(struct bs_sending *s, const struct bs_sending_plan *plan, struct bs_truth *truth)
{
    const struct bs_sink sink = {s, wait, deliver};
    struct bs_network *network;
    enum bs_status status = bs_network_new(&network, &plan->network, &sink);
    if (status != BS_OK)
        return explain(s, status);
    s->plan = plan;
    s->truth = truth;
    s->pace.origin_ms = plan->origin_ms;
    s->pace.begun_ns = bs_connection_now_ns();
    status = run_with(s, network, &sink);
    s->plan = NULL;
    s->truth = NULL;
    bs_network_free(network);
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
    return written == text->length && closed == 0 ? BS_EXIT_DONE
                                                  : explain_file(s->options->truth_path);
}

void bs_sending_summarise(const struct bs_sending *s, const struct bs_truth *truth)
{
    const char *script = s->options->script_path;
    if (s->options->quiet || (script && strcmp(script, "-") == 0))
        return;
    double seconds = (double)(bs_connection_now_ns() - s->progress.begun_ns) / 1e9;
    struct bs_publisher_progress p = progress_of(s);
    printf("%" PRIu64 " steps of %zu devices in %" PRIu64 " messages", truth->steps,
           truth->wearable_count, truth->messages);
    if (!script)
        printf(", %" PRIu64 " acknowledged", p.acknowledged);
    printf(", in %.1f s (%.0f messages/s)", seconds,
           (double)truth->messages / (seconds > 0 ? seconds : 1));
    if (truth->duplicates > 0)
        printf("; %" PRIu64 " steps sent twice", truth->duplicates);
    if (p.connects > 1)
        printf("; connected %" PRIu64 " times", p.connects);
    putchar('\n');
}
