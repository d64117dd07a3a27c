/* What a run is set to before it begins: the daemon's file configuration, and numbers of the world.
 * `set NAME VALUE` in a scenario; the table is the only list of them. */
#ifndef BACKSTEP_SIM_SETTINGS_H
#define BACKSTEP_SIM_SETTINGS_H

#include "backstep/edge/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* X(field, name, default, min, max, sentence) */
#define SIM_SETTINGS(X)                                                                            \
    X(mqtt_version, "mqtt.version", 5, 5, 311, "5 or 311")                                         \
    X(mqtt_receive_maximum, "mqtt.receive_maximum", 20, 1, 8192, "messages in flight")             \
    X(mqtt_keepalive_s, "mqtt.keepalive_s", 30, 1, 65535, "")                                      \
    X(journal_segment_mb, "journal.segment_mb", 1, 1, 1024, "")                                    \
    X(journal_max_mb, "journal.max_mb", 64, 3, 1024, "")                                           \
    X(journal_sync_ms, "journal.sync_ms", 200, 0, 10000, "0: before each acknowledgement")         \
    X(journal_snapshot_s, "journal.snapshot_s", 60, 1, 86400, "")                                  \
    X(influxdb_api, "influxdb.api", 1, 1, 3, "")                                                   \
    X(influxdb_batch_points, "influxdb.batch_points", 5000, 1, 100000, "")                         \
    X(influxdb_flush_ms, "influxdb.flush_ms", 1000, 0, 60000, "")                                  \
    X(influxdb_timeout_ms, "influxdb.timeout_ms", 10000, 100, 600000, "")                          \
    X(influxdb_outbox_max_mb, "influxdb.outbox_max_mb", 16, 2, 1024, "")                           \
    X(influxdb_dead_letter_max_mb, "influxdb.dead_letter_max_mb", 4, 1, 1024, "")                  \
    X(influxdb_used, "influxdb.used", 1, 0, 1, "0: none, the file only")                           \
    X(output_used, "output.used", 0, 0, 1, "1: points.lp, too")                                    \
    X(output_file_max_mb, "output.file_max_mb", 64, 1, 1024, "")                                   \
    X(intake_segment_bytes, "intake.segment_bytes", 0, 0, 1 << 30,                                 \
      "instead of segment_mb; 0: not")                                                             \
    X(intake_max_bytes, "intake.max_bytes", 0, 0, 1 << 30, "instead of max_mb; 0: not")            \
    X(outbox_segment_bytes, "outbox.segment_bytes", 0, 0, 1 << 30,                                 \
      "instead of a sixteenth of outbox_max_mb; 0: not")                                           \
    X(outbox_max_bytes, "outbox.max_bytes", 0, 0, 1 << 30, "instead of outbox_max_mb; 0: not")     \
    X(network_least_us, "network.least_us", 500, 1, 10000000, "latency of every link")             \
    X(network_most_us, "network.most_us", 5000, 1, 10000000, "")                                   \
    X(lost_ack_per_mille, "network.lost_ack_per_mille", 0, 0, 900,                                 \
      "of wearables: they publish once more")                                                      \
    X(disk_sync_least_us, "disk.sync_least_us", 500, 1, 60000000, "how long a sync takes")         \
    X(disk_sync_most_us, "disk.sync_most_us", 20000, 1, 60000000, "")                              \
    X(fold_us, "daemon.fold_us", 2, 0, 1000000, "what a record takes to be folded")                \
    X(queue_max, "broker.queue_max", 1000000, 1, 1000000, "of the session's messages")             \
    X(settle_s, "run.settle_s", 330, 0, 1000000, "how long after the last step its rows are final")

struct sim_settings {
#define SIM_SETTING_FIELD(field, name, value, min, max, sentence) uint32_t field;
    SIM_SETTINGS(SIM_SETTING_FIELD)
#undef SIM_SETTING_FIELD
    bool conf_broken; /* the file cannot be read again */
};

void sim_settings_reset(struct sim_settings *s);

/* False where there is no such name, or the value is out of its range. */
bool sim_settings_set(struct sim_settings *s, const char *name, uint32_t value);

/* The table, for people. */
void sim_settings_print(FILE *out);

/* The daemon's configuration by them; its texts belong to it. */
void sim_settings_fill(const struct sim_settings *s, struct bs_conf *ret);

#define SIM_SITE "gym"
#define SIM_ROOT "backstep/v1/" SIM_SITE

#endif
