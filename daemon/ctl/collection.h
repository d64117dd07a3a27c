/* What the broker keeps for whoever subscribes: the retained messages of some filters, all of them.
 *
 * MQTT does not say when the last one has come. So the filters are subscribed twice: a broker hands
 * over in order, and once every topic has come for the second time the first round was complete,
 * however long it took. Only that there is nothing at all is told by silence. */
#ifndef BACKSTEP_CTL_COLLECTION_H
#define BACKSTEP_CTL_COLLECTION_H

#include "broker.h"

#include "backstep/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

struct bs_retained {
    char *rest; /* of the topic, below the site */
    struct bs_buffer payload;
    unsigned times;
    UT_hash_handle hh;
};

struct bs_collection {
    struct bs_retained *by_rest; /* once gathered in the order of their topics */
    size_t count, bytes;
    char trouble[256];
};

/* Gathers them from the broker; the filters stand below the site. Done as soon as `enough` (0: no
 * number is) have come. BS_FULL: more than BS_COLLECTION_BYTES_MAX; bs_broker_explain knows the
 * others. Fini in any case. */
#define BS_COLLECTION_BYTES_MAX (1024u * 1024 * 1024)
enum bs_status bs_collection_gather(struct bs_collection *ret, const struct bs_broker *broker,
                                    struct bs_progress *progress, const char *const *filters,
                                    size_t filter_count, size_t enough);
void bs_collection_fini(struct bs_collection *collection);

/* NULL: it is not there. */
const struct bs_retained *bs_collection_find(const struct bs_collection *collection,
                                             const char *rest);

#endif
