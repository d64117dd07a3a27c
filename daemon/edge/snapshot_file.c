/* Opening, beginning and ending: the parent's part. Must never wait for a child but to give it up,
 * nor take its word for more than it says: one that says nothing has failed. */
#include "backstep/edge/snapshot_file.h"

#include "backstep/base/check.h"
#include "snapshot_file_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void init_handles(struct bs_snapshot_files *f)
{
    int result = uv_timer_init(f->options.loop, &f->timer);
    bs_check(result == 0);
    result = uv_signal_init(f->options.loop, &f->ended);
    bs_check(result == 0);
    f->timer.data = f->ended.data = f;
    f->open_handles = 2;
}

enum bs_status bs_snapshot_files_open(struct bs_snapshot_files **ret,
                                      const struct bs_snapshot_file_options *options,
                                      char *ret_error, size_t ret_error_bytes)
{
    struct bs_snapshot_files *f = calloc(1, sizeof *f);
    if (!f) {
        snprintf(ret_error, ret_error_bytes, "%s: out of memory", options->directory);
        return BS_NO_MEMORY;
    }
    f->options = *options;
    f->options.directory = NULL;
    f->channel = -1;
    f->folder_fd = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = f->folder_fd >= 0 ? snapshot_file_look_through(f) : errno;
    if (error) {
        snprintf(ret_error, ret_error_bytes, "%s: %s", options->directory, strerror(error));
        if (f->folder_fd >= 0)
            close(f->folder_fd);
        free(f);
        return snapshot_file_status(error);
    }
    init_handles(f);
    *ret = f;
    return BS_OK;
}

static void forget_child(struct bs_snapshot_files *f)
{
    uv_timer_stop(&f->timer);
    uv_signal_stop(&f->ended);
    close(f->channel);
    f->channel = -1;
    f->child = 0;
}

/* True once it is gone, by whomever it was reaped. */
static bool reap(pid_t child, int flags)
{
    pid_t got;
    do
        got = waitpid(child, NULL, flags);
    while (got < 0 && errno == EINTR);
    return got != 0;
}

/* A commit that it failed to read is told first, once (ECONNRESET). */
static struct snapshot_report last_word(const struct bs_snapshot_files *f)
{
    struct snapshot_report r;
    for (int tries = 0; tries < 2; tries++)
        if (recv(f->channel, &r, sizeof r, MSG_DONTWAIT) == (ssize_t)sizeof r)
            return r;
    return (struct snapshot_report){BS_IO, f->timed_out ? ETIMEDOUT : 0};
}

/* Also for other children of this process. */
static void on_child_ended(uv_signal_t *ended, int number)
{
    (void)number;
    struct bs_snapshot_files *f = ended->data;
    if (!reap(f->child, WNOHANG))
        return;
    struct snapshot_report r = last_word(f);
    forget_child(f);
    if (r.status == BS_OK)
        snapshot_file_list_keep(f, f->position, NULL);
    else
        (void)snapshot_file_remove(f, f->position, SNAPSHOT_NEW);
    f->options.on_end(f->options.context, r.status, r.error);
}

/* It is not waited for here: a process that waits for a disk ends when the disk answers. */
static void on_timeout(uv_timer_t *timer)
{
    struct bs_snapshot_files *f = timer->data;
    f->timed_out = true;
    kill(f->child, SIGKILL);
}

/* One that was named before it died is whole, and the logs were synced: it counts as one. */
static void give_up(struct bs_snapshot_files *f)
{
    char name[SNAPSHOT_NAME_MAX];
    if (!f->child)
        return;
    kill(f->child, SIGKILL);
    (void)reap(f->child, 0);
    forget_child(f);
    (void)snapshot_file_remove(f, f->position, SNAPSHOT_NEW);
    snapshot_file_name(f->position, "", name);
    if (f->committed && faccessat(f->folder_fd, name, F_OK, 0) == 0)
        snapshot_file_list_add(f, f->position);
}

/* No signal reaches the child before it has left the parent's handlers. 0 or an errno. */
static int fork_child(struct bs_snapshot_files *f, const int channel[2])
{
    sigset_t all, before;
    pid_t parent = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child == 0)
        snapshot_file_child(f, channel[1], parent, &before);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(channel[1]);
    if (child < 0) {
        close(channel[0]);
        return error;
    }
    f->child = child;
    f->channel = channel[0];
    return 0;
}

/* A socket and not two pipes: it may be written to when the other side is gone. */
static int start_child(struct bs_snapshot_files *f)
{
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0)
        return errno;
    /* Before the fork: a child that ends at once is seen too. */
    int error = -uv_signal_start(&f->ended, on_child_ended, SIGCHLD);
    if (error) {
        close(channel[0]);
        close(channel[1]);
        return error;
    }
    error = fork_child(f, channel);
    if (error)
        uv_signal_stop(&f->ended);
    return error;
}

enum bs_status bs_snapshot_files_begin(struct bs_snapshot_files *f, uint64_t position,
                                       int *ret_errno)
{
    if (f->child)
        return BS_BUSY;
    f->position = position;
    f->committed = f->timed_out = false;
    int error = start_child(f);
    if (error) {
        *ret_errno = error;
        return snapshot_file_status(error);
    }
    uint32_t timeout_ms = f->options.timeout_ms;
    uv_timer_start(&f->timer, on_timeout, timeout_ms ? timeout_ms : BS_SNAPSHOT_FILES_TIMEOUT_MS,
                   0);
    return BS_OK;
}

void bs_snapshot_files_commit(struct bs_snapshot_files *f)
{
    if (!f->child || f->committed)
        return;
    f->committed = true;
    (void)send(f->channel, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum bs_status bs_snapshot_files_write(struct bs_snapshot_files *f, uint64_t position,
                                       int *ret_errno)
{
    give_up(f);
    enum bs_status status = snapshot_file_save(f, position, ret_errno);
    return status == BS_OK ? snapshot_file_publish(f, position, ret_errno) : status;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct bs_snapshot_files *f = handle->data;
    if (--f->open_handles == 0)
        free(f);
}

void bs_snapshot_files_close(struct bs_snapshot_files *f)
{
    give_up(f);
    bs_snapshot_files_put_down(f);
    close(f->folder_fd);
    uv_close((uv_handle_t *)&f->timer, on_handle_closed);
    uv_close((uv_handle_t *)&f->ended, on_handle_closed);
}
