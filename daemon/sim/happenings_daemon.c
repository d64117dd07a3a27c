/* What befalls the daemon and its machine. */
#include "backstep/base/check.h"
#include "happenings.h"
#include "world.h"

#include <signal.h>
#include <stdlib.h>

void sim_happen_daemon(struct sim_words *w)
{
    static const char *const what[] = {"start", "stop", "kill", "reload", NULL};
    int choice = sim_words_choice(w, what);
    if (!sim_words_done(w) || w->dry)
        return;
    sim_trace("happens: daemon %s", what[choice]);
    if (choice == 0)
        sim_process_start();
    else if (choice == 1)
        sim_process_signal(SIGTERM);
    else if (choice == 2)
        sim_process_kill();
    else
        sim_process_signal(SIGHUP);
}

void sim_happen_power(struct sim_words *w)
{
    static const char *const what[] = {"cut", NULL};
    sim_words_choice(w, what);
    if (sim_words_done(w) && !w->dry)
        sim_process_cut_power();
}

/* Disk ----------------------------------------------------------------------------------------- */

/* The newest by name: positions stand in names; no marks, nothing that was set aside. */
static void damage(const char *beginning, uint64_t where, bool forgiven, uint64_t seed)
{
    struct sim_file *newest = NULL;
    for (struct sim_file *f = world->disk.files; f; f = f->next)
        if (strncmp(f->name, beginning, strlen(beginning)) == 0 && !strstr(f->name, ".marks") &&
            !strstr(f->name, ".damaged") && f->name[0] && f->size > 0 &&
            (!newest || strcmp(f->name, newest->name) > 0))
            newest = f;
    if (!newest)
        return;
    size_t at = (size_t)((where ? where : seed) % newest->size);
    char bit = (char)(1 << (seed >> 32) % 8);
    newest->cached[at] = (char)(newest->cached[at] ^ bit);
    newest->durable[at] = (char)(newest->durable[at] ^ bit);
    world->truth.damaged |= forgiven;
    sim_trace("disk: byte %zu of %s is damaged", at, newest->name);
}

static void slow(struct sim_disk *disk, uint64_t least, uint64_t most)
{
    disk->sync_least_us = (uint32_t)least;
    disk->sync_most_us = (uint32_t)(most > least ? most : least);
}

static void heal_disk(struct sim_disk *disk)
{
    disk->full = disk->read_only = false;
    memset(disk->failing, 0, sizeof disk->failing);
    slow(disk, world->settings.disk_sync_least_us, world->settings.disk_sync_most_us);
}

static void fail(struct sim_words *w)
{
    static const char *const faults[] = {"sync", "write", "rename", NULL};
    int fault = sim_words_choice(w, faults);
    uint32_t count = (uint32_t)sim_words_number(w, 0, 1000000);
    if (sim_words_done(w) && !w->dry)
        world->disk.failing[fault] = count > 0 ? count : SIM_DISK_FOR_EVER;
    world->disk.was_faulty |= !w->dry;
}

void sim_happen_disk(struct sim_words *w)
{
    static const char *const what[] = {"ok",   "full", "room",   "read-only", "writable",
                                       "fail", "slow", "damage", NULL};
    struct sim_disk *disk = &world->disk;
    int choice = sim_words_choice(w, what);
    uint64_t least = 0, most = 0;
    bool forgiven = false;
    char name[SIM_NAME_MAX] = "";
    if (choice == 5) {
        fail(w);
        return;
    }
    if (choice == 6) {
        least = sim_words_number(w, 1, 600000000);
        most = sim_words_number(w, 1, 600000000);
    } else if (choice == 7) {
        sim_words_text(w, name, sizeof name);
        least = sim_words_take(w, "at") ? sim_words_number(w, 1, UINT32_MAX) : 0;
        forgiven = sim_words_take(w, "forgiven");
    }
    if (!sim_words_done(w) || w->dry)
        return;
    sim_trace("happens: disk %s", what[choice]);
    disk->was_faulty = true;
    switch (choice) {
    case 0:
        heal_disk(disk);
        break;
    case 1:
    case 2:
        disk->full = choice == 1;
        break;
    case 3:
    case 4:
        disk->read_only = choice == 3;
        break;
    case 6:
        slow(disk, least, most);
        break;
    default:
        damage(name, least, forgiven, w->seed);
    }
}

/* Clock, configuration ------------------------------------------------------------------------- */

void sim_happen_clock(struct sim_words *w)
{
    static const char *const what[] = {"jump", NULL};
    sim_words_choice(w, what);
    int64_t seconds = sim_words_signed(w, -1000000000, 1000000000);
    if (!sim_words_done(w) || w->dry)
        return;
    sim_trace("happens: clock jump %lld", (long long)seconds);
    world->machine.wall_error_ms += seconds * 1000;
    world->machine.was_wrong = true;
}

void sim_happen_conf(struct sim_words *w)
{
    static const char *const what[] = {"broken", "good", NULL};
    int choice = sim_words_choice(w, what);
    if (sim_words_done(w) && !w->dry)
        world->settings.conf_broken = choice == 0;
}

void sim_happen_set(struct sim_words *w)
{
    char name[64];
    struct sim_settings copy = world->settings;
    sim_words_text(w, name, sizeof name);
    uint64_t value = sim_words_number(w, 0, UINT32_MAX);
    if (!sim_words_done(w))
        return;
    if (!sim_settings_set(w->dry ? &copy : &world->settings, name, (uint32_t)value))
        sim_words_fail(w, "%s cannot be set to %llu", name, (unsigned long long)value);
}
