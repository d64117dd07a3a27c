/* What the tests of the config share: documents by kind and id arrive, and outcomes are held
 * against what is expected. */
#ifndef BACKSTEP_TESTS_UNIT_CONFIG_WORLD_H
#define BACKSTEP_TESTS_UNIT_CONFIG_WORLD_H

#include "backstep/core/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY_MS  (INT64_C(24) * 3600 * 1000)

/* 2026-11-24T17:59:58.120Z */
#define ARRIVAL INT64_C(1795543198120)
#define AT      "\"at\":\"2026-11-24T17:59:58.120Z\""

static inline int set_up(void **state)
{
    struct bs_config *config = NULL;
    assert_int_equal(bs_config_new(&config), BS_OK);
    *state = config;
    return 0;
}

static inline int tear_down(void **state)
{
    bs_config_free(*state);
    return 0;
}

static inline struct bs_config_outcome arrive_with(struct bs_config *config, const char *kind,
                                                   const char *id, const char *payload, int64_t at,
                                                   uint32_t guests)
{
    struct bs_config_arrival arrival = {
        .kind = bs_slice_text(kind),
        .id = bs_slice_text(id),
        .payload = bs_slice_text(payload),
        .retained = true,
        .guests = guests,
        .at = {at},
    };
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    return outcome;
}

static inline struct bs_config_outcome arrive(struct bs_config *config, const char *kind,
                                              const char *id, const char *payload)
{
    return arrive_with(config, kind, id, payload, ARRIVAL, 0);
}

static inline bool contains(struct bs_config_outcome outcome, const char *text)
{
    return memmem(outcome.result.at, outcome.result.length, text, strlen(text)) != NULL;
}

#define EXPECT_VERDICT(outcome, expected)                                                          \
    do {                                                                                           \
        struct bs_config_outcome seen = (outcome);                                                 \
        if (seen.verdict != (expected))                                                            \
            fail_msg("verdict %d, expected %d: %.*s", seen.verdict, (expected),                    \
                     (int)seen.result.length, seen.result.at);                                     \
    } while (0)

/* Accepted, without a warning. */
#define EXPECT_ACCEPTED(outcome)                                                                   \
    do {                                                                                           \
        struct bs_config_outcome taken = (outcome);                                                \
        EXPECT_VERDICT(taken, BS_CONFIG_ACCEPTED);                                                 \
        if (contains(taken, "\"warning\""))                                                        \
            fail_msg("%.*s: expected no warning", (int)taken.result.length, taken.result.at);      \
    } while (0)

/* `finding` is "error" or "warning". */
#define EXPECT_FINDING(outcome, expected, finding, pointer, message)                               \
    do {                                                                                           \
        struct bs_config_outcome found = (outcome);                                                \
        EXPECT_VERDICT(found, expected);                                                           \
        if (!contains(found, "\"" finding "\":{\"pointer\":\"" pointer "\",\"message\":\"" message \
                             "\"}"))                                                               \
            fail_msg("%.*s\nexpected the %s \"%s\" \"%s\"", (int)found.result.length,              \
                     found.result.at, finding, pointer, message);                                  \
    } while (0)

#define EXPECT_REJECTED(outcome, pointer, message)                                                 \
    EXPECT_FINDING(outcome, BS_CONFIG_REJECTED, "error", pointer, message)
#define EXPECT_WARNED(outcome, pointer, message)                                                   \
    EXPECT_FINDING(outcome, BS_CONFIG_ACCEPTED, "warning", pointer, message)

#endif
