/* backstep-sim: the daemon's real core and shell in a simulated world. */
#include "expectation.h"
#include "generator.h"
#include "happenings.h"
#include "many.h"
#include "run.h"
#include "settings.h"
#include "shrink.h"
#include "world.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_HELD, EXIT_VIOLATED, EXIT_MALFORMED };

const char *argp_program_version = "backstep-sim " BACKSTEP_VERSION;

struct arguments {
    struct sim_many many;
    uint64_t seed;
    bool has_seed, print, list, shrink;
    char **files;
    int file_count;
};

enum { KEY_FOR = 256, KEY_KEEP, KEY_RECORDS, KEY_SHRINK, KEY_STOP };

static const struct argp_option options[] = {
    {"seed", 's', "N", 0, "Run the random world of seed N; with SCENARIO: its chances", 0},
    {"seeds", 'n', "N", 0, "Run N random worlds", 0},
    {"from", 'f', "M", 0, "Begin with seed M (1)", 0},
    {"jobs", 'j', "N", 0, "In so many processes (1)", 0},
    {"for", KEY_FOR, "SECONDS", 0, "Begin no seed after so many", 0},
    {"records", KEY_RECORDS, "N", 0, "Of each seed, messages at least", 0},
    {"stop", KEY_STOP, NULL, 0, "Begin no seed after one that failed", 0},
    {"keep", KEY_KEEP, "FOLDER", 0, "Shrink seeds that failed, and keep them there", 0},
    {"shrink", KEY_SHRINK, NULL, 0, "Print the shortest script that fails as this one does", 0},
    {"trace", 't', NULL, 0, "Say what happens, line by line", 0},
    {"print", 'p', NULL, 0, "Print the scenario of --seed and do not run it", 0},
    {"list", 'l', NULL, 0, "Print settings and happenings of a scenario", 0},
    {"quiet", 'q', NULL, 0, "Say nothing of runs that held", 0},
    {0},
};

static uint64_t number(const char *text, uint64_t most, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (errno || *end || end == text || value > most)
        argp_error(state, "%s is no number up to %llu", text, (unsigned long long)most);
    return value;
}

static bool parse_many(int key, char *value, struct argp_state *state, struct sim_many *m)
{
    switch (key) {
    case 'n':
        m->seeds = number(value, INT64_MAX, state);
        return true;
    case 'f':
        m->from = number(value, INT64_MAX, state);
        return true;
    case 'j':
        m->jobs = (unsigned)number(value, SIM_JOBS_MAX, state);
        if (m->jobs == 0)
            argp_error(state, "no process is not enough");
        return true;
    case KEY_FOR:
        m->seconds = (unsigned)number(value, 1000000, state);
        return true;
    case KEY_RECORDS:
        m->least = number(value, 1000000, state);
        return true;
    case KEY_STOP:
        m->stop = true;
        return true;
    case KEY_KEEP:
        m->keep = value;
        return true;
    case 'q':
        m->quiet = true;
        return true;
    default:
        return false;
    }
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct arguments *a = state->input;
    if (parse_many(key, value, state, &a->many))
        return 0;
    switch (key) {
    case 's':
        a->seed = number(value, INT64_MAX, state);
        a->has_seed = true;
        return 0;
    case KEY_SHRINK:
        a->shrink = true;
        return 0;
    case 't':
        a->many.trace = true;
        return 0;
    case 'p':
        a->print = true;
        return 0;
    case 'l':
        a->list = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->files = state->argv + state->next;
        a->file_count = state->argc - state->next;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[SCENARIO…]",
    .doc =
        "Runs the daemon's own code in a simulated world: virtual time, a broker, a database and "
        "a disk that fail, as scenarios or seeds tell. At the end every step that the broker "
        "acknowledged must be in the database once; and the trace of a scenario is as it "
        "expects.\v"
        "Exit status: 0 if every run held, 1 if one did not, 2 for a scenario that is not "
        "understood.",
};

/* Scenarios ------------------------------------------------------------------------------------ */

static void load(struct sim_script *s, const struct arguments *a, const char *path)
{
    sim_script_init(s);
    if (!path) {
        sim_generate(s, a->seed, a->many.least);
        return;
    }
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!in) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(EXIT_MALFORMED);
    }
    sim_script_read(s, in);
    if (in != stdin)
        fclose(in);
}

