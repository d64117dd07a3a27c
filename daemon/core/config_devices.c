/* Which member's document names a device, and whether one ever did. Must never forget a name: its
 * steps would count as a guest's. */
#include "config_parts.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/core/snapshot.h"

#include <stdlib.h>

struct device_name {
    UT_hash_handle hh;
    bool given;                    /* false: reserved only */
    const struct document *wearer; /* NULL: nobody's any more */
    char id[];
};

static unsigned hash_name(const struct bs_config *config, struct bs_slice device)
{
    return (unsigned)bs_hash_bytes(config->seed, device);
}

static struct device_name *find_name(const struct bs_config *config, struct bs_slice device)
{
    struct device_name *name;
    HASH_FIND_BYHASHVALUE(hh, config->devices, device.at, device.length, hash_name(config, device),
                          name);
    return name;
}

static bool add_name(struct bs_config *config, struct bs_slice device)
{
    struct device_name *name = calloc(1, sizeof *name + device.length);
    if (!name)
        return false;
    memcpy(name->id, device.at, device.length);
    struct device_name *added = name;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, config->devices, name->id, device.length,
                                hash_name(config, device), added);
    if (!added) /* uthash found no memory */
        free(name);
    return added;
}

/* Those of the devices that were reserved and not given. */
static void drop_reserved(struct bs_config *config, const struct bs_ids *devices)
{
    for (size_t i = 0; i < devices->count; i++) {
        struct device_name *name = find_name(config, devices->at[i]);
        if (!name || name->given)
            continue;
        HASH_DELETE(hh, config->devices, name); /* NOLINT: it is in the table */
        free(name);
    }
}

enum bs_status bs_config_devices_reserve(struct bs_config *config, const struct bs_ids *devices)
{
    enum bs_status status = BS_OK;
    for (size_t i = 0; i < devices->count && status == BS_OK; i++) {
        if (find_name(config, devices->at[i]))
            continue;
        if (HASH_COUNT(config->devices) >= BS_CONFIG_DEVICES_MAX)
            status = BS_FULL;
        else if (!add_name(config, devices->at[i]))
            status = BS_NO_MEMORY;
    }
    if (status != BS_OK)
        drop_reserved(config, devices);
    return status;
}

void bs_config_devices_give(struct bs_config *config, const struct bs_ids *devices,
                            const struct document *member)
{
    for (size_t i = 0; i < devices->count; i++) {
        struct device_name *name = find_name(config, devices->at[i]);
        bs_check(name && (!name->wearer || name->wearer == member));
        name->given = true;
        name->wearer = member;
    }
}

void bs_config_devices_release(struct bs_config *config, const struct bs_ids *devices,
                               const struct document *member)
{
    for (size_t i = 0; i < devices->count; i++) {
        struct device_name *name = find_name(config, devices->at[i]);
        bs_check(name && name->wearer == member);
        name->wearer = NULL;
    }
}

const struct document *bs_config_devices_wearer(const struct bs_config *config,
                                                struct bs_slice device)
{
    const struct device_name *name = find_name(config, device);
    return name ? name->wearer : NULL;
}

enum bs_naming bs_config_find_device(const struct bs_config *config, struct bs_slice device,
                                     struct bs_slice *ret_member)
{
    const struct device_name *name = find_name(config, device);
    if (!name)
        return BS_NAMING_NEVER;
    if (!name->wearer)
        return BS_NAMING_FORMER;
    *ret_member = document_id(name->wearer);
    return BS_NAMING_MEMBER;
}

static void load_name(struct bs_snapshot *s, struct bs_config *config)
{
    struct bs_slice device = bs_snapshot_text(s, BS_SLICE(""), BS_ID_MAX);
    bs_snapshot_require(s, bs_slice_is_id(device) && !find_name(config, device));
    if (s->failed)
        return;
    if (add_name(config, device))
        find_name(config, device)->given = true;
    else
        bs_snapshot_fail(s, BS_NO_MEMORY);
}

void bs_config_devices_snapshot(struct bs_snapshot *s, struct bs_config *config)
{
    size_t count = bs_snapshot_count(s, HASH_COUNT(config->devices), BS_CONFIG_DEVICES_MAX);
    if (bs_snapshot_loads(s))
        for (size_t i = 0; i < count && !s->failed; i++)
            load_name(s, config);
    else
        for (const struct device_name *name = config->devices; name; name = name->hh.next)
            bs_snapshot_text(s, bs_slice_of(name->id, name->hh.keylen), BS_ID_MAX);
}

void bs_config_devices_free(struct bs_config *config)
{
    struct device_name *name, *next;
    HASH_ITER(hh, config->devices, name, next)
    {
        HASH_DELETE(hh, config->devices, name); /* NOLINT: the next one was taken before */
        free(name);
    }
}
