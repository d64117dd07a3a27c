/* KIND/ID arguments of a command. */
#ifndef BACKSTEP_CTL_PLACES_H
#define BACKSTEP_CTL_PLACES_H

#include "document_files.h"

#include <argp.h>

/* Begin with all zero. */
struct bs_places {
    struct bs_document_place *at;
    size_t count;
};

/* For ARGP_KEY_ARGS: takes all arguments that are left, each once, or argp_error. */
void bs_places_parse(struct bs_places *places, struct argp_state *state);
void bs_places_fini(struct bs_places *places);

#endif
