/* edge/points_file over the simulated disk. Must never leave half a line. */
#include "backstep/edge/points_file.h"

#include "backstep/base/check.h"
#include "log_places.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct bs_points_file {
    struct sim_file *file;
    char name[SIM_NAME_MAX];
    uint64_t kept, max_bytes;
    bool begun, durable;
    bool is_output; /* rows, and not dead letters */
};

static enum bs_status failed(int error, int *ret_errno)
{
    if (error == 0)
        return BS_OK;
    *ret_errno = error;
    return error == ENOSPC ? BS_NO_SPACE : BS_IO;
}

static int cut_half_line(struct sim_file *f)
{
    uint64_t size = f->size;
    while (size > 0 && f->cached[size - 1] != '\n')
        size--;
    return size == f->size ? 0 : sim_disk_truncate(f, size);
}

static int open_file(struct bs_points_file *p)
{
    struct sim_file *f = sim_disk_find(p->name);
    int error = 0;
    if (f)
        sim_disk_open(f);
    else
        error = sim_disk_create(p->name, &f);
    if (error)
        return error;
    error = cut_half_line(f);
    if (error) {
        sim_disk_close(f);
        return error;
    }
    p->file = f;
    p->begun = true;
    p->kept = f->size;
    return 0;
}

enum bs_status bs_points_file_open(struct bs_points_file **ret, const char *path,
                                   uint64_t max_bytes, mode_t mode, int *ret_errno)
{
    (void)mode;
    if (world->process.dead)
        return failed(EIO, ret_errno);
    struct bs_points_file *p = calloc(1, sizeof *p);
    bs_check(p);
    snprintf(p->name, sizeof p->name, "%s", path);
    p->is_output = strcmp(path, "points.lp") == 0;
    p->max_bytes = max_bytes;
    int error = open_file(p);
    if (error)
        free(p);
    else
        *ret = p;
    return failed(error, ret_errno);
}

static int rotate(struct bs_points_file *p)
{
    char old[SIM_NAME_MAX];
    int error = p->durable ? sim_disk_sync(p->file) : 0;
    snprintf(old, sizeof old, "%.80s.1", p->name);
    if (!error)
        error = sim_disk_rename(p->file, old);
    if (error)
        return error;
    struct sim_file *before = p->file;
    error = open_file(p);
    if (error) {
        sim_disk_rename(before, p->name);
        return error;
    }
    sim_disk_close(before);
    return 0;
}

/* Rows that no database is to have are settled when they are here. */
static void note_settled(const struct bs_points_file *p, struct bs_slice lines)
{
    uint64_t from = sim_log_position_of(world->process.outbox, lines.at);
    if (p->is_output && !world->settings.influxdb_used && from != UINT64_MAX)
        sim_history_settle(&world->history, from, from + lines.length);
}

enum bs_status bs_points_file_write(struct bs_points_file *p, struct bs_slice lines, int *ret_errno)
{
    bs_check(lines.length > 0 && lines.at[lines.length - 1] == '\n');
    if (world->process.dead)
        return failed(EIO, ret_errno);
    int error = p->file->size > 0 && p->file->size + lines.length > p->max_bytes ? rotate(p) : 0;
    if (!error)
        error = sim_disk_write(p->file, p->file->size, lines);
    if (!error)
        note_settled(p, lines);
    return failed(error, ret_errno);
}

enum bs_status bs_points_file_sync(struct bs_points_file *p, int *ret_errno)
{
    if (world->process.dead)
        return failed(EIO, ret_errno);
    int error = sim_disk_sync(p->file);
    if (!error && p->begun)
        error = sim_disk_sync_folder();
    if (!error) {
        p->begun = false;
        p->durable = true;
    }
    return failed(error, ret_errno);
}

void bs_points_file_keep(struct bs_points_file *p)
{
    p->kept = p->file->size;
}

enum bs_status bs_points_file_undo(struct bs_points_file *p, int *ret_errno)
{
    if (world->process.dead || p->file->size == p->kept)
        return BS_OK;
    return failed(sim_disk_truncate(p->file, p->kept), ret_errno);
}

void bs_points_file_close(struct bs_points_file *p)
{
    if (!p)
        return;
    sim_disk_close(p->file);
    free(p);
}
