/* The disk of the daemon's machine: one folder of files, each with what the kernel holds and what
 * is on the medium, in pages of 4 KiB. A sync makes the one the other; a power cut leaves of each
 * page that was not synced either this or that, and of the folder's changes some first ones.
 *
 * A page that a failed sync was to write counts as clean from then on (as with Linux): it is in
 * memory until the power goes, and never on the medium, unless it is written again. */
#ifndef BACKSTEP_SIM_DISK_H
#define BACKSTEP_SIM_DISK_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_PAGE_BYTES 4096u
#define SIM_NAME_MAX   96

struct sim_file {
    struct sim_file *next;
    char name[SIM_NAME_MAX];         /* in the folder as the kernel has it; "": in none */
    char durable_name[SIM_NAME_MAX]; /* as the medium has it */
    char *cached, *durable;          /* both `room` long, zeros behind `used` */
    uint8_t *pages;                  /* enum page of disk.c */
    size_t room, used;
    uint64_t size, durable_size;
    size_t dirty_first, dirty_beyond; /* pages; nothing is dirty outside */
    unsigned opened;
};

/* Something that a folder sync makes last. */
struct sim_disk_change {
    struct sim_file *file, *victim; /* the file has that name from now on, the victim none */
    char name[SIM_NAME_MAX];
};

enum sim_disk_fault { SIM_DISK_SYNC, SIM_DISK_WRITE, SIM_DISK_RENAME, SIM_DISK_FAULTS };
#define SIM_DISK_FOR_EVER UINT32_MAX

struct sim_disk {
    struct sim_file *files, *spares;
    unsigned spare_count;
    struct sim_disk_change *changes;
    size_t change_count, change_room;
    bool full, read_only;
    bool was_faulty;                   /* in this run */
    uint32_t failing[SIM_DISK_FAULTS]; /* so many of the next ones fail with EIO */
    uint32_t sync_least_us, sync_most_us;
    uint32_t sync_longest_us; /* that a sync may have taken since the power came */
    uint64_t syncs, failed_syncs;
};

void sim_disk_reset(struct sim_disk *disk);
void sim_disk_fini(struct sim_disk *disk);

/* Functions that return int return 0 or an errno. */

struct sim_file *sim_disk_find(const char *name);
/* An empty file of that name, opened; what had it before has none. */
int sim_disk_create(const char *name, struct sim_file **ret);
void sim_disk_open(struct sim_file *f);
void sim_disk_close(struct sim_file *f);

/* Room for `size` bytes, zeros where nothing was: f->cached stays where it is from then on. */
int sim_disk_allocate(struct sim_file *f, uint64_t size);
int sim_disk_write(struct sim_file *f, uint64_t at, struct bs_slice bytes);
/* Bytes were stored through the map. */
void sim_disk_touch(struct sim_file *f, uint64_t at, uint64_t length);
int sim_disk_truncate(struct sim_file *f, uint64_t size);

int sim_disk_sync(struct sim_file *f);
int sim_disk_sync_folder(void);
int sim_disk_rename(struct sim_file *f, const char *name);
int sim_disk_unlink(struct sim_file *f);

/* How long the next sync takes. */
uint64_t sim_disk_sync_ns(void);

/* The power goes and comes back; nobody has a file open. */
void sim_disk_cut_power(void);

#endif
