/* The insides of the config, shared by its parts: config.c (life, arrivals, questions),
 * config_judge.c (what is accepted), config_shelf.c (documents by id, the deleted ones),
 * config_devices.c (whose a device is), config_result.c (answers), config_snapshot.c. */
#ifndef BACKSTEP_DAEMON_CORE_CONFIG_PARTS_H
#define BACKSTEP_DAEMON_CORE_CONFIG_PARTS_H

#include "backstep/core/config.h"

#include "hash_table.h"
#include <sha2.h>

/* How long the revision of a deleted document still refuses older ones. */
#define BS_CONFIG_DELETED_REMEMBER_MS (INT64_C(30) * 24 * 3600 * 1000)

/* One (kind, id): in force, or deleted and remembered for its revision. */
struct document {
    UT_hash_handle hh;
    struct document *deleted_before, *deleted_after; /* its neighbours among the deleted */
    bool in_force;
    enum bs_kind kind;
    struct bs_document_rev rev; /* in force, or of the deleted one */
    struct bs_wall_ms accepted_at, deleted_at;
    union bs_kind_document content; /* nothing where it is not in force */
    char sha256[SHA256_DIGEST_STRING_LENGTH];
    uint8_t id_length;
    char id[];
};

/* All of one kind. */
struct shelf {
    struct document *documents;
    size_t in_force;
    bool sorted; /* the list of documents is ascending by id */
};

struct device_name;

struct bs_config {
    uint64_t seed;
    struct shelf shelves[BS_KIND_COUNT];
    struct document *deleted_first, *deleted_last; /* in the order of their deletion */
    size_t deleted_count;
    struct device_name *devices;
    struct bs_settings settings;
    struct bs_buffer result;
    /* What the last arrival replaced or deleted: its outcome shows it. */
    struct {
        enum bs_kind kind;
        union bs_kind_document content;
    } former;
};

/* An arrival on its way through the judgement. */
struct judgement {
    const struct bs_config_arrival *arrival;
    enum bs_kind kind;
    struct document *document; /* what is known under this kind and id, NULL: nothing */
    bool same;                 /* it is, byte for byte, what is in force */
    struct bs_document_rev rev;
    char sha256[SHA256_DIGEST_STRING_LENGTH];
    union bs_kind_document content; /* of an accepted one that is not the same */
    struct bs_document_error error;
};

static inline struct bs_slice document_id(const struct document *d)
{
    return (struct bs_slice){d->id, d->id_length};
}

/* config_judge.c: BS_OK, then j->content is the caller's to free, or j->error says why not. Changes
 * nothing. */
enum bs_status bs_config_judge(const struct bs_config *config, struct judgement *j);

/* What an accepted document should be looked at for, once it is in force; false: nothing. */
bool bs_config_find_warning(const struct bs_config *config, const struct judgement *j,
                            struct bs_document_error *ret);

/* config_shelf.c: what is known under an id, in force or not; NULL: nothing. */
struct document *bs_config_shelf_find(const struct bs_config *config, enum bs_kind kind,
                                      struct bs_slice id);

/* An empty one, neither in force nor deleted; NULL where memory is out. */
struct document *bs_config_shelf_add(struct bs_config *config, enum bs_kind kind,
                                     struct bs_slice id);

/* Takes it off its shelf and frees it with its content. */
void bs_config_shelf_remove(struct bs_config *config, struct document *d);

/* The documents of a kind, ascending by id, linked by hh.next; NULL: there are none. Those that are
 * not in force are among them. */
struct document *bs_config_shelf_sorted(struct bs_config *config, enum bs_kind kind);

/* By id, as memcmp; a shorter one before what it begins. */
int bs_config_shelf_compare(const struct document *a, const struct document *b);

/* Puts one that is neither in force nor remembered behind the deleted. */
void bs_config_shelf_remember(struct bs_config *config, struct document *d);

/* From in force to deleted (remembered only where it has a revision), and back. */
void bs_config_shelf_delete(struct bs_config *config, struct document *d, struct bs_wall_ms at);
void bs_config_shelf_revive(struct bs_config *config, struct document *d);

/* config_devices.c: makes sure that all of them can be given to somebody. BS_FULL, BS_NO_MEMORY:
 * nothing has changed. */
enum bs_status bs_config_devices_reserve(struct bs_config *config, const struct bs_ids *devices);

/* Every one, reserved before, is that member's from now on. */
void bs_config_devices_give(struct bs_config *config, const struct bs_ids *devices,
                            const struct document *member);

/* Every one that is that member's is nobody's from now on. */
void bs_config_devices_release(struct bs_config *config, const struct bs_ids *devices,
                               const struct document *member);

/* Whose it is, NULL: nobody's. */
const struct document *bs_config_devices_wearer(const struct bs_config *config,
                                                struct bs_slice device);
void bs_config_devices_free(struct bs_config *config);

/* The names alone: loaded, they are nobody's. */
void bs_config_devices_snapshot(struct bs_snapshot *s, struct bs_config *config);

/* config_result.c: fills config->result. `warning` NULL: none. */
void bs_config_write_accepted(struct bs_config *config, const struct judgement *j,
                              const struct bs_document_error *warning);
void bs_config_write_rejected(struct bs_config *config, const struct judgement *j);

/* The longest result: a pointer and a message of 255 bytes each, every byte as \u00xx, and some 300
 * bytes of frame. Taken once, so that answering never fails. */
#define BS_CONFIG_RESULT_BYTES_MAX 4096

#endif
