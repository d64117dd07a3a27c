/* A disk that fails at an exact moment: some calls are answered by the test's program where it asks
 * for it; everything else is the real kernel. For one file of a program alone, since it defines
 * them. */
#ifndef LOG_CALLS_H
#define LOG_CALLS_H

#include "log_fixture.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static _Atomic int sync_failures;     /* how many of the next syncs fail */
static _Atomic bool new_is_sound;     /* but none of a file that is being made */
static _Atomic int allocation_errno;  /* what every allocation ends with, 0 for the real one */
static _Atomic int write_errno;       /* the same for appends that go through pwritev */
static _Atomic unsigned syncs_failed; /* so far */
static _Atomic bool syncs_held;       /* they wait; none longer than ten seconds */
static _Atomic unsigned syncs_waiting;
static _Atomic int marks_errno;  /* what a write of the marks ends with */
static _Atomic uint64_t written; /* bytes that pwrite wrote */

static bool is_named(int fd, const char *part)
{
    char link[64], path[512];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = 0;
    return strstr(path, part) != NULL;
}

static void hold_sync(void)
{
    atomic_fetch_add(&syncs_waiting, 1);
    for (int tries = 0; tries < 2000 && atomic_load(&syncs_held); tries++)
        sleep_ms(5);
    atomic_fetch_sub(&syncs_waiting, 1);
}

int fdatasync(int fd)
{
    if (atomic_load(&syncs_held))
        hold_sync();
    if (atomic_load(&sync_failures) > 0 && !(atomic_load(&new_is_sound) && is_named(fd, ".new"))) {
        atomic_fetch_sub(&sync_failures, 1);
        atomic_fetch_add(&syncs_failed, 1);
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (atomic_load(&allocation_errno) != 0) {
        errno = atomic_load(&allocation_errno);
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (atomic_load(&write_errno) != 0) {
        errno = atomic_load(&write_errno);
        return -1;
    }
    return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

ssize_t pwrite(int fd, const void *at, size_t length, off_t offset)
{
    if (atomic_load(&marks_errno) != 0 && is_named(fd, ".marks")) {
        errno = atomic_load(&marks_errno);
        return -1;
    }
    atomic_fetch_add(&written, length);
    return syscall(SYS_pwrite64, fd, at, length, offset);
}

/* Children are this program anew, so that none begins as the copy of one that had threads. */
static inline pid_t run_child(const char *role, const char *argument, const char *other)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "log", role, argument, other, (char *)NULL);
        _exit(127);
    }
    return child;
}

static inline int no_faults(void **state)
{
    (void)state;
    atomic_store(&sync_failures, 0);
    atomic_store(&allocation_errno, 0);
    atomic_store(&write_errno, 0);
    atomic_store(&marks_errno, 0);
    atomic_store(&syncs_held, false);
    atomic_store(&syncs_failed, 0);
    atomic_store(&new_is_sound, false);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, no_faults)

#endif
