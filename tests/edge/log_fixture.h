/* For the tests of the log: a folder of their own, a log in it, and records that tell their number,
 * so that each one read can be held against what was appended. */
#ifndef LOG_FIXTURE_H
#define LOG_FIXTURE_H

#include "backstep/edge/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NUMBERED_MAX 256

struct fixture {
    char directory[128];
    struct bs_log_options options;
    struct bs_log *log;
    struct bs_log_recovery recovery;
    _Atomic int64_t tick;
    _Atomic unsigned records, changes;
};

static inline struct bs_tick_ms fixture_stamp(void *context)
{
    struct fixture *f = context;
    return (struct bs_tick_ms){atomic_fetch_add(&f->tick, 1)};
}

static inline void fixture_on_record(void *context)
{
    atomic_fetch_add(&((struct fixture *)context)->records, 1);
}

static inline void fixture_on_change(void *context)
{
    atomic_fetch_add(&((struct fixture *)context)->changes, 1);
}

static inline void fixture_remove(const char *directory)
{
    DIR *folder = opendir(directory);
    for (struct dirent *e; folder && (e = readdir(folder));)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(folder), e->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(directory);
}

/* A fresh folder name under `root`; the log makes the folder. */
static inline void fixture_init_in(struct fixture *f, const char *root, uint64_t segment_bytes,
                                   uint64_t segments)
{
    memset(f, 0, sizeof(*f));
    atomic_store(&f->tick, 1);
    snprintf(f->directory, sizeof(f->directory), "%s/backstep-log-XXXXXX", root);
    assert_non_null(mkdtemp(f->directory));
    rmdir(f->directory);
    f->options = (struct bs_log_options){
        .directory = f->directory,
        .name = "intake",
        .segment_bytes = segment_bytes,
        .max_bytes = segment_bytes * segments,
        .reserve_bytes = segment_bytes / 4,
        .sync_ms = 10,
        .trial_ms = 1,
        .stamp = fixture_stamp,
        .on_record = fixture_on_record,
        .on_change = fixture_on_change,
        .context = f,
    };
}

static inline void fixture_init(struct fixture *f, uint64_t segment_bytes, uint64_t segments)
{
    fixture_init_in(f, "/tmp", segment_bytes, segments);
}

static inline void fixture_open(struct fixture *f)
{
    enum bs_status status = bs_log_open(&f->log, &f->options, &f->recovery);
    if (status != BS_OK)
        fail_msg("open: %s: %s", bs_status_text(status), f->recovery.message);
    atomic_store(&f->tick, f->recovery.last_tick.ms + 1);
}

static inline void fixture_close(struct fixture *f)
{
    bs_log_close(f->log);
    f->log = NULL;
}

static inline void fixture_fini(struct fixture *f)
{
    if (f->log)
        fixture_close(f);
    fixture_remove(f->directory);
}

static inline size_t numbered_length(uint64_t number)
{
    return 8 + (size_t)(number * 37 % 150);
}

static inline void numbered_body(uint64_t number, char ret[NUMBERED_MAX])
{
    memcpy(ret, &number, 8);
    for (size_t i = 8; i < numbered_length(number); i++)
        ret[i] = (char)(number + i);
}

/* In two parts, as callers do it. */
static inline enum bs_status append_numbered(struct bs_log *log, uint64_t number,
                                             uint64_t *ret_position)
{
    char body[NUMBERED_MAX];
    numbered_body(number, body);
    struct bs_slice parts[2] = {{body, 5}, {body + 5, numbered_length(number) - 5}};
    return bs_log_append(log, BS_RECORD_MESSAGE, (uint8_t)number, parts, 2, ret_position);
}

static inline void append_all(struct fixture *f, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        assert_int_equal(append_numbered(f->log, i, NULL), BS_OK);
}

/* The number of a record, which must be whole. */
static inline uint64_t number_of(const struct bs_record *r)
{
    uint64_t number;
    char body[NUMBERED_MAX];
    assert_true(r->body.length >= 8);
    memcpy(&number, r->body.at, 8);
    numbered_body(number, body);
    assert_int_equal(r->body.length, numbered_length(number));
    assert_memory_equal(r->body.at, body, r->body.length);
    assert_int_equal(r->type, BS_RECORD_MESSAGE);
    assert_int_equal(r->flags, (uint8_t)number);
    return number;
}

/* Reads to the head; the numbers must be from, from + 1, …; returns how many. */
static inline uint64_t read_on(struct bs_log *log, uint64_t from)
{
    struct bs_record r;
    uint64_t count = 0, next = 0;
    while (bs_log_read(log, &r)) {
        assert_int_equal(number_of(&r), from + count);
        assert_true(r.position >= next && r.next > r.position);
        next = r.next;
        count++;
    }
    return count;
}

static inline void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Waits up to 10 s. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        for (int tries = 0; tries < 2000 && !(condition); tries++)                                 \
            sleep_ms(5);                                                                           \
        assert_true(condition);                                                                    \
    } while (0)

/* The n-th file in the folder, by name, that ends in `suffix`; false where there are fewer. */
static inline bool nth_file(const struct fixture *f, const char *suffix, int n, char ret[512])
{
    struct dirent **names;
    int count = scandir(f->directory, &names, NULL, alphasort);
    bool found = false;
    for (int i = 0; i < count; i++) {
        size_t length = strlen(names[i]->d_name);
        if (!found && length >= strlen(suffix) &&
            strcmp(names[i]->d_name + length - strlen(suffix), suffix) == 0 && n-- == 0) {
            snprintf(ret, 512, "%s/%s", f->directory, names[i]->d_name);
            found = true;
        }
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return found;
}

static inline int count_files(const struct fixture *f, const char *suffix)
{
    char path[512];
    int count = 0;
    while (nth_file(f, suffix, count, path))
        count++;
    return count;
}

#endif
