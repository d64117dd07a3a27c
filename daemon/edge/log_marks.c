/* The owner's counters beside the log: two slots, written in turn, so that one of them is whole
 * whenever the process or the power goes. Must never overwrite the newest whole slot. */
#include "log_internal.h"

#include "backstep/base/little.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* 0 u64 generation   8 u64 marks   136 u32 CRC-32 of 0..135 */
#define SLOT_BYTES   140u
#define SLOT_SPACING 4096u /* a block each: one torn write reaches one slot */
#define FILE_BYTES   (2 * SLOT_SPACING)

static int write_slot(struct bs_log *log)
{
    char slot[SLOT_BYTES];
    bs_little_put_u64(slot, log->marks_generation);
    for (size_t i = 0; i < BS_LOG_MARKS; i++)
        bs_little_put_u64(slot + 8 + 8 * i, log->marks[i]);
    bs_little_put_u32(slot + 136, log_crc(0, slot, 136));
    return log_write_all(log->marks_fd, slot, sizeof(slot),
                         log->marks_generation % 2 * SLOT_SPACING);
}

static bool read_slot(struct bs_log *log, uint64_t offset)
{
    char slot[SLOT_BYTES];
    if (pread(log->marks_fd, slot, sizeof(slot), (off_t)offset) != (ssize_t)sizeof(slot) ||
        bs_little_u32(slot + 136) != log_crc(0, slot, 136) ||
        bs_little_u64(slot) < log->marks_generation)
        return false;
    log->marks_generation = bs_little_u64(slot);
    for (size_t i = 0; i < BS_LOG_MARKS; i++)
        log->marks[i] = bs_little_u64(slot + 8 + 8 * i);
    return true;
}

/* Zeros for both slots, so that no later write needs room on the disk; a generation of 0 has a bad
 * CRC there and means "none". */
static int fill(struct bs_log *log)
{
    static const char zeros[FILE_BYTES];
    int error = log_write_all(log->marks_fd, zeros, sizeof(zeros), 0);
    if (!error)
        error = log_sync_file(log->marks_fd);
    return error ? error : log_sync_folder(log);
}

int log_marks_open(struct bs_log *log, struct bs_log_recovery *note)
{
    char name[LOG_NAME_MAX];
    snprintf(name, sizeof(name), "%s.marks", log->options.name);
    log->marks_fd = openat(log->folder_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (log->marks_fd < 0)
        return errno;
    bool a = read_slot(log, 0), b = read_slot(log, SLOT_SPACING);
    if (a || b)
        return 0;
    char first[SLOT_BYTES] = {0}, none[SLOT_BYTES] = {0};
    if (pread(log->marks_fd, first, sizeof(first), 0) > 0 &&
        memcmp(first, none, sizeof(first)) != 0)
        log_note(note, "%s/%s: both slots are damaged, counters begin at 0", log->options.directory,
                 name);
    return fill(log);
}

void bs_log_marks_load(const struct bs_log *log, uint64_t ret[BS_LOG_MARKS])
{
    memcpy(ret, log->marks, sizeof(log->marks));
}

void bs_log_marks_store(struct bs_log *log, const uint64_t marks[BS_LOG_MARKS])
{
    /* A mutex of their own: this write may wait for the file system, appends must not. */
    pthread_mutex_lock(&log->marks_mutex);
    memcpy(log->marks, marks, sizeof(log->marks));
    log->marks_generation++;
    int error = write_slot(log);
    log->marks_failed = error != 0;
    pthread_mutex_unlock(&log->marks_mutex);

    pthread_mutex_lock(&log->mutex);
    if (error) {
        log->marks_error = error;
        log_judge(log);
    }
    if (!log->marks_dirty) {
        log->marks_dirty = true;
        pthread_cond_signal(&log->work);
    }
    log_unlock(log);
}

static int write_again_if_failed(struct bs_log *log)
{
    pthread_mutex_lock(&log->marks_mutex);
    int error = log->marks_failed ? write_slot(log) : 0;
    log->marks_failed = error != 0;
    pthread_mutex_unlock(&log->marks_mutex);
    return error;
}

static void note_sync(struct bs_log *log, int error)
{
    if (error) {
        /* After a failed sync the page counts as clean: only a new write makes it go out. */
        pthread_mutex_lock(&log->marks_mutex);
        log->marks_failed = true;
        pthread_mutex_unlock(&log->marks_mutex);
    }
    pthread_mutex_lock(&log->mutex);
    log->marks_error = error;
    if (error) {
        /* A last sync is tried once. */
        log->marks_dirty = !log->stopping;
        log->marks_due_ms = log_now_ms() + LOG_RETRY_MS;
    }
    log_judge(log);
    log_unlock(log);
}

void log_marks_sync(struct bs_log *log)
{
    pthread_mutex_lock(&log->mutex);
    bool due = log->marks_dirty;
    log->marks_dirty = false;
    log_unlock(log);
    if (!due)
        return;
    int error = write_again_if_failed(log);
    note_sync(log, error ? error : log_sync_file(log->marks_fd));
}
