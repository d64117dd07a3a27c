/* The wearables of a class: each member's sensors with their own ids, clocks and numbers, and what
 * becomes of a contact in each of them: a reading, one that is lost, or one that is kept for later.
 * Deterministic for its options. */
#ifndef BACKSTEP_CTL_WEARABLES_H
#define BACKSTEP_CTL_WEARABLES_H

#include "class.h"
#include "reading.h"
#include "sensors.h"
#include "truth.h"

#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_WEARABLES_PREFIX_MAX 48 /* leaves room for the number and the suffix within an id */

/* Shares are in percent of the members, or of the devices. */
struct bs_wearables_options {
    struct bs_sensor_set sensors;
    uint32_t members;
    const char *const *devices; /* a name for each member's one device; NULL: made of the prefix */
    const char *prefix;
    uint64_t seed;
    int64_t duration_ms;              /* of the class; only resets and belts out of reach need it */
    uint64_t steps_max;               /* readings in total; 0: as the class has contacts */
    bool up;                          /* times are since power-up, else Unix time */
    double loss_pct;                  /* readings that are never sent */
    double clock_error_ms, drift_ppm; /* at most, either way */
    double resets_pct;                /* devices that lose their power once */
    double late_pct;                  /* members whose belt is out of reach once */
    int64_t out_of_reach_ms;          /* how long */
    int64_t late_ms;                  /* how long after it is back it uploads what it kept */
};

/* What is decided of a device before it takes its first step; times are Unix time, INT64_MAX where
 * it does not happen. */
struct bs_wearable_course {
    double clock_error_ms, drift_ppm;
    int64_t reset_ms;
    uint32_t reset_boot; /* the boot from then on */
    int64_t away_from_ms, away_until_ms, upload_ms;
};

struct bs_wearables;

/* The class must live as long. */
enum bs_status bs_wearables_new(struct bs_wearables **ret,
                                const struct bs_wearables_options *options, struct bs_class *class,
                                int64_t start_ms);
void bs_wearables_free(struct bs_wearables *w);

/* `told` (NULL: nobody) learns of every contact before its readings come. */
void bs_wearables_tell(struct bs_wearables *w,
                       void (*told)(void *context, const struct bs_contact *contact),
                       void *context);

/* The next reading that is sent, in order of time; false where the class is over. `context` is the
 * wearables; a bs_source. */
bool bs_wearables_next(void *context, struct bs_reading *ret);

/* Readings that were never sent. */
uint64_t bs_wearables_lost(const struct bs_wearables *w);

/* Wearable i is that of sensor i % (sensors of a member) of member i / that. */
uint32_t bs_wearables_count(const struct bs_wearables_options *options);

/* As they were when the class began: _count of each. With another seed or start a device draws
 * another boot, so that runs minutes apart are not each other's duplicates. */
const struct bs_wearable *bs_wearables_identities(const struct bs_wearables *w);
const struct bs_wearable_course *bs_wearables_course(const struct bs_wearables *w, uint32_t i);

/* The member's id in documents and in the truth: PREFIX-NNN, or the name of the device where
 * devices are named. */
void bs_wearables_member(const struct bs_wearables_options *options, uint32_t member,
                         char ret[BS_ID_MAX + 1]);

#endif
