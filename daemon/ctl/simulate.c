/* backstepctl simulate: a class of wearables on a real broker, or as a script. Must never send
 * other steps for the same seed and start. */
#include "births.h"
#include "class_documents.h"
#include "commands.h"
#include "exit_status.h"
#include "gym.h"
#include "simulate_options.h"
#include "traces.h"
#include "truth_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TRUTH_BYTES_MAX (1024u * 1024 * 1024)

/* A class that walks, what it wears, and what is noted of it. */
struct run {
    struct bs_simulation *options;
    struct bs_gym gym; /* only with a folder */
    int64_t start_ms;
    struct bs_class *class;
    struct bs_wearables *wearables;
    struct bs_traces traces; /* only where rows are wanted */
    struct bs_truth truth;
    struct bs_births births;
    struct bs_sending sending;
    FILE *rows;
};

static int no_memory(void)
{
    fprintf(stderr, "backstepctl: %s\n", bs_status_text(BS_NO_MEMORY));
    return BS_EXIT_MEMORY;
}

static int cannot_write(const char *path)
{
    fprintf(stderr, "backstepctl: %s: %s\n", path, strerror(errno));
    return BS_EXIT_CANNOT_CREATE;
}

/* ---- when it begins ---- */

/* How long the class walks until it has taken its steps: it walks them once for nobody, for the
 * answer decides when it must have begun. Negative where memory is out. */
static int64_t walk_length_ms(const struct bs_simulation *s)
{
    struct bs_class *class = NULL;
    struct bs_wearables *wearables = NULL;
    struct bs_reading reading = {.made_ms = -1};
    if (bs_class_new(&class, &s->class, 0) == BS_OK &&
        bs_wearables_new(&wearables, &s->wearables, class, 0) == BS_OK) {
        while (bs_wearables_next(wearables, &reading))
            ;
    }
    bs_wearables_free(wearables);
    bs_class_free(class);
    return reading.made_ms;
}

/* False where memory is out. */
static bool choose_start(struct run *r)
{
    const struct bs_simulation *s = r->options;
    int64_t now = bs_sending_wall_ms();
    if (s->has_start) {
        r->start_ms = s->start_is_relative ? now + s->start_ms : s->start_ms;
        return true;
    }
    int64_t length = 0;
    if (s->sending.speed != 1)
        length = s->wearables.steps_max > 0 ? walk_length_ms(s) : s->class.duration_ms;
    r->start_ms = now - length;
    return length >= 0;
}

/* ---- the truth ---- */

static int write_truth(struct run *r)
{
    struct bs_buffer text;
    bs_buffer_init(&text, TRUTH_BYTES_MAX);
    bs_buffer_add_format(&text, "{\"seed\":%" PRIu64 ",", r->options->class.seed);
    bs_truth_write_counts(&r->truth, &text);
    bs_buffer_add_format(&text, ",\"lost\":%" PRIu64 ",\"unacknowledged\":%" PRIu64 ",\n ",
                         bs_wearables_lost(r->wearables), bs_sending_unacknowledged(&r->sending));
    bs_truth_write_sent(&r->truth, bs_wearables_identities(r->wearables), &text);
    bs_buffer_add_text(&text, "}\n");
    int exit_status = bs_sending_write_truth(&r->sending, &text);
    bs_buffer_fini(&text);
    return exit_status;
}

static int open_rows(struct run *r)
{
    const char *path = r->options->rows_path;
    if (!path)
        return BS_EXIT_DONE;
    r->rows = fopen(path, "we");
    return r->rows ? BS_EXIT_DONE : cannot_write(path);
}

static int write_rows(struct run *r, const struct bs_class_documents *documents)
{
    if (!r->rows)
        return BS_EXIT_DONE;
    bool has_documents = r->options->sending.script_path && !r->options->guests;
    const struct bs_truth_rows rows = {.class = r->class,
                                       .options = &r->options->wearables,
                                       .wearables = r->wearables,
                                       .traces = &r->traces,
                                       .truth = &r->truth,
                                       .consent = has_documents ? bs_class_documents_consent : NULL,
                                       .context = documents};
    enum bs_status status = bs_truth_rows_write(&rows, r->rows);
    int closed = fclose(r->rows);
    r->rows = NULL;
    if (status == BS_NO_MEMORY)
        return no_memory();
    return status == BS_OK && closed == 0 ? BS_EXIT_DONE : cannot_write(r->options->rows_path);
}

