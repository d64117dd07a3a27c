/* Files and what is left of them. Must never let a byte onto the medium that was not synced, but at
 * a power cut, where chance decides. */
#include "disk.h"

#include "backstep/base/check.h"
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum page { PAGE_CLEAN, PAGE_DIRTY, PAGE_LOST };

/* Memory is kept for other files of about the size. */
enum { SPARE_FACTOR = 4, SPARE_BYTES_MAX = 4 << 20, SPARES_MAX = 32 };

static size_t pages_of(uint64_t bytes)
{
    return (size_t)((bytes + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES);
}

/* Memory ------------------------------------------------------------------------------------- */

static void free_file(struct sim_file *f)
{
    free(f->cached);
    free(f->durable);
    free(f->pages);
    free(f);
}

static void put_away(struct sim_disk *disk, struct sim_file *f)
{
    if (f->room == 0 || f->room > SPARE_BYTES_MAX || disk->spare_count == SPARES_MAX) {
        free_file(f);
        return;
    }
    memset(f->cached, 0, f->used);
    memset(f->durable, 0, f->used);
    memset(f->pages, 0, pages_of(f->room));
    f->next = disk->spares;
    disk->spares = f;
    disk->spare_count++;
}

static void clear_changes(struct sim_disk *disk)
{
    disk->change_count = 0;
}

void sim_disk_reset(struct sim_disk *disk)
{
    for (struct sim_file *f = disk->files, *next; f; f = next) {
        next = f->next;
        put_away(disk, f);
    }
    disk->files = NULL;
    clear_changes(disk);
    disk->full = disk->read_only = disk->was_faulty = false;
    memset(disk->failing, 0, sizeof disk->failing);
    disk->sync_least_us = world->settings.disk_sync_least_us;
    disk->sync_most_us = world->settings.disk_sync_most_us;
    disk->sync_longest_us = disk->sync_most_us;
    disk->syncs = disk->failed_syncs = 0;
}

void sim_disk_fini(struct sim_disk *disk)
{
    for (int i = 0; i < 2; i++)
        for (struct sim_file *f = i ? disk->files : disk->spares, *next; f; f = next) {
            next = f->next;
            free_file(f);
        }
    free(disk->changes);
    *disk = (struct sim_disk){0};
}

static struct sim_file *take_spare(struct sim_disk *disk, uint64_t bytes)
{
    for (struct sim_file **at = &disk->spares; *at; at = &(*at)->next) {
        struct sim_file *f = *at;
        if (f->room >= bytes && f->room / SPARE_FACTOR <= bytes) {
            *at = f->next;
            disk->spare_count--;
            return f;
        }
    }
    return NULL;
}

/* Of a spare file or from the heap; the old content, if any, is copied. */
static void give_room(struct sim_file *f, size_t bytes)
{
    bytes = pages_of(bytes) * SIM_PAGE_BYTES;
    if (f->room >= bytes)
        return;
    struct sim_file *spare = f->room == 0 ? take_spare(&world->disk, bytes) : NULL;
    if (spare) {
        f->cached = spare->cached;
        f->durable = spare->durable;
        f->pages = spare->pages;
        f->room = spare->room;
        free(spare);
        return;
    }
    f->cached = realloc(f->cached, bytes);
    f->durable = realloc(f->durable, bytes);
    f->pages = realloc(f->pages, pages_of(bytes));
    bs_check(f->cached && f->durable && f->pages);
    memset(f->cached + f->room, 0, bytes - f->room);
    memset(f->durable + f->room, 0, bytes - f->room);
    memset(f->pages + pages_of(f->room), PAGE_CLEAN, pages_of(bytes) - pages_of(f->room));
    f->room = bytes;
}

/* A file that nobody has open, and that no name leads to, is gone. */
static void collect(struct sim_disk *disk)
{
    if (disk->change_count > 0) /* which speak of files */
        return;
    for (struct sim_file **at = &disk->files; *at;) {
        struct sim_file *f = *at;
        if (f->name[0] || f->durable_name[0] || f->opened > 0) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        put_away(disk, f);
    }
}

/* Names -------------------------------------------------------------------------------------- */

struct sim_file *sim_disk_find(const char *name)
{
    for (struct sim_file *f = world->disk.files; f; f = f->next)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static void note_change(struct sim_disk *disk, struct sim_file *f, struct sim_file *victim)
{
    if (disk->change_count == disk->change_room) {
        disk->change_room = disk->change_room ? 2 * disk->change_room : 32;
        disk->changes = realloc(disk->changes, disk->change_room * sizeof *disk->changes);
        bs_check(disk->changes);
    }
    struct sim_disk_change *c = &disk->changes[disk->change_count++];
    c->file = f;
    c->victim = victim;
    memcpy(c->name, f->name, sizeof c->name);
}

static void set_name(struct sim_disk *disk, struct sim_file *f, const char *name)
{
    struct sim_file *victim = name[0] ? sim_disk_find(name) : NULL;
    if (victim == f)
        return;
    if (victim)
        victim->name[0] = '\0';
    bs_check(strlen(name) < SIM_NAME_MAX);
    memset(f->name, 0, sizeof f->name);
    memcpy(f->name, name, strlen(name));
    note_change(disk, f, victim);
}

static bool fails(struct sim_disk *disk, enum sim_disk_fault fault)
{
    if (disk->failing[fault] == 0)
        return false;
    if (disk->failing[fault] != SIM_DISK_FOR_EVER)
        disk->failing[fault]--;
    return true;
}

int sim_disk_create(const char *name, struct sim_file **ret)
{
    struct sim_disk *disk = &world->disk;
    if (disk->read_only)
        return EROFS;
    if (disk->full)
        return ENOSPC;
    struct sim_file *f = calloc(1, sizeof *f);
    bs_check(f);
    f->next = disk->files;
    disk->files = f;
    set_name(disk, f, name);
    f->opened = 1;
    *ret = f;
    return 0;
}

void sim_disk_open(struct sim_file *f)
{
    f->opened++;
}

void sim_disk_close(struct sim_file *f)
{
    bs_check(f->opened > 0);
    if (--f->opened == 0 && !f->name[0])
        collect(&world->disk);
}

int sim_disk_rename(struct sim_file *f, const char *name)
{
    struct sim_disk *disk = &world->disk;
    if (disk->read_only)
        return EROFS;
    if (fails(disk, SIM_DISK_RENAME))
        return EIO;
    set_name(disk, f, name);
    return 0;
}

int sim_disk_unlink(struct sim_file *f)
{
    struct sim_disk *disk = &world->disk;
    if (disk->read_only)
        return EROFS;
    set_name(disk, f, "");
    return 0;
}

static void apply_changes(struct sim_disk *disk, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sim_disk_change *c = &disk->changes[i];
        memcpy(c->file->durable_name, c->name, sizeof c->name);
        if (c->victim)
            c->victim->durable_name[0] = '\0';
    }
    clear_changes(disk);
}

int sim_disk_sync_folder(void)
{
    struct sim_disk *disk = &world->disk;
    if (disk->read_only)
        return EROFS;
    if (fails(disk, SIM_DISK_SYNC))
        return EIO;
    apply_changes(disk, disk->change_count);
    collect(disk);
    return 0;
}

/* Content ------------------------------------------------------------------------------------ */

int sim_disk_allocate(struct sim_file *f, uint64_t size)
{
    if (world->disk.read_only)
        return EROFS;
    if (world->disk.full)
        return ENOSPC;
    give_room(f, (size_t)size);
    f->size = size;
    return 0;
}

void sim_disk_touch(struct sim_file *f, uint64_t at, uint64_t length)
{
    size_t first = (size_t)(at / SIM_PAGE_BYTES), beyond = pages_of(at + length);
    if (f->dirty_first == f->dirty_beyond) {
        f->dirty_first = first;
        f->dirty_beyond = beyond;
    }
    f->dirty_first = first < f->dirty_first ? first : f->dirty_first;
    f->dirty_beyond = beyond > f->dirty_beyond ? beyond : f->dirty_beyond;
    memset(f->pages + first, PAGE_DIRTY, beyond - first);
    f->used = beyond * SIM_PAGE_BYTES > f->used ? beyond * SIM_PAGE_BYTES : f->used;
}

int sim_disk_write(struct sim_file *f, uint64_t at, struct bs_slice bytes)
{
    struct sim_disk *disk = &world->disk;
    if (disk->read_only)
        return EROFS;
    if (fails(disk, SIM_DISK_WRITE))
        return EIO;
    uint64_t end = at + bytes.length;
    if (end > f->size && disk->full)
        return ENOSPC;
    if (end > f->room)
        give_room(f, end > 2 * f->room ? (size_t)end : 2 * f->room);
    memcpy(f->cached + at, bytes.at, bytes.length);
    sim_disk_touch(f, at, bytes.length);
    f->size = end > f->size ? end : f->size;
    return 0;
}

int sim_disk_truncate(struct sim_file *f, uint64_t size)
{
    if (world->disk.read_only)
        return EROFS;
    if (size < f->size) {
        memset(f->cached + size, 0, (size_t)(f->size - size));
        sim_disk_touch(f, size, f->size - size);
    }
    f->size = size;
    return 0;
}

/* Syncs -------------------------------------------------------------------------------------- */

static size_t page_bytes(const struct sim_file *f, size_t page)
{
    size_t at = page * SIM_PAGE_BYTES;
    return f->room - at < SIM_PAGE_BYTES ? f->room - at : SIM_PAGE_BYTES;
}

static void keep_page(struct sim_file *f, size_t page)
{
    size_t at = page * SIM_PAGE_BYTES;
    memcpy(f->durable + at, f->cached + at, page_bytes(f, page));
}

static void end_sync(struct sim_file *f, bool failed)
{
    for (size_t page = f->dirty_first; page < f->dirty_beyond; page++) {
        if (f->pages[page] != PAGE_DIRTY)
            continue;
        if (!failed)
            keep_page(f, page);
        f->pages[page] = failed ? PAGE_LOST : PAGE_CLEAN;
    }
    f->dirty_first = f->dirty_beyond = 0;
}

int sim_disk_sync(struct sim_file *f)
{
    struct sim_disk *disk = &world->disk;
    bool due = f->dirty_first != f->dirty_beyond || f->size != f->durable_size;
    disk->syncs++;
    if (disk->read_only && due) {
        end_sync(f, true);
        disk->failed_syncs++;
        return EROFS;
    }
    if (due && fails(disk, SIM_DISK_SYNC)) {
        end_sync(f, true);
        disk->failed_syncs++;
        return EIO;
    }
    end_sync(f, false);
    f->durable_size = f->size;
    return 0;
}

uint64_t sim_disk_sync_ns(void)
{
    struct sim_disk *disk = &world->disk;
    if (disk->sync_most_us > disk->sync_longest_us)
        disk->sync_longest_us = disk->sync_most_us;
    return sim_between(disk->sync_least_us, disk->sync_most_us) * 1000;
}

/* Power -------------------------------------------------------------------------------------- */

static bool chance(void)
{
    return bs_random_next(&world->chance) & 1;
}

static void tear(struct sim_file *f)
{
    for (size_t page = f->dirty_first; page < f->dirty_beyond; page++)
        if (f->pages[page] == PAGE_DIRTY && chance())
            keep_page(f, page);
    if (f->size != f->durable_size && chance())
        f->durable_size = f->size;
    size_t used = f->used < f->room ? f->used : f->room;
    if (f->durable_size < used)
        memset(f->durable + f->durable_size, 0, used - (size_t)f->durable_size);
    memcpy(f->cached, f->durable, used);
    memset(f->pages, PAGE_CLEAN, pages_of(f->room));
    f->dirty_first = f->dirty_beyond = 0;
    f->size = f->durable_size;
}

void sim_disk_cut_power(void)
{
    struct sim_disk *disk = &world->disk;
    apply_changes(disk, bs_random_below(&world->chance, disk->change_count + 1));
    for (struct sim_file *f = disk->files; f; f = f->next) {
        f->opened = 0;
        memcpy(f->name, f->durable_name, sizeof f->name);
        if (f->room > 0)
            tear(f);
    }
    collect(disk);
}
