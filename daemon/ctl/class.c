/* The members of a simulated class and the heap that puts their steps in order. Must never depend
 * on how fast its steps are taken. */
#include "class.h"

#include "gait_model.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"

#include <stdio.h>
#include <stdlib.h>

struct member {
    struct bs_gait_walker walker;
    struct bs_event next; /* time_ms counts from the class's start */
    uint32_t seq[2];      /* of each device's next step */
};

struct bs_class {
    struct bs_class_options options;
    int64_t start_ms;
    struct bs_random losses;
    struct member *members;
    uint32_t *heap; /* members, the one with the earliest next step first */
    uint64_t sent, lost;
};

static uint64_t draw_seed(uint64_t seed, uint64_t what, uint64_t index)
{
    return bs_hash_mix(bs_hash_mix(seed * 0x9e3779b97f4a7c15u + what) + index);
}

static int64_t round_ms(const struct bs_class_timetable *t)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < t->count; i++)
        sum += t->phases[i].length_ms;
    return sum;
}

enum bs_direction bs_class_direction(const struct bs_class_timetable *t, int64_t ms)
{
    int64_t round = round_ms(t), into = ms + t->ahead_ms;
    bs_check(round > 0);
    if (into < 0)
        return t->phases[0].direction;
    if (t->repeat > 0 && into / round >= t->repeat)
        return t->phases[t->count - 1].direction;
    into %= round;
    uint32_t i = 0;
    for (; into >= t->phases[i].length_ms; i++)
        into -= t->phases[i].length_ms;
    return t->phases[i].direction;
}

static void take_step(const struct bs_class *c, struct member *m)
{
    bs_gait_walker_step(&m->walker, bs_class_direction(&c->options.timetable, m->next.time_ms),
                        &m->next);
    m->next.time_ms += m->next.value[BS_FIELD_STEP_MS];
}

/* Nobody starts on the same foot at the same moment: the first contact comes some time into the
 * first step. */
static void take_first_step(const struct bs_class *c, struct member *m)
{
    bs_gait_walker_step(&m->walker, bs_class_direction(&c->options.timetable, 0), &m->next);
    m->next.time_ms =
        (int64_t)bs_random_below(&m->walker.random, (uint64_t)m->next.value[BS_FIELD_STEP_MS]);
}

static bool earlier(const struct bs_class *c, uint32_t a, uint32_t b)
{
    int64_t at = c->members[a].next.time_ms, bt = c->members[b].next.time_ms;
    return at != bt ? at < bt : a < b;
}

static void sift_down(struct bs_class *c, uint32_t at)
{
    uint32_t moving = c->heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= c->options.members)
            break;
        if (child + 1 < c->options.members && earlier(c, c->heap[child + 1], c->heap[child]))
            child++;
        if (!earlier(c, c->heap[child], moving))
            break;
        c->heap[at] = c->heap[child];
        at = child;
    }
    c->heap[at] = moving;
}

enum bs_status bs_class_new(struct bs_class **ret, const struct bs_class_options *options,
                            int64_t start_ms)
{
    bs_check(options->members >= 1 && options->members <= BS_CLASS_MEMBERS_MAX);
    bs_check(options->timetable.count > 0 && round_ms(&options->timetable) > 0);
    bs_check(!options->devices || options->devices_each == 1);
    struct bs_class *c = calloc(1, sizeof *c);
    if (!c)
        return BS_NO_MEMORY;
    c->options = *options;
    c->start_ms = start_ms;
    c->members = calloc(options->members, sizeof *c->members);
    c->heap = calloc(options->members, sizeof *c->heap);
    if (!c->members || !c->heap) {
        bs_class_free(c);
        return BS_NO_MEMORY;
    }
    bs_random_init(&c->losses, draw_seed(options->seed, 'l', 0));
    for (uint32_t i = 0; i < options->members; i++) {
        bs_gait_walker_init(&c->members[i].walker, draw_seed(options->seed, 'w', i),
                            options->pace_spm);
        take_first_step(c, &c->members[i]);
        c->heap[i] = i;
    }
    for (uint32_t i = options->members / 2; i-- > 0;)
        sift_down(c, i);
    *ret = c;
    return BS_OK;
}

void bs_class_free(struct bs_class *c)
{
    if (!c)
        return;
    free(c->members);
    free(c->heap);
    free(c);
}

static bool is_over(const struct bs_class *c, int64_t time_ms)
{
    return c->options.steps_max > 0 ? c->sent >= c->options.steps_max
                                    : time_ms >= c->options.duration_ms;
}

bool bs_class_next(void *context, uint32_t *ret_wearable, struct bs_event *ret)
{
    struct bs_class *c = context;
    for (;;) {
        uint32_t first = c->heap[0];
        struct member *m = &c->members[first];
        if (is_over(c, m->next.time_ms))
            return false;
        uint32_t device = c->options.devices_each == 2 && m->next.foot == BS_FOOT_RIGHT;
        bool lost = bs_random_unit(&c->losses) * 100 < c->options.loss_pct;
        *ret = m->next;
        ret->time_ms += c->start_ms;
        ret->seq = m->seq[device]++;
        *ret_wearable = first * c->options.devices_each + device;
        take_step(c, m);
        sift_down(c, 0);
        if (!lost) {
            c->sent++;
            return true;
        }
        c->lost++;
    }
}

uint64_t bs_class_lost(const struct bs_class *c)
{
    return c->lost;
}

uint32_t bs_class_wearable_count(const struct bs_class_options *options)
{
    return options->members * options->devices_each;
}

static void name_wearable(const struct bs_class_options *o, uint32_t i, char ret[BS_ID_MAX + 1])
{
    static const char *const sides[] = {"L", "R"};
    const char *side = o->devices_each == 2 ? sides[i % 2] : "";
    int length = o->devices ? snprintf(ret, BS_ID_MAX + 1, "%s", o->devices[i])
                            : snprintf(ret, BS_ID_MAX + 1, "%s-%03u%s", o->prefix,
                                       i / o->devices_each + 1, side);
    bs_check(length > 0 && length <= BS_ID_MAX);
}

void bs_class_wearable(const struct bs_class_options *options, uint32_t i, int64_t start_ms,
                       struct bs_wearable *ret)
{
    name_wearable(options, i, ret->id);
    uint64_t drawn = draw_seed(options->seed, bs_hash_mix((uint64_t)start_ms), i);
    ret->boot = (uint32_t)drawn;
    /* Switched on between one and eleven minutes before the class. */
    ret->powered_up_ms = start_ms - 60000 - (int64_t)((drawn >> 32) % 600000);
}
