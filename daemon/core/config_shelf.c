/* The documents by kind and id: those in force, and the deleted ones whose revision is remembered,
 * these in the order of their deletion. Deleting must need no memory. */
#include "config_parts.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"

#include <stdlib.h>

static unsigned hash_id(const struct bs_config *config, struct bs_slice id)
{
    return (unsigned)bs_hash_bytes(config->seed, id);
}

struct document *bs_config_shelf_find(const struct bs_config *config, enum bs_kind kind,
                                      struct bs_slice id)
{
    struct document *d;
    HASH_FIND_BYHASHVALUE(hh, config->shelves[kind].documents, id.at, id.length,
                          hash_id(config, id), d);
    return d;
}

struct document *bs_config_shelf_add(struct bs_config *config, enum bs_kind kind,
                                     struct bs_slice id)
{
    bs_check(id.length <= BS_ID_MAX);
    struct shelf *shelf = &config->shelves[kind];
    struct document *d = calloc(1, sizeof *d + id.length);
    if (!d)
        return NULL;
    d->kind = kind;
    d->id_length = (uint8_t)id.length;
    memcpy(d->id, id.at, id.length);
    struct document *added = d;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, shelf->documents, d->id, id.length, hash_id(config, id), added);
    if (!added) { /* uthash found no memory */
        free(d);
        return NULL;
    }
    shelf->sorted = false;
    return d;
}

void bs_config_shelf_remove(struct bs_config *config, struct document *d)
{
    HASH_DELETE(hh, config->shelves[d->kind].documents, d);
    if (d->in_force)
        bs_kind_free(d->kind, &d->content);
    free(d);
}

int bs_config_shelf_compare(const struct document *a, const struct document *b)
{
    return bs_slice_compare(document_id(a), document_id(b));
}

/* Sorted when somebody asks, not at each arrival: five thousand arrive in a row. */
struct document *bs_config_shelf_sorted(struct bs_config *config, enum bs_kind kind)
{
    struct shelf *shelf = &config->shelves[kind];
    if (!shelf->sorted)
        HASH_SRT(hh, shelf->documents, bs_config_shelf_compare);
    shelf->sorted = true;
    return shelf->documents;
}

/* The deleted. */

static void unlink_deleted(struct bs_config *config, struct document *d)
{
    *(d->deleted_before ? &d->deleted_before->deleted_after : &config->deleted_first) =
        d->deleted_after;
    *(d->deleted_after ? &d->deleted_after->deleted_before : &config->deleted_last) =
        d->deleted_before;
    d->deleted_before = d->deleted_after = NULL;
    config->deleted_count--;
}

void bs_config_shelf_remember(struct bs_config *config, struct document *d)
{
    bs_check(!d->in_force && !d->deleted_before && config->deleted_first != d);
    d->deleted_before = config->deleted_last;
    *(config->deleted_last ? &config->deleted_last->deleted_after : &config->deleted_first) = d;
    config->deleted_last = d;
    config->deleted_count++;
}

static bool is_forgotten(const struct bs_config *config, const struct document *d,
                         struct bs_wall_ms now)
{
    return config->deleted_count > BS_CONFIG_DELETED_MAX ||
           now.ms - d->deleted_at.ms >= BS_CONFIG_DELETED_REMEMBER_MS;
}

static void forget_deleted(struct bs_config *config, struct bs_wall_ms now)
{
    for (struct document *d = config->deleted_first, *next; d && is_forgotten(config, d, now);
         d = next) {
        next = d->deleted_after;
        unlink_deleted(config, d);
        bs_config_shelf_remove(config, d);
    }
}

void bs_config_shelf_delete(struct bs_config *config, struct document *d, struct bs_wall_ms at)
{
    bs_check(d->in_force);
    config->shelves[d->kind].in_force--;
    if (!d->rev.known) {
        bs_config_shelf_remove(config, d);
        return;
    }
    bs_kind_free(d->kind, &d->content);
    d->in_force = false;
    d->deleted_at = at;
    bs_config_shelf_remember(config, d);
    forget_deleted(config, at);
}

void bs_config_shelf_revive(struct bs_config *config, struct document *d)
{
    bs_check(!d->in_force);
    if (d->deleted_before || config->deleted_first == d)
        unlink_deleted(config, d);
    d->in_force = true;
    config->shelves[d->kind].in_force++;
}
