/* Where a broken assertion ends. Must never return. */
#include "backstep/base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void bs_check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken assertion: %s\n", file, line, condition);
    abort();
}
