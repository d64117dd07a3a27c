/* From contacts to readings. Must never let what a device says of a step depend on another one. */
#include "wearables.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER INT64_MAX

struct device {
    struct bs_wearable_course course;
    uint32_t boot, seq; /* of its next reading */
    int64_t powered_up_ms;
};

struct bs_wearables {
    struct bs_wearables_options options;
    struct bs_class *class;
    int64_t start_ms;
    struct bs_random losses;
    struct bs_wearable *identities;
    struct device *devices;
    void (*told)(void *context, const struct bs_contact *contact);
    void *told_context;
    struct bs_reading waiting[BS_SENSORS_MAX]; /* of the last contact */
    uint32_t waiting_at, waiting_count;
    uint64_t sent, lost;
};

uint32_t bs_wearables_count(const struct bs_wearables_options *options)
{
    return options->members * options->sensors.count;
}

void bs_wearables_member(const struct bs_wearables_options *o, uint32_t member,
                         char ret[BS_ID_MAX + 1])
{
    int length = o->devices ? snprintf(ret, BS_ID_MAX + 1, "%s", o->devices[member])
                            : snprintf(ret, BS_ID_MAX + 1, "%s-%03u", o->prefix, member + 1);
    bs_check(length > 0 && length <= BS_ID_MAX);
}

static void identify(struct bs_wearables *w, uint32_t i)
{
    const struct bs_wearables_options *o = &w->options;
    struct bs_wearable *is = &w->identities[i];
    char member[BS_ID_MAX + 1];
    bs_wearables_member(o, i / o->sensors.count, member);
    const char *suffix = o->devices ? "" : o->sensors.at[i % o->sensors.count].suffix;
    int length = snprintf(is->id, sizeof is->id, "%s%s", member, suffix);
    bs_check(length > 0 && (size_t)length < sizeof is->id);
    uint64_t drawn = bs_class_seed(o->seed, bs_hash_mix((uint64_t)w->start_ms), i);
    is->boot = (uint32_t)drawn;
    /* Switched on between one and eleven minutes before the class. */
    is->powered_up_ms = w->start_ms - 60000 - (int64_t)((drawn >> 32) % 600000);
}

static double either_way(struct bs_random *r, double most)
{
    return most * (2 * bs_random_unit(r) - 1);
}

static int64_t within_class(const struct bs_wearables *w, struct bs_random *r, double from,
                            double until)
{
    double share = from + (until - from) * bs_random_unit(r);
    return w->start_ms + (int64_t)((double)w->options.duration_ms * share);
}

static void draw_course(const struct bs_wearables *w, uint32_t i, struct bs_wearable_course *ret)
{
    const struct bs_wearables_options *o = &w->options;
    struct bs_random r;
    bs_random_init(&r, bs_class_seed(o->seed, 'd', i));
    *ret = (struct bs_wearable_course){
        .reset_ms = NEVER, .away_from_ms = NEVER, .away_until_ms = NEVER, .upload_ms = NEVER};
    ret->clock_error_ms = either_way(&r, o->clock_error_ms);
    ret->drift_ppm = either_way(&r, o->drift_ppm);
    bool resets = bs_random_unit(&r) * 100 < o->resets_pct;
    int64_t reset_ms = within_class(w, &r, 0.2, 0.8);
    if (resets)
        ret->reset_ms = reset_ms;
    ret->reset_boot = (uint32_t)bs_class_seed(o->seed, 'b' ^ w->identities[i].boot, i);
    bool late = bs_random_unit(&r) * 100 < o->late_pct;
    int64_t away_ms = within_class(w, &r, 0.2, 0.6);
    if (late && (int)(i % o->sensors.count) == bs_sensors_belt(&o->sensors)) {
        ret->away_from_ms = away_ms;
        ret->away_until_ms = away_ms + o->out_of_reach_ms;
        ret->upload_ms = ret->away_until_ms + o->late_ms;
    }
}

static void begin(struct bs_wearables *w, const struct bs_wearables_options *options)
{
    bs_random_init(&w->losses, bs_class_seed(options->seed, 'l', 0));
    for (uint32_t i = 0; i < bs_wearables_count(options); i++) {
        identify(w, i);
        struct device *d = &w->devices[i];
        draw_course(w, i, &d->course);
        d->boot = w->identities[i].boot;
        d->powered_up_ms = w->identities[i].powered_up_ms;
    }
}

