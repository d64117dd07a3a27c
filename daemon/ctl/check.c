/* backstepctl check: the daemon's own judgement of documents, offline. Must never judge by itself:
 * what bs_config says is what the daemon would say. */
#include "answer.h"
#include "commands.h"
#include "document_files.h"
#include "exit_status.h"

#include "backstep/base/check.h"
#include "backstep/core/config.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct check {
    const char *as;
    char **paths;
    int path_count;
    bool verbose;
    struct bs_document_files files;
};

enum { OPTION_AS = 0x3000 };

static const struct argp_option option_table[] = {
    {"as", OPTION_AS, "KIND/ID", 0, "what the one FILE is, where its path does not say so", 0},
    {"verbose", 'v', NULL, 0, "name good documents, too", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct check *c = state->input;
    switch (key) {
    case OPTION_AS:
        c->as = argument;
        return 0;
    case 'v':
        c->verbose = true;
        return 0;
    case ARGP_KEY_ARGS:
        c->paths = state->argv + state->next;
        c->path_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE or DIR is missing");
        return 0;
    case ARGP_KEY_END:
        if (c->as && c->path_count != 1)
            argp_error(state, "--as is for one FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arguments(struct check *c, int argc, char **argv)
{
    static const struct argp parser = {
        .options = option_table,
        .parser = parse,
        .args_doc = "FILE|DIR...",
        .doc =
            "Judge configuration documents, KIND/ID.json, as the daemon would if they came to it "
            "in this order; a folder's come in an order in which none is before what it names. "
            "FILE - is standard input. Says nothing of good ones; of others FILE:POINTER: "
            "message. Exit status 65 says that one was rejected; a warning rejects nothing.",
    };
    *c = (struct check){0};
    argp_parse(&parser, argc, argv, 0, NULL, c);
}

static struct bs_wall_ms now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (struct bs_wall_ms){(int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000};
}

static int judge(const struct check *c, struct bs_config *config, const struct bs_document_file *f)
{
    struct bs_config_arrival arrival = {
        .kind = bs_slice_text(bs_kind_name(f->place.kind)),
        .id = bs_slice_text(f->place.id),
        .payload = bs_slice_of(f->bytes, f->length),
        .retained = true,
        .at = now(),
    };
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    struct bs_answer answer;
    bs_check(bs_answer_read(outcome.result, &answer));
    bs_answer_write_finding(&answer, f->path, stderr);
    if (c->verbose && answer.ok)
        printf("%s: ok\n", f->path);
    return answer.ok ? BS_EXIT_DONE : BS_EXIT_DATA;
}

static int judge_all(const struct check *c, int exit_status)
{
    struct bs_config *config;
    if (bs_config_new(&config) != BS_OK) {
        fprintf(stderr, "backstepctl: %s\n", bs_status_text(BS_NO_MEMORY));
        return BS_EXIT_MEMORY;
    }
    for (size_t i = 0; i < c->files.count; i++) {
        int found = judge(c, config, &c->files.at[i]);
        exit_status = exit_status != BS_EXIT_DONE ? exit_status : found;
    }
    bs_config_free(config);
    return exit_status;
}

int bs_check_documents(int argc, char **argv)
{
    struct check c;
    parse_arguments(&c, argc, argv);
    int exit_status = BS_EXIT_DONE;
    for (int i = 0; i < c.path_count; i++) {
        int found = bs_document_files_add(&c.files, c.paths[i], c.as);
        exit_status = exit_status != BS_EXIT_DONE ? exit_status : found;
    }
    exit_status = judge_all(&c, exit_status);
    bs_document_files_fini(&c.files);
    return exit_status;
}
