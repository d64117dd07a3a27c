/* For the tests of the snapshots' files: a folder of their own, a loop, and a state whose bytes the
 * test sets, which a save writes piece by piece when it is let. */
#ifndef SNAPSHOT_SCENE_H
#define SNAPSHOT_SCENE_H

#include "backstep/edge/snapshot_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define STATE_BYTES 300000
#define PIECE_BYTES 7001

struct scene {
    char directory[128];
    uv_loop_t loop;
    struct bs_snapshot_file_options options;
    struct bs_snapshot_files *files;
    char state[STATE_BYTES];
    size_t state_bytes;
    enum bs_status save_status;
    atomic_bool *may_save; /* seen by children too */
    unsigned ends;         /* how often on_end was called, and with what */
    enum bs_status status;
    int error;
    uint64_t again; /* on_end begins this one */
};

static inline void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Waits up to 20 s, with the loop running. */
#define WAIT_FOR(scene, condition)                                                                 \
    do {                                                                                           \
        for (int tries = 0; tries < 4000 && !(condition); tries++) {                               \
            uv_run(&(scene)->loop, UV_RUN_NOWAIT);                                                 \
            sleep_ms(5);                                                                           \
        }                                                                                          \
        assert_true(condition);                                                                    \
    } while (0)

static inline enum bs_status scene_save(void *context, const struct bs_sink *sink)
{
    struct scene *s = context;
    while (!atomic_load(s->may_save))
        sleep_ms(1);
    char *copy = malloc(s->state_bytes + 1); /* as a save has memory of its own */
    memcpy(copy, s->state, s->state_bytes);
    struct bs_slice rest = bs_slice_of(copy, s->state_bytes);
    bool written = true;
    while (rest.length > 0 && written) {
        size_t bytes = rest.length < PIECE_BYTES ? rest.length : PIECE_BYTES;
        written = sink->write(sink->context, bs_slice_of(rest.at, bytes));
        rest = bs_slice_after(rest, bytes);
    }
    free(copy);
    return written ? s->save_status : BS_IO;
}

static inline void scene_on_end(void *context, enum bs_status status, int error)
{
    struct scene *s = context;
    s->ends++;
    s->status = status;
    s->error = error;
    if (s->again) {
        assert_int_equal(bs_snapshot_files_begin(s->files, s->again, &error), BS_OK);
        bs_snapshot_files_commit(s->files);
        s->again = 0;
    }
}

static inline void scene_set_state(struct scene *s, unsigned seed)
{
    for (size_t i = 0; i < STATE_BYTES; i++)
        s->state[i] = (char)(i * (seed + 3) >> 3);
    s->state_bytes = STATE_BYTES;
}

static inline void scene_open(struct scene *s)
{
    char error[256] = "";
    if (bs_snapshot_files_open(&s->files, &s->options, error, sizeof error) != BS_OK)
        fail_msg("open: %s", error);
}

/* Also runs the loop to its end: nothing may be left open on it. */
static inline void scene_close(struct scene *s)
{
    bs_snapshot_files_close(s->files);
    s->files = NULL;
    assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static inline struct scene *scene_new_in(const char *directory)
{
    struct scene *s = calloc(1, sizeof *s);
    snprintf(s->directory, sizeof s->directory, "%s", directory);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    s->may_save =
        mmap(NULL, sizeof *s->may_save, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s->may_save != MAP_FAILED);
    atomic_store(s->may_save, true);
    s->options = (struct bs_snapshot_file_options){
        .loop = &s->loop,
        .directory = s->directory,
        .save = scene_save,
        .on_end = scene_on_end,
        .context = s,
    };
    scene_set_state(s, 0);
    return s;
}

static inline struct scene *scene_new(void)
{
    char directory[] = "/tmp/backstep-snapshots-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct scene *s = scene_new_in(directory);
    scene_open(s);
    return s;
}

static inline void scene_free(struct scene *s)
{
    if (s->files)
        scene_close(s);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    DIR *folder = opendir(s->directory);
    for (struct dirent *e; folder && (e = readdir(folder));)
        if (e->d_name[0] != '.' && unlinkat(dirfd(folder), e->d_name, 0) != 0)
            unlinkat(dirfd(folder), e->d_name, AT_REMOVEDIR);
    if (folder)
        closedir(folder);
    rmdir(s->directory);
    munmap((void *)s->may_save, sizeof *s->may_save);
    free(s);
}

static inline void scene_begin(struct scene *s, uint64_t position)
{
    int error = 0;
    enum bs_status status = bs_snapshot_files_begin(s->files, position, &error);
    if (status != BS_OK)
        fail_msg("begin: %s: %s", bs_status_text(status), strerror(error));
}

static inline void scene_expect_end(struct scene *s, enum bs_status status, int error)
{
    unsigned before = s->ends;
    WAIT_FOR(s, s->ends > before);
    if (s->status != status || s->error != error)
        fail_msg("ended with %s (%s), expected %s (%s)", bs_status_text(s->status),
                 strerror(s->error), bs_status_text(status), strerror(error));
}

static inline void scene_take(struct scene *s, uint64_t position)
{
    scene_begin(s, position);
    bs_snapshot_files_commit(s->files);
    scene_expect_end(s, BS_OK, 0);
}

/* The names in the folder, sorted, with a space behind each; "snapshot-" and zeros left out. */
static inline const char *scene_names(const struct scene *s)
{
    static char text[1024];
    struct dirent **names;
    int count = scandir(s->directory, &names, NULL, alphasort);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        if (strncmp(name, "snapshot-0", 10) == 0)
            name += 9 + strspn(name + 9, "0");
        if (name[0] != '.')
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", name);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return text;
}

static inline void scene_put(const struct scene *s, const char *name, const char *content)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", s->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static inline void scene_expect_list(const struct scene *s, size_t count, const uint64_t *expected)
{
    uint64_t positions[BS_SNAPSHOT_FILES_MAX];
    assert_int_equal(bs_snapshot_files_list(s->files, positions), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(positions[i], expected[i]);
}

#define EXPECT_LIST(scene, ...)                                                                    \
    scene_expect_list(scene, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),                 \
                      (uint64_t[]){__VA_ARGS__})

static inline void scene_expect_state(struct scene *s, uint64_t position)
{
    int error = 0;
    struct bs_slice content;
    assert_int_equal(bs_snapshot_files_read(s->files, position, &content, &error), BS_OK);
    assert_int_equal(content.length, s->state_bytes);
    assert_memory_equal(content.at, s->state, s->state_bytes);
    bs_snapshot_files_put_down(s->files);
}

/* The size of the file that is written; -1: there is none. */
static inline long scene_half_written(const struct scene *s, uint64_t position)
{
    char path[256];
    struct stat about;
    snprintf(path, sizeof path, "%s/snapshot-%016llx.new", s->directory,
             (unsigned long long)position);
    return stat(path, &about) == 0 ? (long)about.st_size : -1;
}

/* A process whose parent is this one; 0: there is none. */
static inline pid_t scene_child(void)
{
    DIR *processes = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *e; !found && processes && (e = readdir(processes));) {
        char path[300];
        int pid = 0, parent = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *file = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (file && fscanf(file, "%d (%*[^)]) %*c %d", &pid, &parent) == 2 && parent == getpid())
            found = pid;
        if (file)
            fclose(file);
    }
    if (processes)
        closedir(processes);
    return found;
}

#endif
