/* Writing one and giving it its name, in this process or in the forked one. Must never leave one
 * under its name that is not whole and on the disk, nor touch an older one before that. */
#include "snapshot_file_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct writer {
    int fd, error;
};

enum bs_status snapshot_file_status(int error)
{
    switch (error) {
    case 0:
        return BS_OK;
    case ENOSPC:
    case EDQUOT:
        return BS_NO_SPACE;
    case ENOMEM:
        return BS_NO_MEMORY;
    default:
        return BS_IO;
    }
}

static bool write_all(void *context, struct bs_slice bytes)
{
    struct writer *w = context;
    while (bytes.length > 0 && !w->error) {
        ssize_t n = write(w->fd, bytes.at, bytes.length);
        if (n > 0)
            bytes = bs_slice_after(bytes, (size_t)n);
        else if (n == 0 || errno != EINTR)
            w->error = n == 0 ? EIO : errno;
    }
    return !w->error;
}

/* What failed first counts: a sink that takes no more makes `save` fail too. */
static enum bs_status fill(const struct bs_snapshot_files *f, int fd, int *ret_errno)
{
    struct writer writer = {fd, 0};
    struct bs_sink sink = {&writer, write_all};
    enum bs_status status = f->options.save(f->options.context, &sink);
    if (!writer.error && status == BS_OK && fdatasync(fd) != 0)
        writer.error = errno;
    *ret_errno = writer.error;
    return writer.error ? snapshot_file_status(writer.error) : status;
}

enum bs_status snapshot_file_save(const struct bs_snapshot_files *f, uint64_t position,
                                  int *ret_errno)
{
    char name[SNAPSHOT_NAME_MAX];
    snapshot_file_name(position, SNAPSHOT_NEW, name);
    int fd = openat(f->folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        *ret_errno = errno;
        return snapshot_file_status(errno);
    }
    enum bs_status status = fill(f, fd, ret_errno);
    /* Some file systems tell only here that the disk was full. */
    if (close(fd) != 0 && status == BS_OK) {
        *ret_errno = errno;
        status = snapshot_file_status(errno);
    }
    if (status != BS_OK)
        (void)snapshot_file_remove(f, position, SNAPSHOT_NEW);
    return status;
}

static int name_it(const struct bs_snapshot_files *f, uint64_t position)
{
    char from[SNAPSHOT_NAME_MAX], to[SNAPSHOT_NAME_MAX];
    snapshot_file_name(position, SNAPSHOT_NEW, from);
    snapshot_file_name(position, "", to);
    bool replaces = faccessat(f->folder_fd, to, F_OK, 0) == 0;
    if (renameat(f->folder_fd, from, f->folder_fd, to) != 0) {
        int error = errno;
        (void)snapshot_file_remove(f, position, SNAPSHOT_NEW);
        return error;
    }
    if (fsync(f->folder_fd) == 0)
        return 0;
    int error = errno;
    /* Nobody knows whether the name is on the disk; whoever relied on it might find none. Where it
     * took another's place, one of the two is there in any case, and both are good. */
    if (!replaces)
        (void)snapshot_file_remove(f, position, "");
    return error;
}

/* One that cannot go is in nobody's way. */
static void remove_other(const struct bs_snapshot_files *f, uint64_t position)
{
    (void)snapshot_file_remove(f, position, "");
}

enum bs_status snapshot_file_publish(struct bs_snapshot_files *f, uint64_t position, int *ret_errno)
{
    *ret_errno = name_it(f, position);
    if (*ret_errno)
        return snapshot_file_status(*ret_errno);
    snapshot_file_list_keep(f, position, remove_other);
    /* The log before the older one that stayed will be released: one that came back from before
     * that would find no records to go on with. */
    (void)fsync(f->folder_fd);
    return BS_OK;
}
