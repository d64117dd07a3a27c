/* backstepctl get: what the broker keeps. Must never write outside the folder it was given,
 * whatever topics a broker has. */
#include "collection.h"
#include "commands.h"
#include "exit_status.h"
#include "places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GIVE_UP_S 30u

struct get {
    struct bs_broker broker;
    struct bs_places places; /* none: all */
    const char *folder;      /* NULL: to stdout */
    bool results;
    struct bs_progress progress;
    struct bs_collection found;
};

enum { OPTION_RESULT = 0x3000, OPTION_DIR };

static const struct argp_option option_table[] = {
    {"result", OPTION_RESULT, NULL, 0, "the daemon's answers instead of the documents", 0},
    {"dir", OPTION_DIR, "DIR", 0, "write them to DIR/KIND/ID.json, over what is there", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct get *g = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &g->broker;
        return 0;
    case OPTION_RESULT:
        g->results = true;
        return 0;
    case OPTION_DIR:
        g->folder = argument;
        return 0;
    case ARGP_KEY_ARGS:
        bs_places_parse(&g->places, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arguments(struct get *g, int argc, char **argv)
{
    static const struct argp_child children[] = {{&bs_broker_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table,
        .parser = parse,
        .args_doc = "[KIND/ID...]",
        .doc = "Print configuration documents as the broker keeps them: one as it is, several each "
               "behind a line with its KIND/ID. Without any named, all. Exit status 1 says that "
               "one is not there.",
        .children = children,
    };
    *g = (struct get){.broker = {.give_up_s = GIVE_UP_S}};
    argp_parse(&parser, argc, argv, 0, NULL, g);
}

static void describe(void *context, FILE *to)
{
    (void)context;
    fputs("waiting for the broker", to);
}

/* ---- from the broker ---- */

static enum bs_status gather(struct get *g)
{
    const char *what = g->results ? "result" : "config";
    size_t count = g->places.count;
    char **filters = calloc(count + 1, sizeof *filters);
    enum bs_status status = filters ? BS_OK : BS_NO_MEMORY;
    for (size_t i = 0; status == BS_OK && i < (count ? count : 1); i++) {
        const struct bs_document_place *place = &g->places.at[i];
        int length =
            count ? asprintf(&filters[i], "%s/%s/%s", what, bs_kind_name(place->kind), place->id)
                  : asprintf(&filters[i], "%s/#", what);
        if (length < 0) {
            filters[i] = NULL;
            status = BS_NO_MEMORY;
        }
    }
    if (status == BS_OK)
        status = bs_collection_gather(&g->found, &g->broker, &g->progress,
                                      (const char *const *)filters, count ? count : 1, count);
    for (size_t i = 0; filters && i < count + 1; i++)
        free(filters[i]);
    free(filters);
    return status;
}

/* "config/member/ruth" is "member/ruth". */
static const char *name_of(const struct bs_retained *m)
{
    return m->rest + strlen("config/");
}

/* ---- to the terminal or a folder ---- */

static void print(const struct bs_retained *m)
{
    fwrite(m->payload.at, 1, m->payload.length, stdout);
}

static bool ends_line(const struct bs_retained *m)
{
    return m->payload.length > 0 && m->payload.at[m->payload.length - 1] == '\n';
}

static void print_list(const struct get *g)
{
    const struct bs_retained *m, *next;
    HASH_ITER(hh, g->found.by_rest, m, next)
    {
        printf("%s\n", name_of(m));
        print(m);
        fputs(ends_line(m) ? "\n" : "\n\n", stdout);
    }
}

static void print_all(const struct get *g)
{
    const struct bs_retained *m = g->found.by_rest;
    if (g->places.count != 1) {
        print_list(g);
    } else if (m) {
        print(m);
        if (isatty(STDOUT_FILENO) && !ends_line(m))
            putchar('\n');
    }
}

static int fail(const char *path)
{
    fprintf(stderr, "backstepctl: %s: %s\n", path, strerror(errno));
    return BS_EXIT_CANNOT_CREATE;
}

static int make_folder(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? BS_EXIT_DONE : fail(path);
}

static int write_document(const char *path, const struct bs_retained *m)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return fail(path);
    size_t written = fwrite(m->payload.at, 1, m->payload.length, file);
    int closed = fclose(file);
    return written == m->payload.length && closed == 0 ? BS_EXIT_DONE : fail(path);
}

static int write_file(const struct get *g, const struct bs_retained *m)
{
    struct bs_document_place place;
    char why[160];
    if (!bs_document_place_read(bs_slice_text(name_of(m)), &place, why, sizeof why)) {
        fprintf(stderr, "backstepctl: left out %s: %s\n", m->rest, why);
        return BS_EXIT_DONE;
    }
    char *folder = NULL, *path = NULL;
    int exit_status = BS_EXIT_MEMORY;
    if (asprintf(&folder, "%s/%s", g->folder, bs_kind_name(place.kind)) < 0)
        folder = NULL;
    if (folder && asprintf(&path, "%s/%s.json", folder, place.id) < 0)
        path = NULL;
    if (path)
        exit_status = make_folder(folder);
    if (exit_status == BS_EXIT_DONE)
        exit_status = write_document(path, m);
    free(path);
    free(folder);
    return exit_status;
}

static int write_all(const struct get *g)
{
    int exit_status = make_folder(g->folder);
    const struct bs_retained *m, *next;
    HASH_ITER(hh, g->found.by_rest, m, next)
    {
        if (exit_status == BS_EXIT_DONE)
            exit_status = write_file(g, m);
    }
    return exit_status;
}

/* ---- the whole ---- */

static int name_missing(const struct get *g)
{
    int exit_status = BS_EXIT_DONE;
    for (size_t i = 0; i < g->places.count; i++) {
        char rest[BS_ID_MAX + 32];
        snprintf(rest, sizeof rest, "%s/%s/%s", g->results ? "result" : "config",
                 bs_kind_name(g->places.at[i].kind), g->places.at[i].id);
        if (bs_collection_find(&g->found, rest))
            continue;
        fprintf(stderr, "backstepctl: the broker has no %s\n", rest);
        exit_status = BS_EXIT_NO;
    }
    if (g->places.count == 0 && g->found.count == 0) {
        fprintf(stderr, "backstepctl: the broker has no %s of this site\n",
                g->results ? "answer" : "document");
        exit_status = BS_EXIT_NO;
    }
    return exit_status;
}

static int show(struct get *g)
{
    int exit_status = BS_EXIT_DONE;
    if (g->folder)
        exit_status = write_all(g);
    else
        print_all(g);
    if (fflush(stdout) != 0)
        exit_status = fail("stdout");
    int missing = name_missing(g);
    return exit_status != BS_EXIT_DONE ? exit_status : missing;
}

int bs_get(int argc, char **argv)
{
    struct get g;
    parse_arguments(&g, argc, argv);
    int exit_status = bs_broker_resolve(&g.broker);
    if (exit_status == BS_EXIT_DONE) {
        bs_progress_init(&g.progress, !isatty(STDERR_FILENO), describe, NULL);
        enum bs_status status = gather(&g);
        bs_progress_end(&g.progress);
        exit_status = bs_broker_explain(&g.broker, status, "", g.found.trouble);
        if (exit_status == BS_EXIT_DONE)
            exit_status = show(&g);
        bs_collection_fini(&g.found);
        bs_broker_fini(&g.broker);
    }
    bs_places_fini(&g.places);
    return exit_status;
}
