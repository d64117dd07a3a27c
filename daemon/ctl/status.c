/* backstepctl status: the daemon's document about itself. Must never say more than stands in it. */
#include "collection.h"
#include "commands.h"
#include "exit_status.h"
#include "service_words.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIVE_UP_S         30u
#define FALLBACK_INSTANCE "backstepd"

struct status {
    struct bs_broker broker;
    const char *instance;
    bool json;
    struct bs_progress progress;
    struct bs_collection found;
};

enum { OPTION_JSON = 0x3000, OPTION_INSTANCE };

static const struct argp_option option_table[] = {
    {"json", OPTION_JSON, NULL, 0, "the document as it is", 0},
    {"instance", OPTION_INSTANCE, "NAME", 0,
     "which daemon of the site (" FALLBACK_INSTANCE ", or what --config says)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct status *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->broker;
        return 0;
    case OPTION_JSON:
        s->json = true;
        return 0;
    case OPTION_INSTANCE:
        if (!bs_slice_is_id(bs_slice_text(argument)))
            argp_error(state, "--instance is '%s', not of [A-Za-z0-9_-]{1,64}", argument);
        s->instance = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is too much", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arguments(struct status *s, int argc, char **argv)
{
    static const struct argp_child children[] = {{&bs_broker_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table,
        .parser = parse,
        .doc = "Say how the daemon is: its state, its broker and InfluxDB, its books and what "
               "waits. Exit status 0 says that it is online; 1 that it is stalled or offline, or "
               "that it has never been there.",
        .children = children,
    };
    *s = (struct status){.broker = {.give_up_s = GIVE_UP_S}};
    argp_parse(&parser, argc, argv, 0, NULL, s);
}

static void describe(void *context, FILE *to)
{
    (void)context;
    fputs("waiting for the broker", to);
}

/* The exit status that the document means. */
static int show(const struct status *s, const struct bs_retained *m)
{
    cJSON *root = cJSON_ParseWithLength(m->payload.at, m->payload.length);
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "state"));
    int exit_status = state && strcmp(state, "online") == 0 ? BS_EXIT_DONE : BS_EXIT_NO;
    if (s->json) {
        fwrite(m->payload.at, 1, m->payload.length, stdout);
        putchar('\n');
    } else if (state) {
        bs_service_words_write(root, s->instance, s->broker.site, stdout);
    } else {
        fprintf(stderr, "backstepctl: %s is no document of a daemon\n", m->rest);
    }
    cJSON_Delete(root);
    return exit_status;
}

static int gather_and_show(struct status *s)
{
    if (!s->instance)
        s->instance = s->broker.config ? s->broker.conf.site.instance : FALLBACK_INSTANCE;
    char filter[BS_ID_MAX + 16];
    snprintf(filter, sizeof filter, "service/%s", s->instance);
    const char *const filters[] = {filter};
    bs_progress_init(&s->progress, !isatty(STDERR_FILENO), describe, NULL);
    enum bs_status status =
        bs_collection_gather(&s->found, &s->broker, &s->progress, filters, 1, 1);
    bs_progress_end(&s->progress);
    if (status != BS_OK)
        return bs_broker_explain(&s->broker, status, "", s->found.trouble);
    const struct bs_retained *m = bs_collection_find(&s->found, filter);
    if (m)
        return show(s, m);
    fprintf(stderr, "backstepctl: no daemon %s has ever been at the site %s of this broker\n",
            s->instance, s->broker.site);
    return BS_EXIT_NO;
}

int bs_show_status(int argc, char **argv)
{
    struct status s;
    parse_arguments(&s, argc, argv);
    int exit_status = bs_broker_resolve(&s.broker);
    if (exit_status == BS_EXIT_DONE) {
        exit_status = gather_and_show(&s);
        bs_collection_fini(&s.found);
        bs_broker_fini(&s.broker);
    }
    return exit_status;
}
