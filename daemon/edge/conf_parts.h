/* What the parts of the conf module share among themselves; nothing outside includes it. */
#ifndef BACKSTEP_DAEMON_EDGE_CONF_PARTS_H
#define BACKSTEP_DAEMON_EDGE_CONF_PARTS_H

#include "backstep/base/slice.h"
#include "backstep/edge/conf.h"

/* As many as the table has, at least; checked where it is used. */
#define CONF_SETTINGS_MAX 48

/* A reason, without file and line. */
#define CONF_WHY_BYTES    256

/* A file being loaded. */
struct conf_loading {
    struct bs_conf *conf;
    const char *path;
    struct bs_slice rest;              /* not read yet */
    unsigned line;                     /* the one being read */
    unsigned lines[CONF_SETTINGS_MAX]; /* by row: where it was set, 0 where it was not */
    bool failed;
    char *error;
    unsigned error_bytes;
};

/* "path:line: message", or "path: message" for line 0. Only the first failure is kept. Returns
 * false, for the caller to hand on. */
bool bs_conf_fail(struct conf_loading *l, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The line on which the value at this offset was set, 0 where it was not. */
unsigned bs_conf_line_of(const struct conf_loading *l, size_t offset);

/* Writes a reason; returns false, for the caller to hand on. */
bool bs_conf_refuse(char ret_why[CONF_WHY_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes one value; false with a reason (no file, no line) where it is none. */
bool bs_conf_take(const struct bs_conf_setting *setting, const char *value, struct bs_conf *conf,
                  char ret_why[CONF_WHY_BYTES]);

/* Paths and files, as struct bs_conf has them. The result is the caller's to free. */
bool bs_conf_data_path(const char *value, char **ret, char ret_why[CONF_WHY_BYTES]);
bool bs_conf_credential_path(const char *value, char **ret, char ret_why[CONF_WHY_BYTES]);
bool bs_conf_secret(const char *value, char **ret, char ret_why[CONF_WHY_BYTES]);

/* Certificates of authorities, or our own certificate and its key; the rest NULL. */
struct conf_tls_files {
    const char *ca, *cert, *key;
};

/* False with a reason where TLS cannot use them. Reads the files as they are now. */
bool bs_conf_tls_fits(const struct conf_tls_files *files, char ret_why[CONF_WHY_BYTES]);

/* The rules between several settings. */
bool bs_conf_check(struct conf_loading *l);

#endif
