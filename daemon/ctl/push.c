/* backstepctl push: documents to the broker, and the daemon's answers to them. Must publish nothing
 * where a file is no document, and call none in force that the daemon has not answered. */
#include "commands.h"
#include "document_files.h"
#include "exit_status.h"
#include "requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GIVE_UP_S 30u

struct push {
    struct bs_broker broker;
    const char *as;
    char **paths;
    int path_count;
    bool quiet;
    struct bs_document_files files;
    struct bs_requests *requests; /* one a file, in their order */
    struct bs_progress progress;
};

enum { OPTION_AS = 0x3000 };

static const struct argp_option option_table[] = {
    {"as", OPTION_AS, "KIND/ID", 0, "what the one FILE is, where its path does not say so", 0},
    {"quiet", 'q', NULL, 0, "say nothing but errors and warnings", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct push *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &p->broker;
        return 0;
    case OPTION_AS:
        p->as = argument;
        return 0;
    case 'q':
        p->quiet = true;
        return 0;
    case ARGP_KEY_ARGS:
        p->paths = state->argv + state->next;
        p->path_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE or DIR is missing");
        return 0;
    case ARGP_KEY_END:
        if (p->as && p->path_count != 1)
            argp_error(state, "--as is for one FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arguments(struct push *p, int argc, char **argv)
{
    static const struct argp_child children[] = {{&bs_broker_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table,
        .parser = parse,
        .args_doc = "FILE|DIR...",
        .doc =
            "Publish configuration documents, KIND/ID.json, and wait for the daemon's answer to "
            "each. A folder's go in an order in which none comes before what it names. FILE - is "
            "standard input. Exit status 0 says that all are in force, 1 that one was rejected.",
        .children = children,
    };
    *p = (struct push){.broker = {.give_up_s = GIVE_UP_S}};
    argp_parse(&parser, argc, argv, 0, NULL, p);
}

/* ---- before anything is published ---- */

static int read_files(struct push *p)
{
    int exit_status = BS_EXIT_DONE;
    for (int i = 0; i < p->path_count; i++) {
        int found = bs_document_files_add(&p->files, p->paths[i], p->as);
        exit_status = exit_status != BS_EXIT_DONE ? exit_status : found;
    }
    for (size_t i = 0; i < p->files.count; i++) {
        if (p->files.at[i].length <= BS_DOCUMENT_BYTES_MAX)
            continue;
        fprintf(stderr, "%s:: is longer than %u bytes\n", p->files.at[i].path,
                BS_DOCUMENT_BYTES_MAX);
        exit_status = exit_status != BS_EXIT_DONE ? exit_status : BS_EXIT_DATA;
    }
    return exit_status;
}

static int add_requests(struct push *p)
{
    int exit_status = BS_EXIT_DONE;
    enum bs_status status = bs_requests_new(&p->requests, &p->broker);
    for (size_t i = 0; status == BS_OK && i < p->files.count; i++) {
        const struct bs_document_file *f = &p->files.at[i];
        status = bs_requests_add(p->requests, &f->place, bs_slice_of(f->bytes, f->length));
        if (status == BS_BUSY) {
            fprintf(stderr, "%s:: a file before it is %s/%s, too\n", f->path,
                    bs_kind_name(f->place.kind), f->place.id);
            exit_status = BS_EXIT_DATA;
            status = BS_OK;
        }
    }
    return status == BS_OK ? exit_status : bs_broker_explain(&p->broker, status, "", "");
}

/* ---- publishing ---- */

static void describe(void *context, FILE *to)
{
    struct push *p = context;
    const char *trouble = bs_requests_trouble(p->requests);
    fprintf(to, "%zu of %zu documents answered%s%s", bs_requests_answered(p->requests),
            p->files.count, *trouble ? "; " : "", trouble);
}

/* A device that moves from one member to another is refused until the first has let go of it, and
 * a file's place does not say who is first: what was rejected is tried again as long as the last
 * round got another one accepted. */
static bool repeat_rejected(struct push *p, size_t *accepted_before)
{
    size_t accepted = 0, rejected = 0;
    for (size_t i = 0; i < p->files.count; i++) {
        const struct bs_answer *answer = bs_requests_answer(p->requests, i);
        accepted += answer && answer->ok;
        rejected += answer && !answer->ok;
    }
    bool moved = accepted > *accepted_before;
    *accepted_before = accepted;
    if (!moved || rejected == 0)
        return false;
    for (size_t i = 0; i < p->files.count; i++) {
        if (!bs_requests_answer(p->requests, i)->ok)
            bs_requests_repeat(p->requests, i);
    }
    return true;
}

static enum bs_status publish(struct push *p)
{
    static const char *const filters[] = {"result/#"};
    bs_progress_init(&p->progress, p->quiet || !isatty(STDERR_FILENO), describe, p);
    enum bs_status status = bs_requests_connect(p->requests, &p->progress, filters, 1, false);
    if (status == BS_OK)
        status = bs_requests_run(p->requests);
    size_t accepted = 0;
    while (status == BS_OK && repeat_rejected(p, &accepted))
        status = bs_requests_run(p->requests);
    bs_progress_end(&p->progress);
    return status;
}

/* ---- what came of it ---- */

static void report(const struct push *p, const struct bs_document_file *f,
                   const struct bs_answer *answer)
{
    struct bs_document_rev rev = {0};
    const char *what = "no answer";
    if (answer) {
        rev = answer->ok ? answer->rev : answer->in_force;
        what = answer->ok             ? "in force"
               : answer->has_in_force ? "rejected; what was in force stays"
                                      : "rejected; none is in force";
        bs_answer_write_finding(answer, f->path, stderr);
    }
    if (p->quiet)
        return;
    printf("%s/%s: %s", bs_kind_name(f->place.kind), f->place.id, what);
    if (rev.known)
        printf(", revision %u", rev.number);
    putchar('\n');
}

static int report_all(struct push *p, enum bs_status status)
{
    size_t rejected = 0;
    for (size_t i = 0; i < p->files.count; i++) {
        const struct bs_answer *answer = bs_requests_answer(p->requests, i);
        rejected += answer && !answer->ok;
        report(p, &p->files.at[i], answer);
    }
    fflush(stdout);
    int exit_status = bs_requests_explain(p->requests, status);
    return exit_status == BS_EXIT_DONE && rejected > 0 ? BS_EXIT_NO : exit_status;
}

int bs_push(int argc, char **argv)
{
    struct push p;
    parse_arguments(&p, argc, argv);
    int exit_status = bs_broker_resolve(&p.broker);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    exit_status = read_files(&p);
    if (exit_status == BS_EXIT_DONE)
        exit_status = add_requests(&p);
    if (exit_status == BS_EXIT_DONE)
        exit_status = report_all(&p, publish(&p));
    else
        fputs("backstepctl: nothing was published\n", stderr);
    bs_requests_free(p.requests);
    bs_document_files_fini(&p.files);
    bs_broker_fini(&p.broker);
    return exit_status;
}
