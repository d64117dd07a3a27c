/* The sensors of one person. Must never let one tell more than it can measure. */
#include "sensors.h"

#include "backstep/base/check.h"

#include <string.h>

#define FIELD(name)  (1u << BS_FIELD_##name)
#define ALL_FIELDS   ((1u << BS_FIELD_COUNT) - 1)
#define BELT_FIELDS  (FIELD(STEP_MS) | FIELD(TRUNK_CDEG) | FIELD(VO_MM))
#define WRIST_FIELDS FIELD(STEP_MS)
#define POD_FIELDS                                                                                 \
    (FIELD(STRIDE_MS) | FIELD(CONTACT_MS) | FIELD(STEP_MM) | FIELD(PITCH_CDEG) |                   \
     FIELD(IMPACT_G16) | FIELD(QUALITY))

static void add(struct bs_sensor_set *set, struct bs_sensor sensor)
{
    bs_check(set->count < BS_SENSORS_MAX);
    set->at[set->count++] = sensor;
}

static void add_pods(struct bs_sensor_set *set, const char *kind, unsigned fields, bool direction)
{
    struct bs_sensor pod = {
        .kind = kind, .fields = (uint16_t)fields, .tells_foot = true, .tells_direction = direction};
    pod.letter = 'L';
    pod.suffix = "L";
    pod.foot = BS_FOOT_LEFT;
    add(set, pod);
    pod.letter = 'R';
    pod.suffix = "R";
    pod.foot = BS_FOOT_RIGHT;
    add(set, pod);
}

void bs_sensors_whole(uint32_t devices, struct bs_sensor_set *ret)
{
    bs_check(devices == 1 || devices == 2);
    *ret = (struct bs_sensor_set){0};
    if (devices == 2)
        add_pods(ret, NULL, ALL_FIELDS, true);
    else
        add(ret, (struct bs_sensor){.letter = 'A',
                                    .suffix = "",
                                    .fields = ALL_FIELDS,
                                    .tells_foot = true,
                                    .tells_direction = true});
}

/* Which of the three a list names; 0 where it is not one of these lists. */
enum { TRUNK = 1, PODS = 2, WRIST = 4 };

static unsigned read_names(const char *names)
{
    static const char *const known[] = {"trunk", "pods", "wrist"};
    unsigned found = 0;
    const char *at = names;
    do {
        size_t length = strcspn(at, ",");
        unsigned bit = 0;
        for (unsigned i = 0; i < 3; i++) {
            if (strlen(known[i]) == length && memcmp(at, known[i], length) == 0)
                bit = 1u << i;
        }
        if (bit == 0 || found & bit)
            return 0;
        found |= bit;
        at += length;
    } while (*at++ == ',');
    return found;
}

bool bs_sensors_parse(const char *names, struct bs_sensor_set *ret)
{
    unsigned found = read_names(names);
    struct bs_sensor_set set = {0};
    if (found & TRUNK)
        add(&set, (struct bs_sensor){.letter = 'T',
                                     .suffix = "T",
                                     .kind = "trunk",
                                     .fields = BELT_FIELDS,
                                     .tells_direction = true});
    if (found & PODS)
        add_pods(&set, "foot", POD_FIELDS, !(found & TRUNK));
    if (found & WRIST)
        add(&set, (struct bs_sensor){
                      .letter = 'W', .suffix = "W", .kind = "wrist", .fields = WRIST_FIELDS});
    if (set.count == 0)
        return false;
    *ret = set;
    return true;
}

int bs_sensors_belt(const struct bs_sensor_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->at[i].tells_direction && set->at[i].foot == BS_FOOT_UNKNOWN)
            return (int)i;
    }
    return -1;
}

bool bs_sensor_sees(const struct bs_sensor *s, const struct bs_event *contact, struct bs_event *ret)
{
    if (s->foot != BS_FOOT_UNKNOWN && s->foot != contact->foot)
        return false;
    *ret = *contact;
    ret->known &= s->fields;
    if (!s->tells_foot)
        ret->foot = BS_FOOT_UNKNOWN;
    if (!s->tells_direction)
        ret->direction = BS_DIRECTION_UNKNOWN;
    return true;
}
