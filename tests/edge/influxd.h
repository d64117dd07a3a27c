/* A private influxd: own folder, free loopback ports, ended by its pid. Where the program is not
 * installed, influxd_start says so and returns false. Queries go through curl's easy interface. */
#ifndef BACKSTEP_TESTS_EDGE_INFLUXD_H
#define BACKSTEP_TESTS_EDGE_INFLUXD_H

#include "canned_server.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct influxd {
    char folder[64], url[64];
    unsigned port, rpc_port;
    bool authentication;
    pid_t pid;
};

static inline int influxd_remove_one(const char *path, const struct stat *s, int what,
                                     struct FTW *f)
{
    (void)s, (void)what, (void)f;
    return remove(path);
}

static inline void influxd_configure(const struct influxd *i)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/influxdb.conf", i->folder);
    FILE *file = fopen(path, "w");
    if (!file)
        abort();
    fprintf(file,
            "reporting-enabled = false\nbind-address = \"127.0.0.1:%u\"\n"
            "[meta]\ndir = \"%s/meta\"\n[data]\ndir = \"%s/data\"\nwal-dir = \"%s/wal\"\n"
            "[monitor]\nstore-enabled = false\n[subscriber]\nenabled = false\n"
            "[http]\nbind-address = \"127.0.0.1:%u\"\nauth-enabled = %s\nlog-enabled = false\n",
            i->rpc_port, i->folder, i->folder, i->folder, i->port,
            i->authentication ? "true" : "false");
    fclose(file);
}

static inline size_t influxd_collect(char *at, size_t size, size_t count, void *context)
{
    char *to = context;
    size_t used = strlen(to), room = 65535 - used;
    size_t kept = size * count < room ? size * count : room;
    memcpy(to + used, at, kept);
    to[used + kept] = '\0';
    return size * count;
}

/* The status of GET (or of POST where there is a form); the body into ret, 64 KiB. */
static inline long influxd_ask(const char *url, const char *form, char *ret)
{
    long status = 0;
    CURL *easy = curl_easy_init();
    ret[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, influxd_collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, ret);
    if (form)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, form);
    if (curl_easy_perform(easy) == CURLE_OK)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    return status;
}

static inline void influxd_query(const struct influxd *i, const char *database, const char *query,
                                 char *ret)
{
    char url[512], form[1024];
    char *escaped = curl_easy_escape(NULL, query, 0);
    snprintf(url, sizeof(url), "%s/query?db=%s&epoch=ms", i->url, database);
    snprintf(form, sizeof(form), "q=%s", escaped);
    curl_free(escaped);
    influxd_ask(url, form, ret);
}

/* The whole number in the first row's second column; -1 where there is none. */
static inline long long influxd_number(const struct influxd *i, const char *database,
                                       const char *query)
{
    char answer[65536];
    influxd_query(i, database, query, answer);
    const char *values = strstr(answer, "\"values\":[[");
    const char *comma = values ? strchr(values, ',') : NULL;
    return comma ? strtoll(comma + 1, NULL, 10) : -1;
}

static inline bool influxd_run(struct influxd *i)
{
    char config[128], log[128], url[128], answer[65536];
    snprintf(config, sizeof(config), "%s/influxdb.conf", i->folder);
    snprintf(log, sizeof(log), "%s/log", i->folder);
    i->pid = fork();
    if (i->pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("influxd", "influxd", "-config", config, (char *)NULL);
        _exit(127);
    }
    snprintf(url, sizeof(url), "%s/ping", i->url);
    for (int tries = 0; tries < 500; tries++) {
        if (influxd_ask(url, NULL, answer) == 204)
            return true;
        if (waitpid(i->pid, NULL, WNOHANG) == i->pid)
            break;
        usleep(20000);
    }
    return false;
}

static inline void influxd_kill(struct influxd *i)
{
    kill(i->pid, SIGKILL);
    waitpid(i->pid, NULL, 0);
    i->pid = 0;
}

static inline void influxd_remove(struct influxd *i)
{
    if (i->pid > 0)
        influxd_kill(i);
    nftw(i->folder, influxd_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline bool influxd_start(struct influxd *i, bool authentication)
{
    if (access("/usr/bin/influxd", X_OK) != 0) {
        fprintf(stderr, "skipped: influxd is not installed (package influxdb)\n");
        return false;
    }
    *i = (struct influxd){.folder = "/tmp/backstep-influxd-XXXXXX",
                          .authentication = authentication};
    if (!mkdtemp(i->folder))
        abort();
    int a = canned_listen(&i->port), b = canned_listen(&i->rpc_port);
    close(a);
    close(b);
    snprintf(i->url, sizeof(i->url), "http://127.0.0.1:%u", i->port);
    influxd_configure(i);
    if (!influxd_run(i)) {
        fprintf(stderr, "influxd does not start; see %s/log\n", i->folder);
        abort();
    }
    return true;
}

/* The same, without authentication and with an empty database. */
static inline bool influxd_start_with(struct influxd *i, const char *database)
{
    char query[128], answer[65536];
    if (!influxd_start(i, false))
        return false;
    snprintf(query, sizeof(query), "CREATE DATABASE %s", database);
    influxd_query(i, "", query, answer);
    return true;
}

#endif
