/* edge/snapshot_file over the simulated disk: the state is saved at once, as a forked process would
 * hold it, and becomes a file as time passes. Must never give a name to what is not on the disk. */
#include "backstep/edge/snapshot_file.h"

#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/edge/log.h"
#include "snapshot_places.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_MAX ((size_t)1 << 30)
#define NEW_NAME    "snapshot.new"

enum stage { STAGE_NONE, STAGE_WRITING, STAGE_WRITTEN, STAGE_NAMING };

struct bs_snapshot_files {
    struct bs_snapshot_file_options options;
    uv_async_t ended;
    struct sim_event event;
    enum stage stage;
    bool committed;
    uint64_t position;
    uint64_t outbox; /* its head when this was begun */
    struct bs_buffer content;
    struct sim_file *file; /* being written */
    struct sim_file *read;
    bool has_result;
    int error;
};

static enum bs_status status_of(int error)
{
    return error == 0 ? BS_OK : error == ENOSPC ? BS_NO_SPACE : BS_IO;
}

/* Names ---------------------------------------------------------------------------------------- */

static void name_of(uint64_t position, char ret[SIM_NAME_MAX])
{
    snprintf(ret, SIM_NAME_MAX, "snapshot-%016llx", (unsigned long long)position);
}

static bool position_of(const char *name, uint64_t *ret)
{
    if (strncmp(name, "snapshot-", 9) != 0 || strlen(name) != 25)
        return false;
    *ret = strtoull(name + 9, NULL, 16);
    return true;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

static size_t list(bool durable, uint64_t *ret, size_t max)
{
    size_t count = 0;
    uint64_t position;
    for (const struct sim_file *f = world->disk.files; f && count < max; f = f->next)
        if (position_of(durable ? f->durable_name : f->name, &position))
            ret[count++] = position;
    if (count > 0)
        qsort(ret, count, sizeof *ret, newest_first);
    return count;
}

size_t sim_snapshots_durable(uint64_t *ret_positions, size_t max)
{
    return list(true, ret_positions, max);
}

size_t bs_snapshot_files_list(const struct bs_snapshot_files *f,
                              uint64_t ret_positions[BS_SNAPSHOT_FILES_MAX])
{
    (void)f;
    return list(false, ret_positions, BS_SNAPSHOT_FILES_MAX);
}

/* Reading -------------------------------------------------------------------------------------- */

static struct sim_file *find(uint64_t position)
{
    char name[SIM_NAME_MAX];
    name_of(position, name);
    return sim_disk_find(name);
}

enum bs_status bs_snapshot_files_read(struct bs_snapshot_files *f, uint64_t position,
                                      struct bs_slice *ret, int *ret_errno)
{
    struct sim_file *file = find(position);
    bs_check(!f->read);
    if (!file || world->process.dead) {
        *ret_errno = ENOENT;
        return BS_IO;
    }
    sim_disk_open(file);
    f->read = file;
    *ret = bs_slice_of(file->cached, (size_t)file->size);
    world->process.snapshot_read = position + 1;
    return BS_OK;
}

void bs_snapshot_files_put_down(struct bs_snapshot_files *f)
{
    if (f->read)
        sim_disk_close(f->read);
    f->read = NULL;
}

void bs_snapshot_files_set_aside(struct bs_snapshot_files *f, uint64_t position)
{
    char name[SIM_NAME_MAX];
    struct sim_file *file = find(position);
    (void)f;
    if (world->process.snapshot_read == position + 1)
        world->process.snapshot_read = 0;
    if (!file || world->process.dead)
        return;
    snprintf(name, sizeof name, "snapshot-%016llx.damaged", (unsigned long long)position);
    sim_trace("snapshot %llu is set aside", (unsigned long long)position);
    sim_disk_rename(file, name);
}

/* Writing -------------------------------------------------------------------------------------- */

static bool take_bytes(void *context, struct bs_slice bytes)
{
    struct bs_buffer *b = context;
    bs_buffer_add(b, bytes);
    return !b->failed;
}

static enum bs_status save(struct bs_snapshot_files *f)
{
    struct bs_sink sink = {&f->content, take_bytes};
    bs_buffer_reset(&f->content);
    return f->options.save(f->options.context, &sink);
}

static void discard(struct bs_snapshot_files *f)
{
    if (!f->file)
        return;
    if (!world->process.dead)
        sim_disk_unlink(f->file);
    sim_disk_close(f->file);
    f->file = NULL;
}

static int write_file(struct bs_snapshot_files *f)
{
    int error = sim_disk_create(NEW_NAME, &f->file);
    if (!error)
        error = sim_disk_write(f->file, 0, bs_buffer_slice(&f->content));
    return error ? error : sim_disk_sync(f->file);
}

/* Of the others the newest older ones stay; newer ones go. */
static void remove_others(uint64_t position)
{
    uint64_t positions[64];
    size_t count = list(false, positions, 64), kept = 1;
    for (size_t i = 0; i < count; i++) {
        struct sim_file *other = find(positions[i]);
        if (positions[i] < position && kept < BS_SNAPSHOT_FILES_KEPT)
            kept++;
        else if (positions[i] != position && other)
            sim_disk_unlink(other);
    }
}

static int name_file(struct bs_snapshot_files *f)
{
    char name[SIM_NAME_MAX];
    name_of(f->position, name);
    int error = sim_disk_rename(f->file, name);
    if (!error)
        error = sim_disk_sync_folder();
    if (error)
        return error;
    sim_disk_close(f->file);
    f->file = NULL;
    remove_others(f->position);
    return 0;
}

static void end(struct bs_snapshot_files *f, int error)
{
    discard(f);
    f->stage = STAGE_NONE;
    f->error = error;
    f->has_result = true;
    uv_async_send(&f->ended);
}

static void on_event(struct sim_event *event)
{
    struct bs_snapshot_files *f = SIM_OWNER(event, struct bs_snapshot_files, event);
    int error;
    switch (f->stage) {
    case STAGE_WRITING:
        error = write_file(f);
        f->stage = STAGE_WRITTEN;
        if (error)
            end(f, error);
        else if (f->committed)
            bs_snapshot_files_commit(f);
        break;
    case STAGE_NAMING:
        error = name_file(f);
        sim_trace("snapshot %llu has its name: error %d", (unsigned long long)f->position, error);
        end(f, error);
        break;
    default:
        break;
    }
}

static void on_ended(uv_async_t *async)
{
    struct bs_snapshot_files *f = async->data;
    if (!f->has_result)
        return;
    f->has_result = false;
    f->options.on_end(f->options.context, status_of(f->error), f->error);
}

enum bs_status bs_snapshot_files_begin(struct bs_snapshot_files *f, uint64_t position,
                                       int *ret_errno)
{
    *ret_errno = 0;
    if (f->stage != STAGE_NONE || f->has_result)
        return BS_BUSY;
    if (world->process.dead)
        return BS_IO;
    enum bs_status status = save(f);
    if (status != BS_OK)
        return status;
    f->position = position;
    f->outbox = bs_log_head(world->process.outbox);
    f->committed = false;
    f->stage = STAGE_WRITING;
    sim_trace("snapshot %llu begins: %zu bytes", (unsigned long long)position, f->content.length);
    sim_events_set(&world->events, &f->event, world->now_ns + sim_disk_sync_ns());
    return BS_OK;
}

void bs_snapshot_files_commit(struct bs_snapshot_files *f)
{
    f->committed = true;
    if (!world->process.dead)
        sim_truth_check_commit(&world->truth, f->position, f->outbox);
    if (f->stage != STAGE_WRITTEN || world->process.dead)
        return;
    f->stage = STAGE_NAMING;
    sim_events_set(&world->events, &f->event, world->now_ns + sim_disk_sync_ns());
}

enum bs_status bs_snapshot_files_write(struct bs_snapshot_files *f, uint64_t position,
                                       int *ret_errno)
{
    *ret_errno = 0;
    if (world->process.dead)
        return BS_IO;
    sim_events_cancel(&world->events, &f->event);
    discard(f);
    f->stage = STAGE_NONE;
    enum bs_status status = save(f);
    if (status != BS_OK)
        return status;
    f->position = position;
    int error = write_file(f);
    if (!error)
        error = name_file(f);
    discard(f);
    *ret_errno = error;
    return status_of(error);
}

/* Life ----------------------------------------------------------------------------------------- */

enum bs_status bs_snapshot_files_open(struct bs_snapshot_files **ret,
                                      const struct bs_snapshot_file_options *options,
                                      char *ret_error, size_t ret_error_bytes)
{
    if (world->process.dead) {
        snprintf(ret_error, ret_error_bytes, "dead");
        return BS_IO;
    }
    struct bs_snapshot_files *f = calloc(1, sizeof *f);
    bs_check(f);
    f->options = *options;
    f->event.fire = on_event;
    bs_buffer_init(&f->content, CONTENT_MAX);
    struct sim_file *left = sim_disk_find(NEW_NAME);
    if (left)
        sim_disk_unlink(left);
    uv_async_init(options->loop, &f->ended, on_ended);
    f->ended.data = f;
    world->process.snapshots = f;
    *ret = f;
    return BS_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct bs_snapshot_files *f = handle->data;
    bs_buffer_fini(&f->content);
    free(f);
}

void bs_snapshot_files_close(struct bs_snapshot_files *f)
{
    sim_events_cancel(&world->events, &f->event);
    discard(f);
    bs_snapshot_files_put_down(f);
    world->process.snapshots = NULL;
    uv_close((uv_handle_t *)&f->ended, on_closed);
}

/* One that was told to give it its name may just do so when its parent dies. */
void sim_snapshots_freeze(void)
{
    struct bs_snapshot_files *f = world->process.snapshots;
    if (!f)
        return;
    sim_events_cancel(&world->events, &f->event);
    if (f->stage == STAGE_NAMING && bs_random_below(&world->chance, 2) == 0) {
        sim_trace("snapshot %llu has its name all the same", (unsigned long long)f->position);
        (void)name_file(f);
    }
    f->stage = STAGE_NONE;
}
