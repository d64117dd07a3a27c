/* Memory that is out when a test wants it. The linker leads the program's allocations here (see
 * CMakeLists.txt); cJSON, a library of its own, has hooks. */
#ifndef BACKSTEP_TESTS_FAILING_MEMORY_H
#define BACKSTEP_TESTS_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* Volatile: across the whole program a compiler knows that an allocation changes no variable. */
static volatile int until_failure = -1; /* allocations that still succeed; -1: all do */
static volatile bool stays_out;         /* then all fail, until told otherwise; else one does */
static volatile int refusals;           /* those that failed */

static bool fails(void)
{
    if (until_failure != 0) {
        until_failure = until_failure - (until_failure > 0);
        return false;
    }
    until_failure = stays_out ? 0 : -1;
    refusals = refusals + 1;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

#endif
