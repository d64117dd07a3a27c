/* One segment: its file and its map. Must never leave a segment under its own name that is not
 * whole, and never map for writing what the file system has not allocated. */
#include "log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CHUNK_BYTES       65536u

/* More than any segment may have; a header that says so is not ours. */
#define SEGMENT_BYTES_MAX ((uint64_t)1 << 40)

int log_sync_file(int fd)
{
    return fdatasync(fd) == 0 ? 0 : errno;
}

int log_sync_folder(const struct bs_log *log)
{
    return fsync(log->folder_fd) == 0 ? 0 : errno;
}

int log_write_all(int fd, const char *at, uint64_t length, uint64_t offset)
{
    for (uint64_t done = 0; done < length;) {
        ssize_t n = pwrite(fd, at + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        done += (uint64_t)n;
    }
    return 0;
}

void log_segment_name(const struct bs_log *log, uint64_t first, char ret[LOG_NAME_MAX])
{
    snprintf(ret, LOG_NAME_MAX, "%s-%016llx.seg", log->options.name, (unsigned long long)first);
}

bool log_segment_parse_name(const struct bs_log *log, const char *name, uint64_t *ret_first)
{
    size_t stem = strlen(log->options.name);
    if (strncmp(name, log->options.name, stem) != 0 || strlen(name) != stem + 1 + 16 + 4)
        return false;
    uint64_t first = 0;
    for (const char *c = name + stem + 1; c < name + stem + 17; c++) {
        const char *digit = *c ? strchr("0123456789abcdef", *c) : NULL;
        if (!digit)
            return false;
        first = first << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    *ret_first = first;
    return name[stem] == '-' && strcmp(name + stem + 17, ".seg") == 0;
}

static void passing_name(const struct bs_log *log, char ret[LOG_NAME_MAX])
{
    snprintf(ret, LOG_NAME_MAX, "%s.new", log->options.name);
}

/* File systems that write every block anew: what fallocate gave is not what a later write takes. */
static bool copies_on_write(int fd)
{
    static const uint32_t magics[] = {0x9123683e /* btrfs */, 0x2fc12fc1 /* zfs */,
                                      0xca451a4e /* bcachefs */, 0x6969 /* nfs */};
    struct statfs s;
    if (fstatfs(fd, &s) != 0)
        return false;
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
        if ((uint32_t)s.f_type == magics[i])
            return true;
    return false;
}

/* f_blocks is 0 where the file system does not tell. */
bool log_has_space(int fd, uint64_t bytes)
{
    struct statvfs s;
    return fstatvfs(fd, &s) != 0 || s.f_blocks == 0 || s.f_bavail * s.f_frsize >= bytes;
}

/* Without a guarantee the free space now is the best that can be said; the writes will
 * say the rest. */
static int extend(struct bs_log *log, int fd, uint64_t bytes)
{
    struct stat file;
    if (!log->pwrites)
        log->pwrites = true;
    if (fstat(fd, &file) == 0 && (uint64_t)file.st_size >= bytes)
        return 0;
    if (!log_has_space(fd, bytes))
        return ENOSPC;
    return ftruncate(fd, (off_t)bytes) == 0 ? 0 : errno;
}

static int allocate(struct bs_log *log, int fd, uint64_t bytes)
{
    if (copies_on_write(fd))
        return extend(log, fd, bytes);
    int error;
    do
        /* Not posix_fallocate: where the file system cannot, that one writes bytes instead, which
         * is slow and no guarantee either. */
        error = fallocate(fd, 0, 0, (off_t)bytes) == 0 ? 0 : errno;
    while (error == EINTR);
    return error == EOPNOTSUPP ? extend(log, fd, bytes) : error;
}

static int map(const struct bs_log *log, struct log_segment *s)
{
    int access = log->pwrites ? PROT_READ : PROT_READ | PROT_WRITE;
    void *at = mmap(NULL, s->bytes, access, MAP_SHARED, s->fd, 0);
    if (at == MAP_FAILED)
        return errno;
    s->at = at;
    return 0;
}

static int fill(struct bs_log *log, struct log_segment *s)
{
    char header[LOG_HEADER_BYTES];
    log_header_write(s->first, s->bytes, header);
    int error = allocate(log, s->fd, s->bytes);
    if (!error)
        error = log_write_all(s->fd, header, sizeof(header), 0);
    if (!error)
        error = log_sync_file(s->fd);
    return error ? error : map(log, s);
}

int log_segment_create(struct bs_log *log, uint64_t first, uint64_t bytes, struct log_segment **ret)
{
    struct log_segment *s = calloc(1, sizeof(*s));
    if (!s)
        return ENOMEM;
    char name[LOG_NAME_MAX];
    passing_name(log, name);
    s->first = first;
    s->bytes = bytes;
    atomic_store(&s->end, first);
    s->fd = openat(log->folder_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int error = s->fd >= 0 ? fill(log, s) : errno;
    if (!error) {
        *ret = s;
        return 0;
    }
    log_segment_discard(log);
    log_segment_free(s);
    return error;
}

int log_segment_publish(struct bs_log *log, const struct log_segment *s)
{
    char from[LOG_NAME_MAX], to[LOG_NAME_MAX];
    passing_name(log, from);
    log_segment_name(log, s->first, to);
    if (renameat(log->folder_fd, from, log->folder_fd, to) != 0)
        return errno;
    return log_sync_folder(log);
}

void log_segment_discard(const struct bs_log *log)
{
    char name[LOG_NAME_MAX];
    passing_name(log, name);
    unlinkat(log->folder_fd, name, 0);
}

static enum bs_status check(const struct log_segment *s, uint64_t first, uint64_t *ret_bytes,
                            int *ret_error)
{
    char header[LOG_HEADER_BYTES];
    uint64_t named;
    ssize_t n = pread(s->fd, header, sizeof(header), 0);
    if (n < 0) {
        *ret_error = errno;
        return BS_IO;
    }
    if (n < (ssize_t)sizeof(header))
        return BS_CORRUPT;
    enum bs_status status = log_header_read(header, &named, ret_bytes);
    if (status == BS_OK && (named != first || *ret_bytes <= LOG_HEADER_BYTES ||
                            *ret_bytes > SEGMENT_BYTES_MAX || *ret_bytes % 8 != 0))
        return BS_CORRUPT;
    return status;
}

enum bs_status log_segment_open(struct bs_log *log, uint64_t first, struct log_segment **ret,
                                int *ret_error)
{
    struct log_segment *s = calloc(1, sizeof(*s));
    if (!s)
        return BS_NO_MEMORY;
    char name[LOG_NAME_MAX];
    log_segment_name(log, first, name);
    s->first = first;
    atomic_store(&s->end, first);
    s->fd = openat(log->folder_fd, name, O_RDWR | O_CLOEXEC);
    enum bs_status status = BS_IO;
    *ret_error = errno;
    if (s->fd >= 0)
        status = check(s, first, &s->bytes, ret_error);
    if (status == BS_OK) {
        /* Also where the file seems whole: it may have lost its tail, and a map behind the end of a
         * file, or over a hole on a full disk, is a SIGBUS. */
        *ret_error = allocate(log, s->fd, s->bytes);
        if (!*ret_error)
            *ret_error = map(log, s);
        if (*ret_error)
            status = log_is_full_disk(*ret_error) ? BS_NO_SPACE : BS_IO;
    }
    if (status == BS_OK)
        *ret = s;
    else
        log_segment_free(s);
    return status;
}

int log_segment_reopen(struct bs_log *log, struct log_segment *s)
{
    char name[LOG_NAME_MAX];
    log_segment_name(log, s->first, name);
    s->fd = openat(log->folder_fd, name, O_RDWR | O_CLOEXEC);
    return s->fd < 0 ? errno : 0;
}

static uint64_t used_between(const struct log_segment *s, uint64_t from, uint64_t to)
{
    while (to > from && s->at[to - 1] == 0)
        to--;
    return to;
}

uint64_t log_segment_used(const struct log_segment *s, uint64_t from, uint64_t to)
{
    uint64_t used = from, at = from;
    while (at < to) {
        /* Allocated blocks that were never written count as holes: a fresh segment is not read. */
        off_t data = lseek(s->fd, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        off_t hole = data < 0 ? (off_t)to : lseek(s->fd, data, SEEK_HOLE);
        uint64_t begin = data < 0 ? at : (uint64_t)data;
        uint64_t end = hole < 0 || (uint64_t)hole > to ? to : (uint64_t)hole;
        uint64_t last = begin < end ? used_between(s, begin, end) : begin;
        if (last > begin)
            used = last;
        at = end > at ? end : to;
    }
    return used;
}

int log_segment_zero(const struct log_segment *s, uint64_t from, uint64_t to)
{
    static const char zeros[CHUNK_BYTES];
    for (uint64_t at = from; at < to;) {
        uint64_t length = to - at < sizeof(zeros) ? to - at : sizeof(zeros);
        int error = log_write_all(s->fd, zeros, length, at);
        if (error)
            return error;
        at += length;
    }
    return from < to ? log_sync_file(s->fd) : 0;
}

int log_segment_set_aside(struct bs_log *log, const struct log_segment *s)
{
    char name[LOG_NAME_MAX], copy[LOG_NAME_MAX + 16];
    log_segment_name(log, s->first, name);
    snprintf(copy, sizeof(copy), "%s.damaged", name);
    int fd = openat(log->folder_fd, copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int error = log_write_all(fd, s->at, s->bytes, 0);
    if (!error)
        error = log_sync_file(fd);
    if (!error)
        error = log_sync_folder(log);
    if (error)
        unlinkat(log->folder_fd, copy, 0);
    close(fd);
    return error;
}

int log_segment_delete(struct bs_log *log, struct log_segment *s)
{
    char name[LOG_NAME_MAX];
    log_segment_name(log, s->first, name);
    int error = unlinkat(log->folder_fd, name, 0) == 0 || errno == ENOENT ? 0 : errno;
    atomic_fetch_sub(&log->bytes, s->bytes);
    log_segment_free(s);
    return error;
}

void log_segment_free(struct log_segment *s)
{
    if (s->at)
        munmap(s->at, s->bytes);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}
