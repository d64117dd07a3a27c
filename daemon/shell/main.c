/* backstepd: arguments, configuration, then the runtime. */
#include "backstep/edge/conf.h"
#include "backstep/edge/mqtt.h"
#include "report.h"
#include "runtime.h"

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

const char *argp_program_version = "backstepd " BACKSTEP_VERSION;

struct arguments {
    const char *config;
    bool check;
};

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "Read the configuration from FILE (/etc/backstep/backstepd.conf)",
     0},
    {"check", 'k', NULL, 0, "Validate the configuration and exit: 0 or 78", 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'c':
        a->config = value;
        return 0;
    case 'k':
        a->check = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Counts a class's steps: subscribes to step events over MQTT and writes to InfluxDB, per "
        "member and group, what was done, how much of the backward walk is kept in the forward "
        "one, and when it slips.\v"
        "Stays in the foreground and logs to standard error. SIGHUP reads the configuration "
        "again, SIGTERM and SIGINT end it in order.\n\n"
        "Exit status: 0 after SIGTERM or SIGINT, 75 where another daemon holds the state folder, "
        "78 for a configuration that is not valid.\n\nSee backstepd(8), backstepd.conf(5).",
};

int main(int argc, char **argv)
{
    struct arguments arguments = {.config = "/etc/backstep/backstepd.conf"};
    argp_err_exit_status = 64;
    bs_mqtt_ignore_proxies();
    argp_parse(&argp, argc, argv, ARGP_NO_ARGS, NULL, &arguments);

    struct bs_conf conf;
    char error[1024];
    if (bs_conf_load(&conf, arguments.config, error, sizeof error) != BS_OK) {
        fprintf(stderr, "%s\n", error);
        return BS_EXIT_CONFIG;
    }
    if (arguments.check) {
        bs_conf_fini(&conf);
        return BS_EXIT_OK;
    }
    bs_report_set((enum bs_conf_log_level)conf.log.level, conf.log.json);
    return bs_runtime_run(&conf, arguments.config);
}
