/* The file configuration (backstepd.conf, INI): every setting is one row of a table (name, type,
 * range, default, sentence) that the sample file and the manual page are checked against. An
 * unknown section or key, a bad value and a missing secret are errors with file and line. */
#ifndef BACKSTEP_EDGE_CONF_H
#define BACKSTEP_EDGE_CONF_H

#include "backstep/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts belong to the struct (bs_conf_fini frees them); NULL where not set and without default.
 * password, token: the content of the file that the *_file key names, one trailing newline removed.
 * Paths are resolved: a relative ca_file, cert_file, key_file, password_file or token_file against
 * $CREDENTIALS_DIRECTORY; a relative directory, dead_letter_file or [output] file against the state
 * folder, which is the first of $STATE_DIRECTORY, else the current folder. */
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
        char *url; /* NULL: no InfluxDB; no slash at its end */
        int api;   /* 1, 2, 3 */
        char *database, *retention_policy, *org, *bucket, *username, *password, *token, *ca_file;
        bool gzip;
        uint32_t batch_points, flush_ms, timeout_ms, outbox_max_mb;
        char *dead_letter_file;
        uint32_t dead_letter_max_mb;
    } influxdb;
    struct {
        char *file; /* NULL: none; never where there is no url */
        uint32_t file_max_mb;
    } output;
    struct {
        int level; /* enum bs_conf_log_level */
        bool json;
    } log;
};

enum bs_conf_type {
    BS_CONF_TEXT,
    BS_CONF_ID,         /* [A-Za-z0-9_-]{1,64} */
    BS_CONF_TOPIC,      /* levels without wildcards, no slash at either end */
    BS_CONF_BROKER,     /* mqtt:// mqtts:// ws:// wss:// */
    BS_CONF_URL,        /* http:// https:// */
    BS_CONF_NUMBER,     /* uint32_t, min..max */
    BS_CONF_CHOICE,     /* int, by word */
    BS_CONF_SWITCH,     /* bool, by word */
    BS_CONF_PATH,       /* of data: relative to the state folder; need not exist */
    BS_CONF_CREDENTIAL, /* path of a file that must be readable */
    BS_CONF_SECRET,     /* such a file's content */
};

struct bs_conf_word {
    const char *word;
    int value;
};

/* One key of the file. */
struct bs_conf_setting {
    const char *section, *key;
    enum bs_conf_type type;
    size_t offset; /* of its value in struct bs_conf; a char * where not said otherwise above */
    uint32_t min, max;
    const struct bs_conf_word *words; /* CHOICE, SWITCH: ends with NULL */
    const char *fallback;             /* as it would stand in the file; NULL: none */
    const char *sentence;
};

const struct bs_conf_setting *bs_conf_settings(size_t *ret_count);

enum bs_conf_log_level { BS_LOG_ERROR, BS_LOG_WARNING, BS_LOG_INFO, BS_LOG_DEBUG };

/* BS_INVALID with "file:line: message" (or "file: message") in ret_error. On failure *ret is as
 * after bs_conf_fini. */
enum bs_status bs_conf_load(struct bs_conf *ret, const char *path, char *ret_error,
                            unsigned ret_error_bytes);
void bs_conf_fini(struct bs_conf *conf);

#endif
