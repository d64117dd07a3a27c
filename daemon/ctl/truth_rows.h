/* The truth of a simulated class as rows, one JSON object a line: its members and devices, every
 * step and what arrived of it, every bout, every carry-over and every slip. backstepctl(1) says
 * what stands in them. */
#ifndef BACKSTEP_CTL_TRUTH_ROWS_H
#define BACKSTEP_CTL_TRUTH_ROWS_H

#include "class.h"
#include "traces.h"
#include "truth.h"
#include "wearables.h"

#include "backstep/base/status.h"

#include <stdio.h>

struct bs_truth_rows {
    const struct bs_class *class;
    const struct bs_wearables_options *options;
    const struct bs_wearables *wearables;
    const struct bs_traces *traces;
    const struct bs_truth *truth;
    const char *(*consent)(const void *context, uint32_t member); /* NULL: it is not known */
    const void *context;                                          /* of consent */
};

/* Writes all of them. BS_IO (with errno) where the file fails, BS_NO_MEMORY also where the traces
 * are not whole. */
enum bs_status bs_truth_rows_write(const struct bs_truth_rows *r, FILE *to);

#endif
