/* Reading rows of line protocol back. For tests only. */
#ifndef BACKSTEP_TESTS_ROWS_H
#define BACKSTEP_TESTS_ROWS_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number of the row that begins there, NAN where it has none of that name. */
static inline double row_field(const char *row, const char *name)
{
    char key[64];
    size_t length = (size_t)snprintf(key, sizeof key, "%s=", name);
    const char *end = strchr(row, '\n'), *at = strstr(row, key);
    while (at && at < end && at[-1] != ',' && at[-1] != ' ')
        at = strstr(at + 1, key);
    return at && at < end ? strtod(at + length, NULL) : NAN;
}

static inline bool row_has(const char *row, const char *text)
{
    const char *at = strstr(row, text);
    return at && at < strchr(row, '\n');
}

static inline bool row_is_of(const char *row, const char *measurement)
{
    size_t length = strlen(measurement);
    return strncmp(row, measurement, length) == 0 && row[length] == ',';
}

/* Over the rows of a measurement that hold the text: how many, the sum of a field, the last one
 * (NULL: there is none). */
struct row_summary {
    int count;
    double sum;
    const char *last;
};

static inline struct row_summary rows_of(const char *rows, const char *measurement,
                                         const char *text, const char *field)
{
    struct row_summary s = {0};
    for (const char *at = rows; *at; at = strchr(at, '\n') + 1) {
        if (!row_is_of(at, measurement) || !row_has(at, text))
            continue;
        double value = field ? row_field(at, field) : NAN;
        s.count++;
        s.sum += isnan(value) ? 0 : value;
        s.last = at;
    }
    return s;
}

#endif
