/* Places on the command line. Must never take one twice. */
#include "places.h"

#include "exit_status.h"

#include <stdlib.h>
#include <string.h>

static bool has_place(const struct bs_places *places, const struct bs_document_place *place)
{
    for (size_t i = 0; i < places->count; i++) {
        if (places->at[i].kind == place->kind && strcmp(places->at[i].id, place->id) == 0)
            return true;
    }
    return false;
}

void bs_places_parse(struct bs_places *places, struct argp_state *state)
{
    size_t count = (size_t)(state->argc - state->next);
    places->at = calloc(count, sizeof *places->at);
    if (!places->at) {
        argp_failure(state, BS_EXIT_MEMORY, 0, "%s", bs_status_text(BS_NO_MEMORY));
        return;
    }
    for (; state->next < state->argc; state->next++) {
        char why[160];
        const char *text = state->argv[state->next];
        struct bs_document_place place;
        if (!bs_document_place_read(bs_slice_text(text), &place, why, sizeof why))
            argp_error(state, "%s: %s", text, why);
        if (!has_place(places, &place))
            places->at[places->count++] = place;
    }
}

void bs_places_fini(struct bs_places *places)
{
    free(places->at);
    *places = (struct bs_places){0};
}
