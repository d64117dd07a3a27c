/* Worlds side by side. Must never let one that crashes or hangs hide the others, nor go unnamed. */
#include "many.h"

#include "backstep/base/check.h"
#include "generator.h"
#include "run.h"
#include "shrink.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_EVERY_S = 60, SEED_SECONDS_MAX = 60, FAILED_MAX = 16, SHRUNK_MAX = 4 };

#define LOOK_NS 100000000

struct worker {
    pid_t pid;
    _Atomic uint64_t seed;   /* at work on it; 0: none */
    _Atomic int64_t since_s; /* then */
};

/* Shared by all processes. */
struct board {
    _Atomic uint64_t next, done, records, least_records, steps, seconds;
    _Atomic unsigned failed;
    _Atomic uint64_t failures[FAILED_MAX]; /* their seeds */
    struct worker workers[SIM_JOBS_MAX];
};

static int64_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* One seed ------------------------------------------------------------------------------------- */

static void run_seed(const struct sim_many *m, uint64_t seed, struct sim_result *ret)
{
    struct sim_script script;
    sim_script_init(&script);
    sim_generate(&script, seed, m->least);
    sim_run(&script, seed, m->trace ? stdout : NULL, ret);
    sim_script_fini(&script);
}

void sim_many_report(const char *what, const struct sim_result *r)
{
    printf("%s: held; %llu records, %llu steps, %llu rows, %llu events, %llu s\n", what,
           (unsigned long long)r->records, (unsigned long long)r->steps,
           (unsigned long long)r->rows, (unsigned long long)r->events,
           (unsigned long long)r->seconds);
}

static void report(const struct sim_many *m, uint64_t seed, const struct sim_result *r)
{
    char what[64];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    if (r->failed)
        printf("%s: VIOLATION: %s\n", what, r->violation);
    else if (!m->quiet)
        sim_many_report(what, r);
    fflush(stdout);
}

bool sim_many_run_one(const struct sim_many *m, uint64_t seed)
{
    struct sim_result result;
    run_seed(m, seed, &result);
    report(m, seed, &result);
    return !result.failed;
}

/* A worker ------------------------------------------------------------------------------------- */

static void note_failure(struct board *b, uint64_t seed)
{
    unsigned place = atomic_fetch_add(&b->failed, 1);
    if (place < FAILED_MAX)
        atomic_store(&b->failures[place], seed);
}

static void note_done(struct board *b, const struct sim_result *r)
{
    atomic_fetch_add(&b->done, 1);
    atomic_fetch_add(&b->records, r->records);
    atomic_fetch_add(&b->steps, r->steps);
    atomic_fetch_add(&b->seconds, r->seconds);
    uint64_t least = atomic_load(&b->least_records);
    while (r->records < least &&
           !atomic_compare_exchange_weak(&b->least_records, &least, r->records))
        ;
}

static _Noreturn void work(const struct sim_many *m, struct board *b, struct worker *me,
                           int64_t until_s)
{
    struct sim_result result;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while ((until_s == 0 || now_s() < until_s) && !(m->stop && atomic_load(&b->failed) > 0)) {
        uint64_t i = atomic_fetch_add(&b->next, 1);
        if (i >= m->seeds)
            break;
        atomic_store(&me->since_s, now_s());
        atomic_store(&me->seed, m->from + i);
        run_seed(m, m->from + i, &result);
        atomic_store(&me->seed, 0);
        report(m, m->from + i, &result);
        if (result.failed)
            note_failure(b, m->from + i);
        note_done(b, &result);
    }
    exit(0);
}

static bool begin(const struct sim_many *m, struct board *b, struct worker *w, int64_t until_s)
{
    fflush(NULL);
    pid_t child = fork(); /* the board is the child's, too: only one of both writes there */
    if (child == 0)
        work(m, b, w, until_s);
    w->pid = child;
    return child > 0;
}

/* True where it is to begin anew: it has left its seed undone. */
static bool has_ended(struct board *b, struct worker *w)
{
    int status;
    uint64_t seed = atomic_load(&w->seed);
    if (seed && now_s() - atomic_load(&w->since_s) > SEED_SECONDS_MAX)
        kill(w->pid, SIGKILL);
    if (waitpid(w->pid, &status, WNOHANG) != w->pid)
        return false;
    w->pid = 0;
    seed = atomic_load(&w->seed);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && seed == 0)
        return false;
    printf("seed %llu: VIOLATION: ended by %s %d\n", (unsigned long long)seed,
           WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    note_failure(b, seed);
    atomic_fetch_add(&b->done, 1);
    atomic_store(&w->seed, 0);
    return true;
}

