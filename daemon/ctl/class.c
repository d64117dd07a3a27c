/* The members of a simulated class and the heap that puts their contacts in order. Must never
 * depend on how fast these are taken. */
#include "class.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"

#include <stdlib.h>

struct member {
    struct bs_person person;
    struct bs_contact next; /* its time counts from the class's start */
};

struct bs_class {
    struct bs_class_options options;
    int64_t start_ms;
    struct member *members;
    uint32_t *heap; /* members, the one with the earliest next contact first */
};

uint64_t bs_class_seed(uint64_t seed, uint64_t what, uint64_t index)
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
        return t->before != BS_DIRECTION_UNKNOWN ? t->before : t->phases[0].direction;
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
    struct bs_contact *next = &m->next;
    enum bs_direction direction = bs_class_direction(&c->options.timetable, next->event.time_ms);
    next->shifts =
        bs_person_step(&m->person, &c->options.person, direction, &next->event, &next->shift);
}

/* Nobody starts on the same foot at the same moment: the first contact comes some time into the
 * first step. */
static void take_first_step(const struct bs_class *c, struct member *m)
{
    take_step(c, m);
    m->next.event.time_ms = (int64_t)bs_random_below(
        &m->person.walker.random, (uint64_t)m->next.event.value[BS_FIELD_STEP_MS]);
}

static void take_next_step(const struct bs_class *c, struct member *m)
{
    take_step(c, m);
    m->next.event.time_ms += m->next.event.value[BS_FIELD_STEP_MS];
    m->next.number++;
}

static bool earlier(const struct bs_class *c, uint32_t a, uint32_t b)
{
    int64_t at = c->members[a].next.event.time_ms, bt = c->members[b].next.event.time_ms;
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

static void begin(struct bs_class *c)
{
    for (uint32_t i = 0; i < c->options.members; i++) {
        struct member *m = &c->members[i];
        m->next.member = i;
        bs_person_init(&m->person, bs_class_seed(c->options.seed, 'w', i), &c->options.person);
        take_first_step(c, m);
        c->heap[i] = i;
    }
    for (uint32_t i = c->options.members / 2; i-- > 0;)
        sift_down(c, i);
}

enum bs_status bs_class_new(struct bs_class **ret, const struct bs_class_options *options,
                            int64_t start_ms)
{
    bs_check(options->members >= 1 && options->members <= BS_CLASS_MEMBERS_MAX);
    bs_check(options->timetable.count > 0 && round_ms(&options->timetable) > 0);
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
    begin(c);
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

bool bs_class_next(struct bs_class *c, struct bs_contact *ret)
{
    struct member *m = &c->members[c->heap[0]];
    if (c->options.duration_ms > 0 && m->next.event.time_ms >= c->options.duration_ms)
        return false;
    *ret = m->next;
    ret->event.time_ms += c->start_ms;
    take_next_step(c, m);
    sift_down(c, 0);
    return true;
}

double bs_class_retention(const struct bs_class *c, uint32_t member)
{
    bs_check(member < c->options.members);
    return c->members[member].person.walker.retention;
}