/* ---- the run ---- */

/* What the daemon must know before the first step; its context. */
struct opening {
    struct run *run;
    const struct bs_class_documents *documents;
};

static enum bs_status open_class(void *context, const struct bs_sink *to)
{
    const struct opening *o = context;
    struct run *r = o->run;
    char topic[BS_BROKER_TOPIC_MAX];
    enum bs_status status = BS_OK;
    if (r->options->sending.script_path)
        status = bs_class_documents_send(o->documents, to);
    bs_sending_device_topic(&r->sending, topic);
    return status == BS_OK
               ? bs_births_send(&r->births, &r->options->wearables, r->wearables, topic, to)
               : status;
}

/* The class, its wearables, and what is noted of them; all of it is given back at the end. */
static enum bs_status gather(struct run *r)
{
    struct bs_simulation *s = r->options;
    if (!choose_start(r))
        return BS_NO_MEMORY;
    if (s->gym_folder)
        bs_gym_class(&r->gym, r->start_ms, &s->class, &s->wearables);
    enum bs_status status = bs_class_new(&r->class, &s->class, r->start_ms);
    if (status == BS_OK)
        status = bs_wearables_new(&r->wearables, &s->wearables, r->class, r->start_ms);
    if (status == BS_OK)
        status = bs_truth_init(&r->truth, bs_wearables_count(&s->wearables));
    if (status == BS_OK && r->rows)
        status =
            bs_traces_init(&r->traces, s->class.members, &s->wearables.sensors, s->wearables.up);
    return status;
}

static int send_class(struct run *r)
{
    struct bs_simulation *s = r->options;
    const struct bs_class_documents documents = {.class = &s->class,
                                                 .wearables = &s->wearables,
                                                 .worn = r->wearables,
                                                 .start_ms = r->start_ms,
                                                 .group_consent_pct = s->group_consent_pct,
                                                 .guests = s->guests};
    struct opening opening = {r, &documents};
    const struct bs_sending_plan plan = {.source = {r->wearables, bs_wearables_next},
                                         .wearables = bs_wearables_identities(r->wearables),
                                         .origin_ms = r->start_ms,
                                         .network = s->network,
                                         .open = open_class,
                                         .open_context = &opening,
                                         .arrived = r->rows ? bs_traces_arrive : NULL,
                                         .arrived_context = &r->traces};
    if (r->rows)
        bs_wearables_tell(r->wearables, bs_traces_add, &r->traces);
    int exit_status = bs_sending_run(&r->sending, &plan, &r->truth);
    int truth = write_truth(r), rows = write_rows(r, &documents);
    bs_sending_summarise(&r->sending, &r->truth);
    return exit_status != BS_EXIT_DONE ? exit_status : truth != BS_EXIT_DONE ? truth : rows;
}

static int simulate(struct run *r)
{
    struct bs_simulation *s = r->options;
    int exit_status = open_rows(r);
    if (exit_status == BS_EXIT_DONE)
        exit_status = bs_sending_open(&r->sending, &s->broker, &s->sending);
    if (exit_status == BS_EXIT_DONE)
        exit_status = gather(r) == BS_OK ? send_class(r) : no_memory();
    bs_sending_close(&r->sending);
    bs_births_fini(&r->births);
    bs_traces_fini(&r->traces);
    bs_truth_fini(&r->truth);
    bs_wearables_free(r->wearables);
    bs_class_free(r->class);
    if (r->rows)
        fclose(r->rows);
    return exit_status;
}

static int load_gym(struct run *r)
{
    struct bs_simulation *s = r->options;
    int exit_status = bs_gym_load(&r->gym, s->gym_folder, s->group);
    if (exit_status == BS_EXIT_DONE) /* until it is known when the class begins */
        bs_gym_class(&r->gym, 0, &s->class, &s->wearables);
    return exit_status;
}

int bs_simulate(int argc, char **argv)
{
    struct bs_simulation options;
    struct run r = {.options = &options};
    bs_simulation_parse(&options, argc, argv);
    int exit_status = BS_EXIT_DONE;
    if (!options.sending.script_path)
        exit_status = bs_broker_resolve(&options.broker);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    if (options.gym_folder)
        exit_status = load_gym(&r);
    if (exit_status == BS_EXIT_DONE)
        exit_status = simulate(&r);
    bs_gym_fini(&r.gym);
    bs_broker_fini(&options.broker);
    return exit_status;
}
