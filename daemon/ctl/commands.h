/* The subcommands: each takes its own argv (argv[0] is "backstepctl NAME") and gives the exit
 * status. */
#ifndef BACKSTEP_CTL_COMMANDS_H
#define BACKSTEP_CTL_COMMANDS_H

#include <stddef.h>

struct bs_command {
    const char *name, *sentence;
    int (*run)(int argc, char **argv);
};

int bs_check_documents(int argc, char **argv);
int bs_push(int argc, char **argv);
int bs_get(int argc, char **argv);
int bs_delete(int argc, char **argv);
int bs_show_status(int argc, char **argv);
int bs_watch(int argc, char **argv);
int bs_simulate(int argc, char **argv);
int bs_replay(int argc, char **argv);

#endif
