/* The configuration documents in force: judges every arrival, answers it, and changes whole or not
 * at all. Time comes with the arrival; knows no topics and no steps. */
#ifndef BACKSTEP_CORE_CONFIG_H
#define BACKSTEP_CORE_CONFIG_H

#include "backstep/base/buffer.h"
#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/core/kinds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Documents of one kind in force, of members as many as `max_members` says. More groups, drills or
 * classes than a hundred gyms have are a mistake or an attack. */
#define BS_CONFIG_DOCUMENTS_MAX    16384

/* Devices that some member's document ever named: what was once someone's is nobody's guest, so
 * none is forgotten. */
#define BS_CONFIG_DEVICES_MAX      (1u << 20)

/* Deleted documents whose revision is remembered; beyond, the one deleted first is forgotten. */
#define BS_CONFIG_DELETED_MAX      65536

/* The most names that bs_config_write_absent writes, and the most bytes they take. */
#define BS_CONFIG_ABSENT_MAX       100
#define BS_CONFIG_ABSENT_BYTES_MAX 8192

struct bs_config;
struct bs_snapshot;

/* One message on config/{kind}/{id}; an empty payload deletes. */
struct bs_config_arrival {
    struct bs_slice kind, id, payload; /* id matches bs_slice_is_id */
    /* Of a payload that was too long to be kept, which is empty then: its SHA-256, 32 bytes. Else
     * empty. */
    struct bs_slice digest;
    /* False only where the publisher is known not to have asked for it: it costs a warning. To a
     * standing subscription a broker passes the flag on only with MQTT 5's Retain As Published;
     * where that is not so, say true. */
    bool retained;
    uint32_t guests; /* there now: they count against max_members as documents do */
    struct bs_wall_ms at;
};

enum bs_config_verdict {
    BS_CONFIG_ACCEPTED,
    BS_CONFIG_REJECTED, /* everything is as before */
    BS_CONFIG_DELETED,
    BS_CONFIG_UNKNOWN_KIND, /* gets no result */
};

struct bs_config_outcome {
    enum bs_config_verdict verdict;
    enum bs_kind kind; /* not for UNKNOWN_KIND */
    bool changed;      /* what is in force under this kind and id is not, byte for byte, what was */
    /* What was in force before, and what is now; NULL: nothing. Both hold until the next call. */
    const union bs_kind_document *before, *now;
    struct bs_slice result; /* the result document; empty: delete it (UNKNOWN_KIND: there is none).
                               Points into the config until its next call */
};

/* No document is in force: the defaults are. */
enum bs_status bs_config_new(struct bs_config **ret);
void bs_config_free(struct bs_config *config);

/* The key of its tables, from the first start record; without effect once a document was taken.
 * Nothing that it answers depends on it. */
void bs_config_seed(struct bs_config *config, uint64_t seed);

void bs_config_arrive(struct bs_config *config, const struct bs_config_arrival *arrival,
                      struct bs_config_outcome *ret);

/* Holds until bs_config_free; its content changes with bs_config_arrive. */
const struct bs_settings *bs_config_settings(const struct bs_config *config);

/* The document in force under that id, until the next bs_config_arrive; NULL: none. */
const union bs_kind_document *bs_config_find(const struct bs_config *config, enum bs_kind kind,
                                             struct bs_slice id);

/* Whose a device is: of no document ever, of none any more, of a member's in force. */
enum bs_naming { BS_NAMING_NEVER, BS_NAMING_FORMER, BS_NAMING_MEMBER };

/* *ret_member, the member's id, only for BS_NAMING_MEMBER; it holds until the next
 * bs_config_arrive. */
enum bs_naming bs_config_find_device(const struct bs_config *config, struct bs_slice device,
                                     struct bs_slice *ret_member);

/* Every session in force that names the drill, ascending by group. `take` must not call
 * bs_config_arrive; what it gets holds until then. */
void bs_config_each_session_of(struct bs_config *config, struct bs_slice drill,
                               void (*take)(void *context, struct bs_slice group,
                                            const struct bs_session_document *session),
                               void *context);

/* One document in force. */
struct bs_config_entry {
    enum bs_kind kind;
    struct bs_slice id;
    struct bs_document_rev rev;
    const char *sha256;            /* 64 hexadecimal digits */
    struct bs_wall_ms accepted_at; /* the last time, the same document again counts */
};

/* Every document in force, ascending by kind and id, as bs_config_each_session_of. */
void bs_config_each(struct bs_config *config,
                    void (*take)(void *context, const struct bs_config_entry *entry),
                    void *context);

/* Of the document in force under that id; not known where it names none or there is none. */
struct bs_document_rev bs_config_rev(const struct bs_config *config, enum bs_kind kind,
                                     struct bs_slice id);

/* Documents in force. */
size_t bs_config_count(const struct bs_config *config);
size_t bs_config_count_kind(const struct bs_config *config, enum bs_kind kind);

/* A JSON array of the documents in force ("kind/id") that were not accepted at `since` or later:
 * the broker does not have them any more, or something else in their place. Ascending as texts, the
 * first BS_CONFIG_ABSENT_MAX of *ret_count. */
void bs_config_write_absent(struct bs_config *config, struct bs_wall_ms since,
                            struct bs_buffer *out, size_t *ret_count);

/* Saves all documents in force, the deleted ones that are remembered and every device that was ever
 * named; or loads them into a config without any. */
void bs_config_snapshot(struct bs_snapshot *s, struct bs_config *config);

#endif
