/* Opening, closing and the life of the whole. Must never let two processes into one folder. */
#include "backstep/edge/log.h"

#include "backstep/base/check.h"
#include "log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum bs_status fail(const struct bs_log *log, struct bs_log_recovery *r, const char *suffix,
                           int error)
{
    log_note(r, "%s/%s%s: %s", log->options.directory, log->options.name, suffix, strerror(error));
    return log_status_of(error);
}

static bool sync_parent(const char *directory)
{
    char parent[4096];
    if (snprintf(parent, sizeof(parent), "%s/..", directory) >= (int)sizeof(parent))
        return false;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

static enum bs_status enter_folder(struct bs_log *log, struct bs_log_recovery *r)
{
    const char *directory = log->options.directory;
    if (mkdir(directory, 0700) == 0)
        /* Best effort: a parent that cannot be read (a state folder's may not be) is no fault. */
        (void)sync_parent(directory);
    else if (errno != EEXIST) {
        int error = errno;
        log_note(r, "%s: %s", directory, strerror(error));
        return log_status_of(error);
    }
    log->folder_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (log->folder_fd < 0) {
        int error = errno;
        log_note(r, "%s: %s", directory, strerror(error));
        return log_status_of(error);
    }
    return BS_OK;
}

static enum bs_status say_busy(const struct bs_log *log, struct bs_log_recovery *r)
{
    char text[32] = "";
    ssize_t n = pread(log->lock_fd, text, sizeof(text) - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    r->holder = pid > 0 ? (pid_t)pid : 0;
    log_note(r, "%s/%s.lock: held by process %ld", log->options.directory, log->options.name,
             (long)r->holder);
    return BS_BUSY;
}

static enum bs_status take_lock(struct bs_log *log, struct bs_log_recovery *r)
{
    char name[LOG_NAME_MAX], pid[32];
    snprintf(name, sizeof(name), "%s.lock", log->options.name);
    log->lock_fd = openat(log->folder_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (log->lock_fd < 0)
        return fail(log, r, ".lock", errno);
    if (flock(log->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? say_busy(log, r) : fail(log, r, ".lock", errno);
    int length = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    /* The lock is the flock; the pid is for the message only, so a full disk does not matter. */
    if (ftruncate(log->lock_fd, 0) == 0)
        (void)log_write_all(log->lock_fd, pid, (uint64_t)length, 0);
    return BS_OK;
}

static struct bs_log *create(const struct bs_log_options *options)
{
    struct bs_log *log = aligned_alloc(_Alignof(struct bs_log), sizeof(*log));
    if (!log)
        return NULL;
    memset(log, 0, sizeof(*log));
    log->options = *options;
    log->options.directory = strdup(options->directory);
    log->options.name = strdup(options->name);
    log->folder_fd = log->lock_fd = log->marks_fd = -1;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&log->mutex, NULL);
    pthread_mutex_init(&log->marks_mutex, NULL);
    pthread_cond_init(&log->work, &monotonic);
    pthread_cond_init(&log->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return log;
}

static void free_segments(struct bs_log *log)
{
    for (struct log_segment *s = log->oldest, *next; s; s = next) {
        next = log_segment_next(s);
        log_segment_free(s);
    }
    for (struct log_segment *s = log->retired, *next; s; s = next) {
        next = s->retired_next;
        log_segment_free(s);
    }
}

static void destroy(struct bs_log *log)
{
    free_segments(log);
    if (log->marks_fd >= 0)
        close(log->marks_fd);
    if (log->lock_fd >= 0)
        close(log->lock_fd);
    if (log->folder_fd >= 0)
        close(log->folder_fd);
    pthread_cond_destroy(&log->done);
    pthread_cond_destroy(&log->work);
    pthread_mutex_destroy(&log->marks_mutex);
    pthread_mutex_destroy(&log->mutex);
    free((char *)log->options.name);
    free((char *)log->options.directory);
    free(log);
}

static bool is_valid(const struct bs_log_options *o)
{
    return strlen(o->name) < LOG_NAME_MAX - 48 && o->segment_bytes % 8 == 0 &&
           o->segment_bytes >= BS_LOG_SEGMENT_BYTES_MIN && o->max_bytes / 3 >= o->segment_bytes;
}

static enum bs_status prepare(struct bs_log *log, struct bs_log_recovery *r)
{
    if (!log->options.directory || !log->options.name)
        return BS_NO_MEMORY;
    enum bs_status status = enter_folder(log, r);
    if (status == BS_OK)
        status = take_lock(log, r);
    if (status != BS_OK)
        return status;
    int error = log_marks_open(log, r);
    if (error)
        return fail(log, r, ".marks", error);
    status = log_recover(log, r);
    if (status != BS_OK)
        return status;
    log->reader_segment = log->oldest;
    log->reader_in = log->oldest;
    log->reader_position = log->oldest->first;
    error = log_thread_start(log);
    return error ? fail(log, r, ": thread", error) : BS_OK;
}

enum bs_status bs_log_open(struct bs_log **ret, const struct bs_log_options *options,
                           struct bs_log_recovery *ret_recovery)
{
    *ret_recovery = (struct bs_log_recovery){0};
    if (!is_valid(options)) {
        log_note(ret_recovery, "%s/%s: sizes cannot be: segments of %llu bytes, %llu in all",
                 options->directory, options->name, (unsigned long long)options->segment_bytes,
                 (unsigned long long)options->max_bytes);
        return BS_INVALID;
    }
    struct bs_log *log = create(options);
    if (!log)
        return BS_NO_MEMORY;
    enum bs_status status = prepare(log, ret_recovery);
    if (status == BS_OK)
        *ret = log;
    else
        destroy(log);
    return status;
}

void bs_log_close(struct bs_log *log)
{
    log_thread_stop(log);
    destroy(log);
}

uint64_t bs_log_first(const struct bs_log *log)
{
    return atomic_load(&log->first);
}

uint64_t bs_log_second(struct bs_log *log)
{
    pthread_mutex_lock(&log->mutex);
    uint64_t second = log->oldest == log->current ? 0 : log_segment_next(log->oldest)->first;
    log_unlock(log);
    return second;
}

uint64_t bs_log_head(const struct bs_log *log)
{
    return atomic_load_explicit(&log->head, memory_order_acquire);
}

uint64_t bs_log_synced(const struct bs_log *log)
{
    return atomic_load_explicit(&log->synced, memory_order_acquire);
}

uint64_t bs_log_bytes(const struct bs_log *log)
{
    return atomic_load(&log->bytes);
}
