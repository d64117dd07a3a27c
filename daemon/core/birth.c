/* Reading birth messages. Must never let an odd one change what is known of a device. */
#include "backstep/core/birth.h"

#include "backstep/core/snapshot.h"

#include <cjson/cJSON.h>
#include <string.h>

#define BIRTH_BYTES_MAX 4096

static const char *const kinds[] = {[BS_SENSOR_FOOT] = "foot",
                                    [BS_SENSOR_TRUNK] = "trunk",
                                    [BS_SENSOR_WRIST] = "wrist",
                                    [BS_SENSOR_CHEST] = "chest"};
static const char *const sides[] = {[BS_FOOT_LEFT] = "L", [BS_FOOT_RIGHT] = "R"};

/* The place of the key's text among `names`, 0 where the key is not there; false where it is
 * anything else. */
static bool read_name(const cJSON *birth, const char *key, const char *const *names, size_t count,
                      size_t *ret)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(birth, key);
    size_t i = 0;
    if (item) {
        if (!cJSON_IsString(item))
            return false;
        for (i = 1; i < count && strcmp(item->valuestring, names[i]) != 0; i++)
            ;
    }
    *ret = i;
    return i < count;
}

static int read_battery(const cJSON *birth)
{
    const cJSON *battery = cJSON_GetObjectItemCaseSensitive(birth, "battery_pct");
    if (!cJSON_IsNumber(battery) || !(battery->valuedouble >= 0 && battery->valuedouble <= 100))
        return -1;
    return (int)battery->valuedouble;
}

static enum bs_status read_birth(const cJSON *birth, struct bs_birth *ret)
{
    size_t kind, side;
    if (!cJSON_IsObject(birth) ||
        !read_name(birth, "kind", kinds, sizeof kinds / sizeof *kinds, &kind) ||
        !read_name(birth, "side", sides, sizeof sides / sizeof *sides, &side))
        return BS_INVALID;
    *ret = (struct bs_birth){(enum bs_sensor_kind)kind, (enum bs_foot)side, read_battery(birth)};
    return BS_OK;
}

enum bs_status bs_birth_parse(struct bs_slice payload, struct bs_birth *ret)
{
    if (payload.length == 0) {
        *ret = (struct bs_birth){.battery_pct = -1};
        return BS_OK;
    }
    if (payload.length > BIRTH_BYTES_MAX)
        return BS_INVALID;
    cJSON *birth = cJSON_ParseWithLengthOpts(payload.at, payload.length, NULL, 0);
    enum bs_status status = read_birth(birth, ret);
    cJSON_Delete(birth);
    return status;
}

void bs_birth_snapshot(struct bs_snapshot *s, struct bs_birth *b)
{
    b->kind = (enum bs_sensor_kind)bs_snapshot_u32(s, b->kind, BS_SENSOR_KINDS - 1);
    b->side = (enum bs_foot)bs_snapshot_u32(s, b->side, BS_FOOT_RIGHT);
    b->battery_pct = (int)bs_snapshot_between(s, b->battery_pct, -1, 100);
}
