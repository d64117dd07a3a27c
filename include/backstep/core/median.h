/* Exact medians of small integers. */
#ifndef BACKSTEP_CORE_MEDIAN_H
#define BACKSTEP_CORE_MEDIAN_H

#include <stddef.h>
#include <stdint.h>

/* The middle value, the mean of the middle two for an even count; count > 0. Reorders the values.
 */
double bs_median(int32_t *values, size_t count);

#endif
