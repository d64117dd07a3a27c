/* The documents that a class of simulated members needs: settings, one group, its drill, the
 * members with their devices, and the session that is on. */
#ifndef BACKSTEP_CTL_CLASS_DOCUMENTS_H
#define BACKSTEP_CTL_CLASS_DOCUMENTS_H

#include "class.h"
#include "parcel.h"
#include "wearables.h"

#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_class_documents {
    const struct bs_class_options *class;
    const struct bs_wearables_options *wearables;
    const struct bs_wearables *worn;
    int64_t start_ms;
    double group_consent_pct; /* members whose consent is `group`; the others' is `member` */
    bool guests;              /* no document names a device: each is a guest */
};

/* "member" or "group". Context: a struct bs_class_documents. */
const char *bs_class_documents_consent(const void *context, uint32_t member);

/* Why there can be no drill of these phases, or NULL where there can: it has whole seconds and an
 * end. */
const char *bs_class_documents_trouble(const struct bs_class_timetable *t);

/* Delivers them in an order in which none names one that comes later; topics are below the site. */
enum bs_status bs_class_documents_send(const struct bs_class_documents *d,
                                       const struct bs_sink *to);

#endif