/* All of them ---------------------------------------------------------------------------------- */

static void tell(const struct sim_many *m, const struct board *b, int64_t took_s)
{
    bool terminal = isatty(STDERR_FILENO);
    if (!terminal && took_s % LINE_EVERY_S != 0)
        return;
    fprintf(stderr, "%s%llu of %llu seeds, %u failed, %llu records, %lld s%s", terminal ? "\r" : "",
            (unsigned long long)atomic_load(&b->done), (unsigned long long)m->seeds,
            atomic_load(&b->failed), (unsigned long long)atomic_load(&b->records),
            (long long)took_s, terminal ? " " : "\n");
}

static void watch(const struct sim_many *m, struct board *b, int64_t until_s)
{
    const struct timespec look = {0, LOOK_NS};
    int64_t begun_s = now_s(), told_s = begun_s;
    for (unsigned running = m->jobs; running > 0;) {
        nanosleep(&look, NULL);
        running = 0;
        for (unsigned i = 0; i < m->jobs; i++) {
            struct worker *w = &b->workers[i];
            if (w->pid > 0 && has_ended(b, w))
                begin(m, b, w, until_s);
            running += w->pid > 0;
        }
        if (now_s() == told_s)
            continue;
        told_s = now_s();
        tell(m, b, told_s - begun_s);
    }
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
}

static void keep(const struct sim_many *m, uint64_t seed)
{
    struct sim_script script, shortest;
    struct sim_shrunk shrunk;
    char path[4096];
    sim_script_init(&script);
    sim_script_init(&shortest);
    sim_generate(&script, seed, m->least);
    sim_shrink(&script, seed, &shortest, &shrunk);
    snprintf(path, sizeof path, "%s/seed-%llu.scn", m->keep, (unsigned long long)seed);
    FILE *out = shrunk.failed ? fopen(path, "we") : NULL;
    if (out) {
        sim_script_print(&shortest, out);
        fclose(out);
        printf("seed %llu: %zu of %zu lines fail, kept in %s: %s\n", (unsigned long long)seed,
               shrunk.lines_after, shrunk.lines_before, path, shrunk.violation);
    } else {
        printf("seed %llu: not kept: %s\n", (unsigned long long)seed,
               shrunk.failed ? strerror(errno) : "it held when it was run again");
    }
    fflush(stdout);
    sim_script_fini(&script);
    sim_script_fini(&shortest);
}

static void sum_up(const struct sim_many *m, const struct board *b, int64_t took_s)
{
    uint64_t done = atomic_load(&b->done);
    printf(
        "%llu seeds from %llu on, %u failed; %llu records (%llu at least), %llu steps, %llu s of "
        "the world in %lld s\n",
        (unsigned long long)done, (unsigned long long)m->from, atomic_load(&b->failed),
        (unsigned long long)atomic_load(&b->records),
        (unsigned long long)(done ? atomic_load(&b->least_records) : 0),
        (unsigned long long)atomic_load(&b->steps), (unsigned long long)atomic_load(&b->seconds),
        (long long)took_s);
}

bool sim_many_run(const struct sim_many *m)
{
    struct board *b =
        mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bs_check(b != MAP_FAILED && m->jobs > 0 && m->jobs <= SIM_JOBS_MAX);
    int64_t begun_s = now_s(), until_s = m->seconds > 0 ? begun_s + m->seconds : 0;
    atomic_store(&b->least_records, UINT64_MAX);
    for (unsigned i = 0; i < m->jobs; i++)
        bs_check(begin(m, b, &b->workers[i], until_s));
    watch(m, b, until_s);
    sum_up(m, b, now_s() - begun_s);
    unsigned failed = atomic_load(&b->failed);
    for (unsigned i = 0; m->keep && i < failed && i < SHRUNK_MAX; i++)
        keep(m, atomic_load(&b->failures[i]));
    munmap(b, sizeof *b);
    return failed == 0;
}
