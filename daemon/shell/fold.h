/* Intake records through the engine into the outbox: the one place where a record becomes rows.
 *
 * The fold is deterministic, so a row is known by where it came of: the intake position of its
 * record and the number of its chunk. What stands in the outbox already is not appended again after
 * a restart, though the fold says it again. */
#ifndef BACKSTEP_SHELL_FOLD_H
#define BACKSTEP_SHELL_FOLD_H

#include "backstep/base/buffer.h"
#include "backstep/core/engine.h"
#include "backstep/edge/log.h"

#include <stdbool.h>
#include <stdint.h>

/* Lines of one outbox record; a whole number of lines, so it is exceeded by none. */
#define BS_FOLD_CHUNK_BYTES (64u * 1024)

struct bs_fold_backlog;

struct bs_fold {
    struct bs_engine *engine;
    struct bs_log *intake, *outbox;
    /* Makes room in a full outbox; false where there is none to be made now. */
    bool (*make_room)(void *context);
    /* Open rows are not kept while so much waits that the closed ones will follow soon enough. */
    bool (*skip_open_rows)(void *context);
    void (*publish)(void *context, const struct bs_publication *publication);
    void *context;
    /* Where the engine's state came of a snapshot, as that says; else all zero. */
    uint64_t folded; /* intake position behind the last record; from here on it is read */
    struct bs_tick_ms folded_tick;
    struct bs_start_body start; /* the last start record, where there was one */
    struct bs_tick_ms start_tick;
    bool has_start;

    struct bs_record record; /* the one being folded */
    uint32_t part;           /* chunks it has made so far */
    struct bs_buffer chunk;
    uint32_t chunk_points;
    bool chunk_open;
    bool has_last;        /* the outbox holds rows: */
    uint64_t last_origin; /* those of this record, up to this chunk, are in it */
    uint32_t last_part;
    struct bs_fold_backlog *backlog, **backlog_end; /* chunks the outbox did not take */
    enum bs_status trouble;                         /* why it did not */
    uint64_t damaged; /* records whose body was not what their type demands */
};

/* Fill in the first two blocks of members before. Finds the outbox's last row and cuts away rows
 * whose intake record is not there any more (a power loss took it). */
enum bs_status bs_fold_init(struct bs_fold *f);
void bs_fold_fini(struct bs_fold *f);

/* Puts a row of the shell's own behind the rows of the record that was folded last; left out where
 * nothing was folded yet or the outbox takes nothing, since the next one follows soon. */
void bs_fold_add_row(struct bs_fold *f, struct bs_slice line);

/* Folds the next record. False where there is none, or the outbox takes nothing (f->trouble). */
bool bs_fold_next(struct bs_fold *f);

#endif
