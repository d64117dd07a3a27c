/* The file configuration (backstepd.conf, INI): every setting is one row of BS_CONF_SETTINGS in
 * edge/conf.c's table (name, type, range, default, sentence); an unknown section or key, a bad
 * value and a missing secret are errors with file and line. */
#ifndef BACKSTEP_EDGE_CONF_H
#define BACKSTEP_EDGE_CONF_H

#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Texts belong to the struct (bs_conf_fini frees them); NULL where not set and without default.
 * password, token: the content of the file that the *_file key names, one trailing newline removed.
 * *_file paths are resolved: a relative secret against $CREDENTIALS_DIRECTORY. */
struct bs_conf {
    struct {
        char *id, *instance;
    } site;
    struct {
        char *uri;
        int version; /* 5 or 311 */
        char *client_id, *username, *password;
        char *ca_file, *cert_file, *key_file, *topic_root;
        uint32_t session_expiry_s, receive_maximum, keepalive_s;
    } mqtt;
    struct {
        char *directory; /* resolved: the state folder where not set */
        uint32_t segment_mb, max_mb, sync_ms, snapshot_s;
    } journal;
    struct {
        char *url; /* NULL: no InfluxDB */
        int api;   /* 1, 2, 3 */
        char *database, *retention_policy, *org, *bucket, *username, *password, *token, *ca_file;
        bool gzip;
        uint32_t batch_points, flush_ms, timeout_ms, outbox_max_mb;
        char *dead_letter_file;
        uint32_t dead_letter_max_mb;
    } influxdb;
    struct {
        char *
            file; /* resolved default: points.lp in the state folder where there is no url either */
        uint32_t file_max_mb;
    } output;
    struct {
        int level; /* enum bs_conf_log_level */
        bool json;
    } log;
};

enum bs_conf_log_level { BS_LOG_ERROR, BS_LOG_WARNING, BS_LOG_INFO, BS_LOG_DEBUG };

/* BS_INVALID with "file:line: message" (or "file: message") in ret_error. On failure *ret is as
 * after bs_conf_fini. */
enum bs_status bs_conf_load(struct bs_conf *ret, const char *path, char *ret_error,
                            unsigned ret_error_bytes);
void bs_conf_fini(struct bs_conf *conf);

#endif
