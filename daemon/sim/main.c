/* backstep-sim: the daemon's real core and shell in a simulated world. */
#include "generator.h"
#include "happenings.h"
#include "run.h"
#include "settings.h"
#include "world.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *argp_program_version = "backstep-sim " BACKSTEP_VERSION;

struct arguments {
    uint64_t seed, from, seeds;
    unsigned jobs;
    bool has_seed, trace, print, list, quiet;
    char **files;
    int file_count;
};

static const struct argp_option options[] = {
    {"seed", 's', "N", 0, "Run the random world of seed N", 0},
    {"seeds", 'n', "N", 0, "Run N random worlds", 0},
    {"from", 'f', "M", 0, "Begin with seed M (1)", 0},
    {"jobs", 'j', "N", 0, "In so many processes (1)", 0},
    {"trace", 't', NULL, 0, "Say what happens, line by line", 0},
    {"print", 'p', NULL, 0, "Print the scenario of --seed and do not run it", 0},
    {"list", 'l', NULL, 0, "Print settings and happenings of a scenario", 0},
    {"quiet", 'q', NULL, 0, "Say nothing of runs that held", 0},
    {0},
};

static uint64_t number(const char *text, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (errno || *end || end == text)
        argp_error(state, "%s is no number", text);
    return value;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 's':
        a->seed = number(value, state);
        a->has_seed = true;
        return 0;
    case 'n':
        a->seeds = number(value, state);
        return 0;
    case 'f':
        a->from = number(value, state);
        return 0;
    case 'j':
        a->jobs = (unsigned)number(value, state);
        return 0;
    case 't':
        a->trace = true;
        return 0;
    case 'p':
        a->print = true;
        return 0;
    case 'l':
        a->list = true;
        return 0;
    case 'q':
        a->quiet = true;
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
        "acknowledged must be in the database once.\v"
        "Exit status: 0 if every run held, 1 if one did not, 2 for a scenario that is not "
        "understood.",
};

/* One run ---------------------------------------------------------------------------------------
 */

static void report(const char *what, const struct sim_result *r)
{
    if (r->malformed)
        printf("%s:%s\n", what, r->violation);
    else if (r->failed)
        printf("%s: VIOLATION: %s\n", what, r->violation);
    else
        printf("%s: held; %llu records, %llu steps, %llu rows, %llu events, %llu s\n", what,
               (unsigned long long)r->records, (unsigned long long)r->steps,
               (unsigned long long)r->rows, (unsigned long long)r->events,
               (unsigned long long)r->seconds);
    fflush(stdout);
}

static bool run_seed(const struct arguments *a, uint64_t seed)
{
    struct sim_script script;
    struct sim_result result;
    char what[64];
    sim_script_init(&script);
    sim_generate(&script, seed);
    if (a->print) {
        sim_script_print(&script, stdout);
    } else {
        sim_run(&script, seed, a->trace ? stdout : NULL, &result);
        snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        if (!a->quiet || result.failed)
            report(what, &result);
    }
    sim_script_fini(&script);
    return a->print || !result.failed;
}

static bool run_file(const struct arguments *a, const char *path)
{
    struct sim_script script;
    struct sim_result result;
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!in) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    sim_script_init(&script);
    sim_script_read(&script, in);
    if (in != stdin)
        fclose(in);
    sim_run(&script, a->has_seed ? a->seed : 1, a->trace ? stdout : NULL, &result);
    report(path, &result);
    sim_script_fini(&script);
    if (result.malformed)
        exit(2);
    return !result.failed;
}

/* Many ------------------------------------------------------------------------------------------
 */

static bool run_share(const struct arguments *a, unsigned share)
{
    bool held = true;
    for (uint64_t i = share; i < a->seeds; i += a->jobs)
        held &= run_seed(a, a->from + i);
    return held;
}

static bool wait_for_all(unsigned jobs)
{
    bool held = true;
    for (unsigned i = 0; i < jobs; i++) {
        int status;
        held &= wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    return held;
}

static bool run_seeds(const struct arguments *a)
{
    if (a->jobs <= 1)
        return run_share(a, 0);
    for (unsigned share = 0; share < a->jobs; share++) {
        pid_t child = fork();
        if (child == 0)
            exit(run_share(a, share) ? 0 : 1);
        if (child < 0)
            return false;
    }
    return wait_for_all(a->jobs);
}

int main(int argc, char **argv)
{
    struct arguments a = {.from = 1, .jobs = 1};
    bool held = true;
    argp_err_exit_status = 64;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.list) {
        printf("set NAME VALUE\n");
        sim_settings_print(stdout);
        printf("at SECONDS …\n");
        sim_happenings_print(stdout);
        return 0;
    }
    struct sim_world *w = sim_world_new();
    for (int i = 0; i < a.file_count; i++)
        held &= run_file(&a, a.files[i]);
    if (a.seeds > 0)
        held &= run_seeds(&a);
    else if (a.has_seed && a.file_count == 0)
        held &= run_seed(&a, a.seed);
    sim_world_free(w);
    return held ? 0 : 1;
}
