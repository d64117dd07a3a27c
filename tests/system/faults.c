/* A disk that fails on command, for a program that is started with this preloaded. BACKSTEP_FAULTS
 * names a file; each line of it is "CALL ERRNO PART": calls of that kind on a path that has PART in
 * it end with that errno, those after a "once" in front only the next time. No file, no faults.
 * Must never touch what no line names, nor keep anything between two calls but the file itself.
 *
 *   sync 5 intake-     fdatasync and fsync, of a folder too
 *   allocate write truncate rename create (an open that may create) delete
 *   any                each of these */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define FILE_BYTES 4096

static bool read_faults(const char *file, char ret[FILE_BYTES])
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, ret, FILE_BYTES - 1);
    syscall(SYS_close, fd);
    ret[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* The errno that the call is to end with, or 0. */
static int fault(const char *call, const char *path)
{
    const char *file = getenv("BACKSTEP_FAULTS");
    char faults[FILE_BYTES], *rest = NULL;
    if (!file || !read_faults(file, faults))
        return 0;
    for (char *line = strtok_r(faults, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char kind[16], part[256];
        int error;
        bool once = strncmp(line, "once ", 5) == 0;
        if (sscanf(once ? line + 5 : line, "%15s %d %255s", kind, &error, part) != 3)
            abort();
        if ((strcmp(kind, call) != 0 && strcmp(kind, "any") != 0) || !strstr(path, part))
            continue;
        if (once && syscall(SYS_unlinkat, AT_FDCWD, file, 0) != 0)
            continue; /* another thread was first */
        return error;
    }
    return 0;
}

static bool path_of(int fd, char ret[PATH_BYTES])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, ret, PATH_BYTES - 1);
    ret[length > 0 ? length : 0] = 0;
    return length > 0 && ret[0] == '/';
}

/* True where the call fails, with errno set. */
static bool fails(const char *call, int fd)
{
    char path[PATH_BYTES];
    int before = errno, error = path_of(fd, path) ? fault(call, path) : 0;
    errno = error ? error : before;
    return error != 0;
}

static bool fails_at(const char *call, int folder, const char *name)
{
    char at[PATH_BYTES] = "", path[2 * PATH_BYTES];
    if (name[0] != '/' && folder != AT_FDCWD)
        path_of(folder, at);
    snprintf(path, sizeof path, "%s/%s", at, name);
    int before = errno, error = fault(call, path);
    errno = error ? error : before;
    return error != 0;
}

int fdatasync(int fd)
{
    return fails("sync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fails("sync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    return fails("allocate", fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

ssize_t pwrite(int fd, const void *at, size_t length, off_t offset)
{
    return fails("write", fd) ? -1 : syscall(SYS_pwrite64, fd, at, length, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return fails("write", fd) ? -1 : syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

ssize_t write(int fd, const void *at, size_t length)
{
    return fails("write", fd) ? -1 : syscall(SYS_write, fd, at, length);
}

int ftruncate(int fd, off_t length)
{
    return fails("truncate", fd) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int rename(const char *from, const char *to)
{
    return fails_at("rename", AT_FDCWD, to) ? -1 : (int)syscall(SYS_rename, from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return fails_at("rename", to_folder, to)
               ? -1
               : (int)syscall(SYS_renameat, from_folder, from, to_folder, to);
}

int unlinkat(int folder, const char *name, int flags)
{
    return fails_at("delete", folder, name) ? -1 : (int)syscall(SYS_unlinkat, folder, name, flags);
}

static int open_any(int folder, const char *name, int flags, int mode)
{
    if ((flags & O_CREAT) && fails_at("create", folder, name))
        return -1;
    return (int)syscall(SYS_openat, folder, name, flags, mode);
}

static int mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
}

int open(const char *name, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = mode_of(flags, rest);
    va_end(rest);
    return open_any(AT_FDCWD, name, flags, mode);
}

int openat(int folder, const char *name, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = mode_of(flags, rest);
    va_end(rest);
    return open_any(folder, name, flags, mode);
}
