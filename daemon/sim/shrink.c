/* The shortest script that fails. Must never take one that fails in another manner: a crash is not
 * a hang, and neither is a broken rule. */
#include "shrink.h"

#include "backstep/base/check.h"
#include "expectation.h"
#include "run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES_MAX = 4000, SECONDS_MAX = 120, RUN_SECONDS_MAX = 20, LINE_MAX_BYTES = 4096 };

enum manner { HELD, VIOLATED, CRASHED, HUNG, MALFORMED };

struct shrinking {
    char **lines; /* owned; NULL: left out */
    size_t count;
    uint64_t seed;
    enum manner manner;
    time_t until;
    unsigned tries;
    struct sim_result *result; /* shared with the process that tries */
    char violation[4096];      /* of the last one that failed */
};

/* One try -------------------------------------------------------------------------------------- */

static void build(const struct shrinking *s, struct sim_script *ret)
{
    sim_script_init(ret);
    for (size_t i = 0; i < s->count; i++)
        if (s->lines[i])
            sim_script_add(ret, "%s", s->lines[i]);
}

static _Noreturn void run_apart(const struct shrinking *s)
{
    struct sim_script script;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
    alarm(RUN_SECONDS_MAX);
    build(s, &script);
    sim_run(&script, s->seed, NULL, s->result);
    _exit(0);
}

static enum manner run_once(struct shrinking *s)
{
    int status;
    s->tries++;
    s->result->violation[0] = '\0';
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        run_apart(s);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return HELD;
    if (WIFSIGNALED(status)) {
        int number = WTERMSIG(status);
        snprintf(s->result->violation, sizeof s->result->violation, "ended by signal %d", number);
        return number == SIGALRM ? HUNG : CRASHED;
    }
    if (WEXITSTATUS(status) != 0)
        return CRASHED;
    if (s->result->malformed)
        return MALFORMED;
    return s->result->failed ? VIOLATED : HELD;
}

static bool still_fails(struct shrinking *s)
{
    if (s->tries >= TRIES_MAX || time(NULL) >= s->until || run_once(s) != s->manner)
        return false;
    memcpy(s->violation, s->result->violation, sizeof s->violation);
    return true;
}

static void tell(const struct shrinking *s)
{
    size_t left = 0;
    if (!isatty(STDERR_FILENO))
        return;
    for (size_t i = 0; i < s->count; i++)
        left += s->lines[i] != NULL;
    fprintf(stderr, "\rshrinking: %zu of %zu lines, %u tries ", left, s->count, s->tries);
}

/* Lines ---------------------------------------------------------------------------------------- */

/* The next `size` lines that are there, from `*at` on, are left out if it fails without them. */
static bool leave_out(struct shrinking *s, size_t *at, size_t size)
{
    size_t begin = *at, taken = 0, end = begin;
    char **kept = malloc(s->count * sizeof *kept);
    bs_check(kept);
    memcpy(kept, s->lines, s->count * sizeof *kept);
    for (; end < s->count && taken < size; end++) {
        taken += s->lines[end] != NULL;
        s->lines[end] = NULL;
    }
    bool gone = taken > 0 && still_fails(s);
    for (size_t i = begin; i < end; i++) {
        if (gone)
            free(kept[i]);
        else
            s->lines[i] = kept[i];
    }
    free(kept);
    *at = end;
    return gone;
}

static bool leave_out_all(struct shrinking *s, size_t size)
{
    bool any = false;
    for (size_t at = 0; at < s->count;)
        any |= leave_out(s, &at, size);
    tell(s);
    return any;
}

/* Steps ---------------------------------------------------------------------------------------- */

static char *with_last(const char *line, const char *range, unsigned long first, unsigned long last)
{
    char *text;
    const char *rest = range;
    while (*rest && *rest != ' ')
        rest++;
    int length = asprintf(&text, "%.*s%lu..%lu%s", (int)(range - line), line, first, last, rest);
    bs_check(length >= 0);
    return text;
}

static bool replace(struct shrinking *s, size_t i, char *line)
{
    char *before = s->lines[i];
    s->lines[i] = line;
    bool fails = still_fails(s);
    free(fails ? before : line);
    if (!fails)
        s->lines[i] = before;
    return fails;
}

static void shorten(struct shrinking *s, size_t i)
{
    static const char mark[] = " seq ";
    unsigned long first, last, cut;
    const char *range = s->lines[i] ? strstr(s->lines[i], mark) : NULL;
    if (!range || sscanf(range + sizeof mark - 1, "%lu..%lu", &first, &last) != 2 || last < first)
        return;
    for (cut = (last - first + 1) / 2; cut > 0;) {
        range = strstr(s->lines[i], mark) + sizeof mark - 1;
        if (last - first >= cut && replace(s, i, with_last(s->lines[i], range, first, last - cut)))
            last -= cut;
        else
            cut /= 2;
    }
    tell(s);
}

/* The whole ------------------------------------------------------------------------------------ */

static void take_lines(struct shrinking *s, const struct sim_script *script)
{
    struct bs_slice rest = bs_buffer_slice(&script->bytes), line;
    while (sim_text_next_line(&rest, &line) && !bs_slice_equal(line, BS_SLICE("expect"))) {
        if (line.length == 0 || line.at[0] == '#' || bs_slice_starts(line, BS_SLICE("seed ")))
            continue;
        s->lines = realloc(s->lines, (s->count + 1) * sizeof *s->lines);
        bs_check(s->lines && line.length < LINE_MAX_BYTES * 16);
        s->lines[s->count] = strndup(line.at, line.length);
        bs_check(s->lines[s->count]);
        s->count++;
    }
}

static void shrink_lines(struct shrinking *s)
{
    for (size_t size = s->count / 2; size > 1; size /= 2)
        leave_out_all(s, size);
    while (leave_out_all(s, 1))
        ;
    for (size_t i = 0; i < s->count; i++)
        shorten(s, i);
    while (leave_out_all(s, 1))
        ;
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
}

static void give(struct shrinking *s, struct sim_script *ret_shortest, struct sim_shrunk *ret)
{
    ret->failed = true;
    ret->lines_before = s->count;
    ret->tries = s->tries;
    memcpy(ret->violation, s->violation, sizeof ret->violation);
    sim_script_add(ret_shortest, "# %.400s", s->violation);
    sim_script_add(ret_shortest, "seed %llu", (unsigned long long)s->seed);
    for (size_t i = 0; i < s->count; i++)
        if (s->lines[i]) {
            sim_script_add(ret_shortest, "%s", s->lines[i]);
            ret->lines_after++;
        }
}

void sim_shrink(struct sim_script *script, uint64_t seed, struct sim_script *ret_shortest,
                struct sim_shrunk *ret)
{
    struct shrinking s = {.seed = sim_script_seed(script, seed), .until = time(NULL) + SECONDS_MAX};
    *ret = (struct sim_shrunk){0};
    s.result =
        mmap(NULL, sizeof *s.result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bs_check(s.result != MAP_FAILED);
    take_lines(&s, script);
    s.manner = run_once(&s);
    memcpy(s.violation, s.result->violation, sizeof s.violation);
    if (s.manner != HELD && s.manner != MALFORMED) {
        shrink_lines(&s);
        give(&s, ret_shortest, ret);
    }
    for (size_t i = 0; i < s.count; i++)
        free(s.lines[i]);
    free(s.lines);
    munmap(s.result, sizeof *s.result);
}
