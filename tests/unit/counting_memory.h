/* How much memory a test's program holds. The linker leads its allocations here (CMakeLists.txt).
 * Memory of the C library's own making (strdup) must not be freed in such a program. */
#ifndef BACKSTEP_TESTS_COUNTING_MEMORY_H
#define BACKSTEP_TESTS_COUNTING_MEMORY_H

#include <malloc.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *at);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *at);

static size_t bytes_held;

static void *held(void *at)
{
    bytes_held += at ? malloc_usable_size(at) : 0;
    return at;
}

void *__wrap_malloc(size_t size)
{
    return held(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return held(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    size_t before = old ? malloc_usable_size(old) : 0;
    void *at = __real_realloc(old, size);
    if (at)
        bytes_held -= before;
    return held(at);
}

void __wrap_free(void *at)
{
    bytes_held -= at ? malloc_usable_size(at) : 0;
    __real_free(at);
}

#endif
