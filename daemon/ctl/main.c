/* backstepctl: finds the subcommand and hands over. Must never know what one does. */
#include "commands.h"
#include "exit_status.h"

#include "backstep/edge/mqtt.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "backstepctl " BACKSTEP_VERSION;

static const struct bs_command commands[] = {
    {"check", "judge configuration documents, without broker or daemon", bs_check_documents},
    {"push", "publish configuration documents and wait for the daemon's answers", bs_push},
    {"get", "print the documents that the broker keeps, or the answers", bs_get},
    {"delete", "delete configuration documents", bs_delete},
    {"status", "say how the daemon is", bs_show_status},
    {"watch", "show who walks how at present", bs_watch},
    {"simulate", "publish the steps of a class of wearables", bs_simulate},
    {"replay", "publish recorded step tables (CSV)", bs_replay},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static char *list_commands(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    char *list = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&list, &length);
    if (!to)
        return (char *)text;
    fputs("Commands:\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].sentence);
    fputs("\nbackstepctl COMMAND --help says more of one.", to);
    fclose(to);
    return list;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    const struct bs_command **found = state->input;
    if (key == ARGP_KEY_END && !*found)
        argp_error(state, "a command is missing");
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    for (size_t i = 0; i < COMMAND_COUNT && !*found; i++) {
        if (strcmp(commands[i].name, argument) == 0)
            *found = &commands[i];
    }
    if (!*found)
        argp_error(state, "there is no command '%s'", argument);
    /* The rest is the command's own. */
    state->quoted = state->next;
    state->argc = state->next;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp parser = {
        .parser = parse,
        .args_doc = "COMMAND [OPTION...]",
        .doc = "The operator's tool of backstep.\v ",
        .help_filter = list_commands,
    };
    const struct bs_command *command = NULL;
    int at = 0;
    bs_mqtt_ignore_proxies();
    argp_err_exit_status = BS_EXIT_USAGE;
    argp_parse(&parser, argc, argv, ARGP_IN_ORDER, &at, &command);
    for (at = 1; at < argc && strcmp(argv[at], command->name) != 0;)
        at++;
    char name[64];
    snprintf(name, sizeof name, "backstepctl %s", command->name);
    argv[at] = name;
    return command->run(argc - at, argv + at);
}
