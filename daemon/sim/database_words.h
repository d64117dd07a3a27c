/* What InfluxDB 1, 2 and 3 say of lines that they do not take. */
#ifndef BACKSTEP_SIM_DATABASE_WORDS_H
#define BACKSTEP_SIM_DATABASE_WORDS_H

#include "database.h"

enum database_fault {
    DATABASE_SOUND,
    DATABASE_CONFLICT, /* of field types */
    DATABASE_GARBAGE,  /* it cannot be parsed */
    DATABASE_EXPIRED,
    DATABASE_FAULTS,
};

struct database_walk {
    const struct bs_slice *parts;
    size_t count, part;
    struct bs_slice rest;
    uint32_t number; /* of the line that was given last, from 1 */
};

struct database_survey {
    uint32_t lines, counts[DATABASE_FAULTS];
    uint32_t first_bad; /* its number; 0: none but expired ones */
    struct bs_slice bad_line;
};

/* Status and words; true where the sound lines are stored. */
bool database_word_answer(const struct sim_database *d, const struct database_survey *found,
                          struct database_walk walk, struct sim_answer *ret);

/* database.c */
bool database_next_line(struct database_walk *w, struct bs_slice *ret);
enum database_fault database_judge(const struct sim_database *d, struct bs_slice line);

#endif
