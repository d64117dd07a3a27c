/* The progress line. Must never cost more than a look at the clock per step. */
#include "progress.h"

#include "connection.h"

#include <signal.h>
#include <unistd.h>

#define LOOK_NS     UINT64_C(20000000)
#define TERMINAL_NS UINT64_C(500000000)
#define PLAIN_NS    UINT64_C(5000000000)

void bs_progress_init(struct bs_progress *p, bool quiet, void (*describe)(void *, FILE *),
                      void *context)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    uint64_t now = bs_connection_now_ns();
    *p = (struct bs_progress){.quiet = quiet,
                              .terminal = isatty(STDERR_FILENO),
                              .begun_ns = now,
                              .describe = describe,
                              .context = context};
    p->draw_ns = now + (p->terminal ? TERMINAL_NS : PLAIN_NS);
}

static bool stop_is_pending(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM));
}

static void draw(struct bs_progress *p, uint64_t now)
{
    fprintf(stderr, "%s%.0f s: ", p->terminal ? "\r\033[K" : "", (double)(now - p->begun_ns) / 1e9);
    p->describe(p->context, stderr);
    if (!p->terminal)
        fputc('\n', stderr);
    p->drawn = p->terminal;
}

bool bs_progress_poll(void *progress)
{
    struct bs_progress *p = progress;
    uint64_t now = bs_connection_now_ns();
    if (now < p->look_ns)
        return p->stop;
    p->look_ns = now + LOOK_NS;
    p->stop = now >= p->granted_until_ns && stop_is_pending();
    if (!p->quiet && now >= p->draw_ns) {
        p->draw_ns = now + (p->terminal ? TERMINAL_NS : PLAIN_NS);
        draw(p, now);
    }
    return p->stop;
}

void bs_progress_grant(struct bs_progress *p, uint32_t ms)
{
    p->granted_until_ns = bs_connection_now_ns() + ms * UINT64_C(1000000);
    p->stop = false;
}

void bs_progress_end(struct bs_progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}
