/* The engine: a pure fold over the intake log's records. The same records give the same effects,
 * byte for byte, live or replayed. No I/O, no clock: time arrives in the record. */
#ifndef BACKSTEP_CORE_ENGINE_H
#define BACKSTEP_CORE_ENGINE_H

#include "backstep/base/buffer.h"
#include "backstep/base/record.h"
#include "backstep/base/sink.h"
#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/core/books.h"
#include "backstep/core/effects.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_config;
struct bs_engine;

struct bs_engine_options {
    struct bs_slice topic_root; /* "backstep/v1" */
    struct bs_slice site;
};

/* What the engine holds, for the service document. */
struct bs_engine_held {
    uint32_t members, devices, windows;
};

enum bs_status bs_engine_new(struct bs_engine **ret, const struct bs_engine_options *options);
void bs_engine_free(struct bs_engine *e);

/* The whole state, between two records, as a snapshot (core/snapshot.h); changes nothing. BS_IO
 * where the sink takes no more, BS_NO_MEMORY. */
enum bs_status bs_engine_save(struct bs_engine *e, const struct bs_sink *sink);

/* An engine that goes on as the one that was saved would, effect for effect. BS_CORRUPT where the
 * state is none, BS_REFUSED where it is another site's; BS_NO_MEMORY. */
enum bs_status bs_engine_load(struct bs_engine **ret, const struct bs_engine_options *options,
                              struct bs_slice state, uint32_t format);

/* Folds one record: first fires the deadlines at or before its tick, then takes what it says.
 * BS_CORRUPT where the body is not what its type demands; the fold goes on without it. */
enum bs_status bs_engine_step(struct bs_engine *e, const struct bs_record *r,
                              const struct bs_effects *effects);

/* When a tick record is due at the latest; BS_NEVER_MS: nothing waits for time. */
struct bs_tick_ms bs_engine_deadline(const struct bs_engine *e);

const struct bs_books *bs_engine_books(const struct bs_engine *e);
void bs_engine_get_held(const struct bs_engine *e, struct bs_engine_held *ret);

/* Documents in force; with none the daemon asks the broker for them before it takes a step. */
size_t bs_engine_documents(const struct bs_engine *e);

/* The configuration in force, to be asked and not to be changed. */
struct bs_config *bs_engine_config(const struct bs_engine *e);

/* wall time − tick, as the records have set it. */
int64_t bs_engine_offset_ms(const struct bs_engine *e);

/* The median of (arrival − `t`) over the devices of the last minute; false where they are fewer
 * than three. */
bool bs_engine_median_delay(const struct bs_engine *e, struct bs_tick_ms now, int64_t *ret_ms);

#endif
