/* The configuration documents in force: judges every arrival, answers it, and changes whole or not
 * at all. Time comes with the arrival; knows no topics and no steps. */
#ifndef BACKSTEP_CORE_CONFIG_H
#define BACKSTEP_CORE_CONFIG_H

#include "backstep/base/buffer.h"
#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/core/settings.h"

#include <stdbool.h>
#include <stddef.h>

struct bs_config;

/* One message on config/{kind}/{id}; an empty payload deletes. */
struct bs_config_arrival {
    struct bs_slice kind, id, payload; /* id matches bs_slice_is_id */
    /* False only where the publisher is known not to have asked for it: it costs a warning. To a
     * standing subscription a broker passes the flag on only with MQTT 5's Retain As Published;
     * where that is not so, say true. */
    bool retained;
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
    bool settings_changed;  /* some value of bs_config_settings() differs now */
    struct bs_slice result; /* the result document; empty: delete it (UNKNOWN_KIND: there is none).
                               Points into the config until its next call */
};

/* No document is in force: the defaults are. */
enum bs_status bs_config_new(struct bs_config **ret);
void bs_config_free(struct bs_config *config);

void bs_config_arrive(struct bs_config *config, const struct bs_config_arrival *arrival,
                      struct bs_config_outcome *ret);

/* Holds until bs_config_free; its content changes with bs_config_arrive. */
const struct bs_settings *bs_config_settings(const struct bs_config *config);

/* Documents in force. */
size_t bs_config_count(const struct bs_config *config);

/* A JSON array of the documents in force ("kind/id") that did not arrive at `since` or later: they
 * are not on the broker any more. */
void bs_config_write_absent(const struct bs_config *config, struct bs_wall_ms since,
                            struct bs_buffer *out);

#endif