enum bs_status bs_wearables_new(struct bs_wearables **ret,
                                const struct bs_wearables_options *options, struct bs_class *class,
                                int64_t start_ms)
{
    bs_check(options->sensors.count > 0 && (!options->devices || options->sensors.count == 1));
    struct bs_wearables *w = calloc(1, sizeof *w);
    if (!w)
        return BS_NO_MEMORY;
    w->options = *options;
    w->class = class;
    w->start_ms = start_ms;
    w->identities = calloc(bs_wearables_count(options), sizeof *w->identities);
    w->devices = calloc(bs_wearables_count(options), sizeof *w->devices);
    if (!w->identities || !w->devices) {
        bs_wearables_free(w);
        return BS_NO_MEMORY;
    }
    begin(w, options);
    *ret = w;
    return BS_OK;
}

void bs_wearables_free(struct bs_wearables *w)
{
    if (!w)
        return;
    free(w->identities);
    free(w->devices);
    free(w);
}

void bs_wearables_tell(struct bs_wearables *w,
                       void (*told)(void *context, const struct bs_contact *contact), void *context)
{
    w->told = told;
    w->told_context = context;
}

static void lose_power(struct device *d)
{
    d->boot = d->course.reset_boot;
    d->seq = 0;
    d->powered_up_ms = d->course.reset_ms;
}

/* Since power-up a clock that drifts runs that much fast; one that tells Unix time was set when the
 * class began. */
static int64_t device_time(const struct bs_wearables *w, const struct device *d, int64_t ms)
{
    double drift = d->course.drift_ppm * 1e-6;
    if (w->options.up) {
        int64_t up_ms = ms - d->powered_up_ms;
        return up_ms + llround((double)up_ms * drift);
    }
    return ms + llround(d->course.clock_error_ms + (double)(ms - w->start_ms) * drift);
}

/* False where it is lost on the way, or the sensor did not notice the contact. */
static bool read_contact(struct bs_wearables *w, uint32_t i, const struct bs_sensor *sensor,
                         const struct bs_contact *contact, struct bs_reading *ret)
{
    struct device *d = &w->devices[i];
    if (!bs_sensor_sees(sensor, &contact->event, &ret->event))
        return false;
    int64_t ms = contact->event.time_ms;
    if (ms >= d->course.reset_ms && d->boot != d->course.reset_boot)
        lose_power(d);
    ret->wearable = i;
    ret->boot = d->boot;
    ret->made_ms = ms;
    ret->kept = ms >= d->course.away_from_ms && ms < d->course.away_until_ms;
    ret->upload_ms = d->course.upload_ms;
    ret->event.contact = contact->number;
    ret->event.seq = d->seq++;
    ret->event.time_ms = device_time(w, d, ms);
    bool lost = bs_random_unit(&w->losses) * 100 < w->options.loss_pct;
    w->lost += lost;
    return !lost;
}

static void read_all(struct bs_wearables *w, const struct bs_contact *contact)
{
    const struct bs_sensor_set *set = &w->options.sensors;
    w->waiting_at = w->waiting_count = 0;
    if (w->told)
        w->told(w->told_context, contact);
    for (uint32_t i = 0; i < set->count; i++) {
        if (read_contact(w, contact->member * set->count + i, &set->at[i], contact,
                         &w->waiting[w->waiting_count]))
            w->waiting_count++;
    }
}

bool bs_wearables_next(void *context, struct bs_reading *ret)
{
    struct bs_wearables *w = context;
    struct bs_contact contact;
    if (w->options.steps_max > 0 && w->sent >= w->options.steps_max)
        return false;
    while (w->waiting_at == w->waiting_count) {
        if (!bs_class_next(w->class, &contact))
            return false;
        read_all(w, &contact);
    }
    *ret = w->waiting[w->waiting_at++];
    w->sent++;
    return true;
}

uint64_t bs_wearables_lost(const struct bs_wearables *w)
{
    return w->lost;
}

const struct bs_wearable *bs_wearables_identities(const struct bs_wearables *w)
{
    return w->identities;
}

const struct bs_wearable_course *bs_wearables_course(const struct bs_wearables *w, uint32_t i)
{
    bs_check(i < bs_wearables_count(&w->options));
    return &w->devices[i].course;
}
