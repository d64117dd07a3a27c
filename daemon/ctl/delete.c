/* backstepctl delete: takes documents away from broker and daemon. Must never call one deleted that
 * the daemon has not answered. */
#include "commands.h"
#include "exit_status.h"
#include "places.h"
#include "requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GIVE_UP_S 30u

struct deletion {
    struct bs_broker broker;
    struct bs_places places;
    struct bs_requests *requests; /* one a place, in their order */
    struct bs_progress progress;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    struct deletion *d = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &d->broker;
        return 0;
    case ARGP_KEY_ARGS:
        bs_places_parse(&d->places, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "KIND/ID is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arguments(struct deletion *d, int argc, char **argv)
{
    static const struct argp_child children[] = {{&bs_broker_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .parser = parse,
        .args_doc = "KIND/ID...",
        .doc = "Delete configuration documents from the broker and wait until the daemon has "
               "followed. Settings have their defaults then, a class is closed. Consent is "
               "withdrawn by pushing \"consent\":\"none\", not by deletion.",
        .children = children,
    };
    *d = (struct deletion){.broker = {.give_up_s = GIVE_UP_S}};
    argp_parse(&parser, argc, argv, 0, NULL, d);
}

static void describe(void *context, FILE *to)
{
    struct deletion *d = context;
    const char *trouble = bs_requests_trouble(d->requests);
    fprintf(to, "%zu of %zu documents deleted%s%s", bs_requests_answered(d->requests),
            d->places.count, *trouble ? "; " : "", trouble);
}

static enum bs_status add_requests(struct deletion *d)
{
    enum bs_status status = bs_requests_new(&d->requests, &d->broker);
    for (size_t i = 0; status == BS_OK && i < d->places.count; i++)
        status = bs_requests_add(d->requests, &d->places.at[i], BS_SLICE(""));
    return status;
}

/* "+/KIND/ID": the document and the answer to it, both of which may lie there. */
static enum bs_status connect_requests(struct deletion *d)
{
    char **filters = calloc(d->places.count, sizeof *filters);
    enum bs_status status = filters ? BS_OK : BS_NO_MEMORY;
    for (size_t i = 0; status == BS_OK && i < d->places.count; i++) {
        const struct bs_document_place *place = &d->places.at[i];
        if (asprintf(&filters[i], "+/%s/%s", bs_kind_name(place->kind), place->id) < 0) {
            filters[i] = NULL;
            status = BS_NO_MEMORY;
        }
    }
    if (status == BS_OK)
        status = bs_requests_connect(d->requests, &d->progress, (const char *const *)filters,
                                     d->places.count, true);
    for (size_t i = 0; filters && i < d->places.count; i++)
        free(filters[i]);
    free(filters);
    return status;
}

static int report_all(struct deletion *d, enum bs_status status)
{
    for (size_t i = 0; i < d->places.count; i++) {
        bool answered = bs_requests_answer(d->requests, i) != NULL;
        printf("%s/%s: %s\n", bs_kind_name(d->places.at[i].kind), d->places.at[i].id,
               !answered                               ? "no answer"
               : bs_requests_was_there(d->requests, i) ? "deleted"
                                                       : "there was no such document");
    }
    fflush(stdout);
    return bs_requests_explain(d->requests, status);
}

static int delete_all(struct deletion *d)
{
    bs_progress_init(&d->progress, !isatty(STDERR_FILENO), describe, d);
    enum bs_status status = add_requests(d);
    if (status == BS_OK)
        status = connect_requests(d);
    if (status == BS_OK)
        status = bs_requests_run(d->requests);
    bs_progress_end(&d->progress);
    if (!d->requests)
        return bs_broker_explain(&d->broker, status, "", "");
    return report_all(d, status);
}

int bs_delete(int argc, char **argv)
{
    struct deletion d;
    parse_arguments(&d, argc, argv);
    int exit_status = bs_broker_resolve(&d.broker);
    if (exit_status == BS_EXIT_DONE) {
        exit_status = delete_all(&d);
        bs_requests_free(d.requests);
        bs_broker_fini(&d.broker);
    }
    bs_places_fini(&d.places);
    return exit_status;
}
