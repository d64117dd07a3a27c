/* The table of what a run is set to, and edge/conf by it. Must never read a file. */
#include "settings.h"

#include "backstep/base/check.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

struct setting {
    const char *name, *sentence;
    size_t offset;
    uint32_t value, min, max;
};

static const struct setting table[] = {
#define SIM_SETTING_ROW(field, name, value, min, max, sentence)                                    \
    {name, sentence, offsetof(struct sim_settings, field), value, min, max},
    SIM_SETTINGS(SIM_SETTING_ROW)
#undef SIM_SETTING_ROW
};

#define SETTING_COUNT (sizeof table / sizeof table[0])

static uint32_t *place_of(struct sim_settings *s, const struct setting *row)
{
    return (uint32_t *)(void *)((char *)s + row->offset);
}

void sim_settings_reset(struct sim_settings *s)
{
    s->conf_broken = false;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        *place_of(s, &table[i]) = table[i].value;
}

bool sim_settings_set(struct sim_settings *s, const char *name, uint32_t value)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(table[i].name, name) != 0)
            continue;
        if (value < table[i].min || value > table[i].max)
            return false;
        *place_of(s, &table[i]) = value;
        return true;
    }
    return false;
}

void sim_settings_print(FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(out, "  %-28s %u (%u..%u) %s\n", table[i].name, table[i].value, table[i].min,
                table[i].max, table[i].sentence);
}

static char *copy(const char *text)
{
    char *c = strdup(text);
    bs_check(c);
    return c;
}

void sim_settings_fill(const struct sim_settings *s, struct bs_conf *ret)
{
    *ret = (struct bs_conf){
        .site = {.id = copy(SIM_SITE), .instance = copy("backstepd")},
        .mqtt = {.uri = copy("mqtt://broker:1883"),
                 .version = (int)s->mqtt_version,
                 .client_id = copy("backstepd-" SIM_SITE),
                 .topic_root = copy("backstep/v1"),
                 .session_expiry_s = 604800,
                 .receive_maximum = s->mqtt_receive_maximum,
                 .keepalive_s = s->mqtt_keepalive_s},
        .journal = {.directory = copy("state"),
                    .segment_mb = s->journal_segment_mb,
                    .max_mb = s->journal_max_mb,
                    .sync_ms = s->journal_sync_ms,
                    .snapshot_s = s->journal_snapshot_s},
        .influxdb = {.url = s->influxdb_used ? copy("http://database:8086") : NULL,
                     .api = (int)s->influxdb_api,
                     .database = copy("backstep"),
                     .batch_points = s->influxdb_batch_points,
                     .flush_ms = s->influxdb_flush_ms,
                     .timeout_ms = s->influxdb_timeout_ms,
                     .outbox_max_mb = s->influxdb_outbox_max_mb,
                     .dead_letter_file = copy("dead-letters.jsonl"),
                     .dead_letter_max_mb = s->influxdb_dead_letter_max_mb},
        .output = {.file = s->output_used || !s->influxdb_used ? copy("points.lp") : NULL,
                   .file_max_mb = s->output_file_max_mb},
        .log = {.level = BS_LOG_INFO},
    };
}

enum bs_status bs_conf_load(struct bs_conf *ret, const char *path, char *ret_error,
                            unsigned ret_error_bytes)
{
    if (world->settings.conf_broken) {
        snprintf(ret_error, ret_error_bytes, "%s:1: it is broken", path);
        return BS_INVALID;
    }
    sim_settings_fill(&world->settings, ret);
    return BS_OK;
}

void bs_conf_fini(struct bs_conf *c)
{
    free(c->site.id);
    free(c->site.instance);
    free(c->mqtt.uri);
    free(c->mqtt.client_id);
    free(c->mqtt.topic_root);
    free(c->journal.directory);
    free(c->influxdb.url);
    free(c->influxdb.database);
    free(c->influxdb.dead_letter_file);
    free(c->output.file);
    *c = (struct bs_conf){0};
}
