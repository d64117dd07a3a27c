/* Medians by selection. Must never depend on the order of the values. */
#include "backstep/core/median.h"

#include "backstep/base/check.h"

static void swap(int32_t *a, int32_t *b)
{
    int32_t kept = *a;
    *a = *b;
    *b = kept;
}

static int32_t middle_of_three(int32_t a, int32_t b, int32_t c)
{
    if (a > b)
        swap(&a, &b);
    return c < a ? a : c > b ? b : c;
}

/* Moves the value of that rank to its place, with nothing larger before it and nothing smaller
 * behind it. */
static void select_rank(int32_t *values, size_t count, size_t rank)
{
    size_t first = 0, last = count - 1;
    while (first < last) {
        int32_t pivot =
            middle_of_three(values[first], values[first + (last - first) / 2], values[last]);
        size_t low = first, high = last;
        for (;;) {
            while (values[low] < pivot)
                low++;
            while (values[high] > pivot)
                high--;
            if (low >= high)
                break;
            swap(&values[low++], &values[high--]);
        }
        if (rank <= high)
            last = high;
        else
            first = high + 1;
    }
}

double bs_median(int32_t *values, size_t count)
{
    bs_check(count > 0);
    size_t upper = count / 2;
    select_rank(values, count, upper);
    if (count % 2)
        return values[upper];
    int32_t lower = values[0];
    for (size_t i = 1; i < upper; i++)
        lower = values[i] > lower ? values[i] : lower;
    return ((double)lower + (double)values[upper]) / 2;
}
