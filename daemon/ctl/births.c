/* Birth messages. Must never tell what a device of that kind would not know of itself. */
#include "births.h"

#include "backstep/base/buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BIRTH_BYTES_MAX 1024u
#define BATTERY_LOW_PCT 30u

static void write_birth(const struct bs_sensor *sensor, uint64_t drawn, struct bs_buffer *to)
{
    bs_buffer_reset(to);
    bs_buffer_add_format(to, "{\"kind\":\"%s\"", sensor->kind);
    if (sensor->foot != BS_FOOT_UNKNOWN)
        bs_buffer_add_format(to, ",\"side\":\"%c\"", sensor->foot == BS_FOOT_LEFT ? 'L' : 'R');
    bs_buffer_add_format(to, ",\"model\":\"simulated\",\"battery_pct\":%" PRIu64 "}",
                         BATTERY_LOW_PCT + drawn % (101 - BATTERY_LOW_PCT));
}

static enum bs_status send_one(struct bs_births *b, const char *prefix, const char *device,
                               const struct bs_buffer *payload, const struct bs_sink *to)
{
    char *topic = NULL;
    if (payload->failed || asprintf(&topic, "%s%s/birth", prefix, device) < 0)
        return BS_NO_MEMORY;
    b->topics[b->count++] = topic;
    return to->deliver(
        to->context,
        &(struct bs_parcel){.topic = topic, .retained = true, .payload = bs_buffer_slice(payload)});
}

enum bs_status bs_births_send(struct bs_births *b, const struct bs_wearables_options *options,
                              const struct bs_wearables *wearables, const char *topic,
                              const struct bs_sink *to)
{
    uint32_t count = bs_wearables_count(options);
    struct bs_buffer payload;
    b->topics = calloc(count, sizeof *b->topics);
    if (!b->topics)
        return BS_NO_MEMORY;
    bs_buffer_init(&payload, BIRTH_BYTES_MAX);
    enum bs_status status = BS_OK;
    for (uint32_t i = 0; status == BS_OK && i < count; i++) {
        const struct bs_sensor *sensor = &options->sensors.at[i % options->sensors.count];
        if (!sensor->kind)
            continue;
        write_birth(sensor, bs_class_seed(options->seed, 'y', i), &payload);
        status = send_one(b, topic, bs_wearables_identities(wearables)[i].id, &payload, to);
    }
    bs_buffer_fini(&payload);
    return status;
}

void bs_births_fini(struct bs_births *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        free(b->topics[i]);
    free(b->topics);
    *b = (struct bs_births){0};
}
