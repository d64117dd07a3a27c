/* The forked process: it saves the state as it was when it was forked. Must never return, nor touch
 * what it shares with its parent: descriptors, the loop, the logs' maps.
 *
 * The parent has other threads, the broker's client's among them. Here they do not exist, but what
 * they held is held for ever: so nothing is called that may take a lock of theirs (no stdio, no
 * logging, nothing of libuv, Paho, curl). malloc is safe: glibc takes its own locks around fork()
 * and gives this process fresh ones. It ends by _exit: what is registered to run at the end (the
 * sanitizers' reports too) is the parent's. */
#include "snapshot_file_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NICENESS 10

/* A sanitizer reports faults by a handler. */
static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGABRT;
}

/* libuv's handler would write into a pipe that the parent reads. A terminal and a service manager
 * tell the whole group to end; the parent decides then what becomes of this process. */
static void leave_signals(const sigset_t *before)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ};
    for (int number = 1; number < NSIG; number++)
        if (!is_fault(number))
            (void)signal(number, SIG_DFL);
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)signal(ignored[i], SIG_IGN);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* The broker must see our connection end with the parent, and the next daemon get the log's lock.
 */
static int close_all_but(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    const unsigned kept[] = {STDERR_FILENO, low, high};
    unsigned next = 0;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (kept[i] > next && close_range(next, kept[i] - 1, 0) != 0)
            return errno;
        next = kept[i] >= next ? kept[i] + 1 : next;
    }
    return close_range(next, UINT_MAX, 0) == 0 ? 0 : errno;
}

/* Behind those who serve; and where memory ends, this one is to go and not the one that
 * acknowledges. What of it is not permitted is done without. */
static void step_back(void)
{
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = write(fd, "500", 3);
    (void)n;
    close(fd);
}

/* False where the parent died or gave it up. */
static bool wait_for_commit(int channel)
{
    char byte;
    ssize_t n;
    do
        n = recv(channel, &byte, 1, 0);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

static struct snapshot_report take(struct bs_snapshot_files *f, int channel)
{
    struct snapshot_report r = {BS_OK, close_all_but(f->folder_fd, channel)};
    if (r.error) {
        r.status = snapshot_file_status(r.error);
        return r;
    }
    step_back();
    r.status = snapshot_file_save(f, f->position, &r.error);
    if (r.status != BS_OK)
        return r;
    if (!wait_for_commit(channel)) {
        (void)snapshot_file_remove(f, f->position, SNAPSHOT_NEW);
        _exit(0);
    }
    r.status = snapshot_file_publish(f, f->position, &r.error);
    return r;
}

_Noreturn void snapshot_file_child(struct bs_snapshot_files *f, int channel, pid_t parent,
                                   const sigset_t *before)
{
    /* Of the thread that forked: the loop's, which lives as long as the process. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before that */
        _exit(0);
    prctl(PR_SET_NAME, "snapshot");
    leave_signals(before);
    struct snapshot_report r = take(f, channel);
    (void)send(channel, &r, sizeof r, MSG_NOSIGNAL);
    _exit(r.status == BS_OK ? 0 : 1);
}
