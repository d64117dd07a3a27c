/* Reading birth messages. Must never let an odd one change what is known of a device. */
#include "backstep/core/birth.h"

#include <cjson/cJSON.h>

#define BIRTH_BYTES_MAX 4096

static enum bs_status read_side(const cJSON *birth, enum bs_foot *ret_side)
{
    const cJSON *side = cJSON_GetObjectItemCaseSensitive(birth, "side");
    if (!side) {
        *ret_side = BS_FOOT_UNKNOWN;
        return BS_OK;
    }
    if (!cJSON_IsString(side) || !side->valuestring[0] || side->valuestring[1])
        return BS_INVALID;
    if (side->valuestring[0] != 'L' && side->valuestring[0] != 'R')
        return BS_INVALID;
    *ret_side = side->valuestring[0] == 'L' ? BS_FOOT_LEFT : BS_FOOT_RIGHT;
    return BS_OK;
}

enum bs_status bs_birth_parse(struct bs_slice payload, enum bs_foot *ret_side)
{
    if (payload.length == 0) {
        *ret_side = BS_FOOT_UNKNOWN;
        return BS_OK;
    }
    if (payload.length > BIRTH_BYTES_MAX)
        return BS_INVALID;
    cJSON *birth = cJSON_ParseWithLengthOpts(payload.at, payload.length, NULL, 0);
    enum bs_status status = cJSON_IsObject(birth) ? read_side(birth, ret_side) : BS_INVALID;
    cJSON_Delete(birth);
    return status;
}