static int judge(const struct arguments *a, const char *path, const struct sim_script *s,
                 const struct sim_result *r, struct bs_slice trace)
{
    char problem[4096];
    if (r->failed) {
        printf("%s: %s%s\n", path, r->malformed ? "line " : "VIOLATION: ", r->violation);
        return r->malformed ? EXIT_MALFORMED : EXIT_VIOLATED;
    }
    if (s->expected.length > 0 &&
        !sim_expectation_holds(s->expected, s->expected_line, trace, problem, sizeof problem)) {
        printf("%s: line %s\n", path, problem);
        return EXIT_VIOLATED;
    }
    if (!a->many.quiet)
        sim_many_report(path, r);
    return EXIT_HELD;
}

static int run_file(const struct arguments *a, const char *path)
{
    struct sim_script script;
    struct sim_result result;
    char *trace = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&trace, &length);
    if (!out)
        return EXIT_MALFORMED;
    load(&script, a, path);
    sim_run(&script, a->has_seed ? a->seed : sim_script_seed(&script, 1), out, &result);
    fclose(out);
    if (a->many.trace)
        fwrite(trace, 1, length, stdout);
    int status = judge(a, path, &script, &result, bs_slice_of(trace, length));
    sim_script_fini(&script);
    free(trace);
    return status;
}

/* NULL: the seed. */
static int shrink(const struct arguments *a, const char *path)
{
    struct sim_script script, shortest;
    struct sim_shrunk shrunk;
    load(&script, a, path);
    sim_script_init(&shortest);
    sim_shrink(&script, a->has_seed ? a->seed : 1, &shortest, &shrunk);
    if (shrunk.failed)
        sim_script_print(&shortest, stdout);
    if (shrunk.failed)
        fprintf(stderr, "%zu of %zu lines are enough, after %u tries: %s\n", shrunk.lines_after,
                shrunk.lines_before, shrunk.tries, shrunk.violation);
    else
        fprintf(stderr, "it holds, or is not understood: nothing to shrink\n");
    sim_script_fini(&script);
    sim_script_fini(&shortest);
    return shrunk.failed ? EXIT_VIOLATED : EXIT_HELD;
}

static int print(const struct arguments *a)
{
    struct sim_script script;
    load(&script, a, NULL);
    sim_script_print(&script, stdout);
    sim_script_fini(&script);
    return EXIT_HELD;
}

static int print_list(void)
{
    printf("set NAME VALUE\n");
    sim_settings_print(stdout);
    printf("at SECONDS …\n");
    sim_happenings_print(stdout);
    return EXIT_HELD;
}

static int run(const struct arguments *a)
{
    int worst = EXIT_HELD;
    for (int i = 0; i < a->file_count; i++) {
        int status = a->shrink ? shrink(a, a->files[i]) : run_file(a, a->files[i]);
        worst = status > worst ? status : worst;
    }
    if (a->file_count > 0)
        return worst;
    if (a->many.seeds > 0)
        return sim_many_run(&a->many) ? EXIT_HELD : EXIT_VIOLATED;
    if (a->shrink)
        return shrink(a, NULL);
    return sim_many_run_one(&a->many, a->seed) ? EXIT_HELD : EXIT_VIOLATED;
}

int main(int argc, char **argv)
{
    struct arguments a = {.many = {.from = 1, .jobs = 1}};
    argp_err_exit_status = 64;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.list)
        return print_list();
    if (a.file_count == 0 && a.many.seeds == 0 && !a.has_seed) {
        argp_help(&argp, stderr, ARGP_HELP_USAGE | ARGP_HELP_SEE, argv[0]);
        return 64;
    }
    if (a.print && a.has_seed)
        return print(&a);
    struct sim_world *w = sim_world_new();
    int status = run(&a);
    sim_world_free(w);
    return status;
}
