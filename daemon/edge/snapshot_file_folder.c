/* What lies in the folder: names, the list, reading, setting aside. Must never touch a file that is
 * not named as ours are. */
#include "snapshot_file_parts.h"

#include "backstep/base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEM       "snapshot-"
#define STEM_CHARS (sizeof(STEM) - 1)
#define DIGITS     16

void snapshot_file_name(uint64_t position, const char *suffix, char ret[SNAPSHOT_NAME_MAX])
{
    snprintf(ret, SNAPSHOT_NAME_MAX, STEM "%016llx%s", (unsigned long long)position, suffix);
}

/* The suffix of a name that snapshot_file_name gives, or NULL. */
static const char *parse_name(const char *name, uint64_t *ret_position)
{
    if (strncmp(name, STEM, STEM_CHARS) != 0 || strlen(name) < STEM_CHARS + DIGITS)
        return NULL;
    uint64_t position = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        const char *digit = strchr("0123456789abcdef", name[STEM_CHARS + i]);
        if (!digit)
            return NULL;
        position = position << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    *ret_position = position;
    return name + STEM_CHARS + DIGITS;
}

int snapshot_file_remove(const struct bs_snapshot_files *f, uint64_t position, const char *suffix)
{
    char name[SNAPSHOT_NAME_MAX];
    snapshot_file_name(position, suffix, name);
    return unlinkat(f->folder_fd, name, 0) == 0 ? 0 : errno;
}

static void drop(struct bs_snapshot_files *f, size_t i)
{
    memmove(f->positions + i, f->positions + i + 1, (--f->count - i) * sizeof f->positions[0]);
}

/* In its place; the oldest falls off a full list. */
void snapshot_file_list_add(struct bs_snapshot_files *f, uint64_t position)
{
    size_t i = 0;
    while (i < f->count && f->positions[i] > position)
        i++;
    if (i == BS_SNAPSHOT_FILES_MAX || (i < f->count && f->positions[i] == position))
        return;
    if (f->count < BS_SNAPSHOT_FILES_MAX)
        f->count++;
    memmove(f->positions + i + 1, f->positions + i, (f->count - 1 - i) * sizeof f->positions[0]);
    f->positions[i] = position;
}

/* Newer ones are not of this state's past: nobody set them aside, or could not. */
void snapshot_file_list_keep(struct bs_snapshot_files *f, uint64_t position,
                             void (*gone)(const struct bs_snapshot_files *f, uint64_t position))
{
    uint64_t kept[BS_SNAPSHOT_FILES_KEPT] = {position};
    size_t count = 1;
    for (size_t i = 0; i < f->count; i++) {
        uint64_t other = f->positions[i];
        if (other < position && count < BS_SNAPSHOT_FILES_KEPT)
            kept[count++] = other;
        else if (other != position && gone)
            gone(f, other);
    }
    memcpy(f->positions, kept, sizeof kept);
    f->count = count;
}

static int each_file(struct bs_snapshot_files *f,
                     void (*found)(struct bs_snapshot_files *f, uint64_t position,
                                   const char *suffix))
{
    int fd = openat(f->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    uint64_t position;
    struct dirent *e;
    while (errno = 0, (e = readdir(folder))) {
        const char *suffix = parse_name(e->d_name, &position);
        if (suffix)
            found(f, position, suffix);
    }
    int error = errno;
    closedir(folder);
    return error;
}

/* What cannot be removed harms nobody but the disk's room: no reason not to start. */
static void sort_in(struct bs_snapshot_files *f, uint64_t position, const char *suffix)
{
    if (*suffix == '\0')
        snapshot_file_list_add(f, position);
    else if (strcmp(suffix, SNAPSHOT_NEW) == 0)
        (void)snapshot_file_remove(f, position, SNAPSHOT_NEW);
}

int snapshot_file_look_through(struct bs_snapshot_files *f)
{
    return each_file(f, sort_in);
}

size_t bs_snapshot_files_list(const struct bs_snapshot_files *f,
                              uint64_t ret_positions[BS_SNAPSHOT_FILES_MAX])
{
    memcpy(ret_positions, f->positions, f->count * sizeof f->positions[0]);
    return f->count;
}

static int read_all(int fd, char *to, size_t bytes, size_t *ret_bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = read(fd, to + done, bytes - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_bytes = done;
    return 0;
}

/* Pages of the kernel's own and not of malloc's, which might keep them when they are put down. */
static int read_content(struct bs_snapshot_files *f, int fd, size_t *ret_bytes)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return errno;
    size_t bytes = about.st_size > 0 ? (size_t)about.st_size : 1;
    void *content = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (content == MAP_FAILED)
        return errno;
    int error = read_all(fd, content, (size_t)about.st_size, ret_bytes);
    if (error) {
        munmap(content, bytes);
        return error;
    }
    f->content = content;
    f->content_bytes = bytes;
    return 0;
}

/* Whether the file cannot be read (BS_IO), or only we cannot. */
static enum bs_status read_status(int error)
{
    if (error == EACCES || error == EPERM)
        return BS_REFUSED;
    return error == EMFILE || error == ENFILE ? BS_FULL : snapshot_file_status(error);
}

enum bs_status bs_snapshot_files_read(struct bs_snapshot_files *f, uint64_t position,
                                      struct bs_slice *ret, int *ret_errno)
{
    bs_check(!f->content);
    char name[SNAPSHOT_NAME_MAX];
    snapshot_file_name(position, "", name);
    size_t bytes = 0;
    int fd = openat(f->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int error = fd >= 0 ? read_content(f, fd, &bytes) : errno;
    if (fd >= 0)
        close(fd);
    if (error) {
        *ret_errno = error;
        return read_status(error);
    }
    *ret = bs_slice_of(f->content, bytes);
    return BS_OK;
}

void bs_snapshot_files_put_down(struct bs_snapshot_files *f)
{
    if (f->content)
        munmap(f->content, f->content_bytes);
    f->content = NULL;
}

static void remove_damaged(struct bs_snapshot_files *f, uint64_t position, const char *suffix)
{
    if (strcmp(suffix, SNAPSHOT_DAMAGED) == 0)
        (void)snapshot_file_remove(f, position, SNAPSHOT_DAMAGED);
}

void bs_snapshot_files_set_aside(struct bs_snapshot_files *f, uint64_t position)
{
    char from[SNAPSHOT_NAME_MAX], to[SNAPSHOT_NAME_MAX];
    snapshot_file_name(position, "", from);
    snapshot_file_name(position, SNAPSHOT_DAMAGED, to);
    (void)each_file(f, remove_damaged);
    (void)renameat(f->folder_fd, from, f->folder_fd, to);
    (void)fsync(f->folder_fd);
    for (size_t i = 0; i < f->count; i++)
        if (f->positions[i] == position)
            drop(f, i);
}
