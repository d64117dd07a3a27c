/* Lines behind one another in a file. Must never leave half a line in a regular file, nor wait for
 * a pipe's reader. Syncs only where asked to: what a power cut takes of points is not written
 * again.
 */
#include "backstep/edge/points_file.h"

#include "backstep/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_BYTES = 64 * 1024 };

struct bs_points_file {
    int fd;
    bool regular;
    bool begun;   /* its name may not be on the disk yet */
    bool durable; /* it was synced once: what is in it must not be lost */
    mode_t mode;
    bool torn; /* behind `size` stands part of a line that could not be cut off yet */
    uint64_t size, kept, max_bytes;
    size_t owed; /* of a pipe: how much of the lines handed in last is already in it */
    char *path, *old_path;
};

static enum bs_status failed(int *ret_errno)
{
    *ret_errno = errno;
    return errno == ENOSPC || errno == EDQUOT ? BS_NO_SPACE : BS_IO;
}

/* A writer that died in the middle left part of a line; the whole line will be written again. */
static bool cut_half_line(struct bs_points_file *f)
{
    char *tail = malloc(TAIL_BYTES);
    if (!tail)
        return false;
    bool found = f->size == 0;
    while (!found) {
        size_t count = f->size < TAIL_BYTES ? (size_t)f->size : TAIL_BYTES;
        ssize_t got = pread(f->fd, tail, count, (off_t)(f->size - count));
        if (got != (ssize_t)count)
            break;
        char *end = memrchr(tail, '\n', count);
        f->size -= end ? (size_t)(tail + count - end - 1) : count;
        found = end || f->size == 0;
    }
    free(tail);
    return found && ftruncate(f->fd, (off_t)f->size) == 0;
}

static enum bs_status open_file(struct bs_points_file *f, int *ret_errno)
{
    struct stat about;
    bool regular = stat(f->path, &about) != 0 || S_ISREG(about.st_mode);
    /* O_NONBLOCK: a pipe without a reader is an error and not a wait; and one that we could read
     * ourselves would never lack a reader. */
    f->fd =
        open(f->path, (regular ? O_RDWR : O_WRONLY) | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
             f->mode);
    if (f->fd < 0 || fstat(f->fd, &about) != 0)
        return failed(ret_errno);
    f->regular = regular && S_ISREG(about.st_mode);
    f->size = f->regular ? (uint64_t)about.st_size : 0;
    f->torn = false;
    f->begun = true;
    if (f->regular && !cut_half_line(f))
        return failed(ret_errno);
    f->kept = f->size;
    return BS_OK;
}

enum bs_status bs_points_file_open(struct bs_points_file **ret, const char *path,
                                   uint64_t max_bytes, mode_t mode, int *ret_errno)
{
    struct bs_points_file *f = calloc(1, sizeof *f);
    if (!f) {
        *ret_errno = ENOMEM;
        return BS_NO_MEMORY;
    }
    f->fd = -1;
    f->max_bytes = max_bytes;
    f->mode = mode;
    f->path = strdup(path);
    if (!f->path || asprintf(&f->old_path, "%s.1", path) < 0) {
        f->old_path = NULL;
        bs_points_file_close(f);
        *ret_errno = ENOMEM;
        return BS_NO_MEMORY;
    }
    enum bs_status status = open_file(f, ret_errno);
    if (status != BS_OK) {
        bs_points_file_close(f);
        return status;
    }
    *ret = f;
    return BS_OK;
}

/* The open file goes on to be used until its successor stands. */
static enum bs_status rotate(struct bs_points_file *f, int *ret_errno)
{
    if ((f->durable && fdatasync(f->fd) != 0) || rename(f->path, f->old_path) != 0)
        return failed(ret_errno);
    struct bs_points_file before = *f;
    enum bs_status status = open_file(f, ret_errno);
    if (status != BS_OK) {
        if (f->fd >= 0)
            close(f->fd);
        *f = before;
        rename(f->old_path, f->path);
        return status;
    }
    close(before.fd);
    return BS_OK;
}

static enum bs_status make_ready(struct bs_points_file *f, size_t length, int *ret_errno)
{
    if (f->torn && ftruncate(f->fd, (off_t)f->size) != 0)
        return failed(ret_errno);
    f->torn = false;
    return f->size > 0 && f->size + length > f->max_bytes ? rotate(f, ret_errno) : BS_OK;
}

static enum bs_status write_regular(struct bs_points_file *f, struct bs_slice lines, int *ret_errno)
{
    enum bs_status status = make_ready(f, lines.length, ret_errno);
    if (status != BS_OK)
        return status;
    size_t written = 0;
    while (written < lines.length) {
        ssize_t count = write(f->fd, lines.at + written, lines.length - written);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            status = failed(ret_errno);
            f->torn = written > 0 && ftruncate(f->fd, (off_t)f->size) != 0;
            return status;
        }
        written += (size_t)count;
    }
    f->size += lines.length;
    return BS_OK;
}

static enum bs_status write_stream(struct bs_points_file *f, struct bs_slice lines, int *ret_errno)
{
    if (f->owed > lines.length)
        f->owed = 0;
    while (f->owed < lines.length) {
        ssize_t count = write(f->fd, lines.at + f->owed, lines.length - f->owed);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return failed(ret_errno);
        f->owed += (size_t)count;
    }
    f->owed = 0;
    return BS_OK;
}

enum bs_status bs_points_file_write(struct bs_points_file *f, struct bs_slice lines, int *ret_errno)
{
    bs_check(lines.length > 0 && lines.at[lines.length - 1] == '\n');
    return f->regular ? write_regular(f, lines, ret_errno) : write_stream(f, lines, ret_errno);
}

static int sync_folder(const char *path)
{
    char *name = strdup(path);
    if (!name)
        return -1;
    int fd = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(name);
    int result = fd < 0 ? -1 : fsync(fd);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return result;
}

enum bs_status bs_points_file_sync(struct bs_points_file *f, int *ret_errno)
{
    if (!f->regular)
        return BS_OK;
    if (fdatasync(f->fd) != 0 || (f->begun && sync_folder(f->path) != 0))
        return failed(ret_errno);
    f->begun = false;
    f->durable = true;
    return BS_OK;
}

void bs_points_file_keep(struct bs_points_file *f)
{
    f->kept = f->size;
}

enum bs_status bs_points_file_undo(struct bs_points_file *f, int *ret_errno)
{
    if (!f->regular || f->size == f->kept)
        return BS_OK;
    if (ftruncate(f->fd, (off_t)f->kept) != 0)
        return failed(ret_errno);
    f->size = f->kept;
    return BS_OK;
}

void bs_points_file_close(struct bs_points_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    free(f->old_path);
    free(f);
}
