/* Records in, rows out. Must never read on while rows of an earlier record are not in the outbox.
 */
#include "fold.h"

#include "backstep/base/check.h"

#include <stdlib.h>

struct bs_fold_backlog {
    struct bs_fold_backlog *next;
    size_t length;
    uint8_t flags;
    char bytes[]; /* a whole POINTS body */
};

static bool is_in_outbox(const struct bs_fold *f)
{
    if (!f->has_last)
        return false;
    return f->record.position < f->last_origin ||
           (f->record.position == f->last_origin && f->part <= f->last_part);
}

static enum bs_status append(struct bs_fold *f, uint8_t flags, const struct bs_slice *parts,
                             size_t count)
{
    enum bs_status status = bs_log_append(f->outbox, BS_RECORD_POINTS, flags, parts, count, NULL);
    while (status == BS_FULL && f->make_room(f->context))
        status = bs_log_append(f->outbox, BS_RECORD_POINTS, flags, parts, count, NULL);
    return status;
}

/* The engine cannot be stopped in the middle of a record, so what the outbox does not take now
 * waits here: at most one record's rows, since nothing more is read meanwhile. */
static void set_aside(struct bs_fold *f, uint8_t flags, const struct bs_slice parts[2])
{
    struct bs_fold_backlog *b = malloc(sizeof *b + parts[0].length + parts[1].length);
    bs_check(b); /* a few chunks of 64 KiB, once: without them rows would be lost unseen */
    b->next = NULL;
    b->flags = flags;
    b->length = parts[0].length + parts[1].length;
    memcpy(b->bytes, parts[0].at, parts[0].length);
    memcpy(b->bytes + parts[0].length, parts[1].at, parts[1].length);
    *f->backlog_end = b;
    f->backlog_end = &b->next;
}

static void end_chunk(struct bs_fold *f)
{
    if (f->chunk_points == 0)
        return;
    uint8_t flags = f->chunk_open ? BS_RECORD_OPEN : 0;
    bool skip = is_in_outbox(f) || (f->chunk_open && f->skip_open_rows(f->context));
    uint8_t head[BS_POINTS_HEAD_BYTES];
    bs_points_head_write(f->record.position, f->part, f->chunk_points, head);
    struct bs_slice parts[] = {bs_slice_of(head, sizeof head), bs_buffer_slice(&f->chunk)};
    if (!skip && f->backlog)
        set_aside(f, flags, parts);
    else if (!skip && (f->trouble = append(f, flags, parts, 2)) != BS_OK)
        set_aside(f, flags, parts);
    f->part++;
    f->chunk_points = 0;
    bs_buffer_reset(&f->chunk);
}

static void take_line(void *context, struct bs_slice line, bool open)
{
    struct bs_fold *f = context;
    if (f->chunk_points && (f->chunk_open != open || f->chunk.length + line.length > f->chunk.max))
        end_chunk(f);
    f->chunk_open = open;
    bs_buffer_add(&f->chunk, line);
    bs_check(!f->chunk.failed);
    f->chunk_points++;
}

static void take_publication(void *context, const struct bs_publication *publication)
{
    struct bs_fold *f = context;
    f->publish(f->context, publication);
}

static bool drain_backlog(struct bs_fold *f)
{
    while (f->backlog) {
        struct bs_fold_backlog *b = f->backlog;
        struct bs_slice body = bs_slice_of(b->bytes, b->length);
        f->trouble = append(f, b->flags, &body, 1);
        if (f->trouble != BS_OK)
            return false;
        f->backlog = b->next;
        free(b);
    }
    f->backlog_end = &f->backlog;
    return true;
}

static void note_start(struct bs_fold *f)
{
    struct bs_start_body start;
    if (bs_start_body_read(f->record.body, &start) != BS_OK)
        return;
    f->start = start;
    f->start_tick = f->record.tick;
    f->has_start = true;
}

bool bs_fold_next(struct bs_fold *f)
{
    if (f->backlog && !drain_backlog(f))
        return false;
    if (!bs_log_read(f->intake, &f->record))
        return false;
    struct bs_effects effects = {f, take_line, take_publication};
    f->part = 0;
    if (f->record.type == BS_RECORD_START)
        note_start(f);
    if (bs_engine_step(f->engine, &f->record, &effects) != BS_OK)
        f->damaged++;
    end_chunk(f);
    f->folded = f->record.next;
    f->folded_tick = f->record.tick;
    return true;
}

/* All rows of the last record are in the outbox, so the highest part there is keeps the order of
 * origins: a restart passes over this record's rows, as it must. */
void bs_fold_add_row(struct bs_fold *f, struct bs_slice line)
{
    uint8_t head[BS_POINTS_HEAD_BYTES];
    if (f->backlog || f->record.next == 0)
        return;
    bs_points_head_write(f->record.position, UINT32_MAX, 1, head);
    struct bs_slice parts[] = {bs_slice_of(head, sizeof head), line};
    bs_log_append(f->outbox, BS_RECORD_POINTS, 0, parts, 2, NULL);
}

/* Reads the whole outbox once: it is bounded, and reading is a walk over headers. */
static enum bs_status find_last_row(struct bs_fold *f)
{
    uint64_t intake_head = bs_log_head(f->intake);
    struct bs_record r;
    bs_log_seek(f->outbox, bs_log_first(f->outbox));
    while (bs_log_read(f->outbox, &r)) {
        struct bs_points_body body;
        if (r.type != BS_RECORD_POINTS || bs_points_body_read(r.body, &body) != BS_OK)
            continue;
        if (body.origin >= intake_head)
            return bs_log_truncate(f->outbox, r.position);
        f->has_last = true;
        f->last_origin = body.origin;
        f->last_part = body.part;
    }
    return BS_OK;
}

enum bs_status bs_fold_init(struct bs_fold *f)
{
    bs_buffer_init(&f->chunk, BS_FOLD_CHUNK_BYTES);
    f->backlog_end = &f->backlog;
    if (f->folded < bs_log_first(f->intake))
        f->folded = bs_log_first(f->intake);
    bs_log_seek(f->intake, f->folded);
    return find_last_row(f);
}

void bs_fold_fini(struct bs_fold *f)
{
    while (f->backlog) {
        struct bs_fold_backlog *next = f->backlog->next;
        free(f->backlog);
        f->backlog = next;
    }
    bs_buffer_fini(&f->chunk);
}
