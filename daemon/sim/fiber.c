/* Switching stacks. Must never be entered from a signal handler, nor hold anything on its stack
 * that has to be freed when it is dropped. */
#include "fiber.h"

#include "backstep/base/check.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ASAN 1
#endif
#endif

#ifdef SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_BYTES = 512 * 1024 };

static void enter(struct sim_fiber *f)
{
    f->inside = true;
#ifdef SIM_ASAN
    __sanitizer_start_switch_fiber(&f->other_fake, f->stack, STACK_BYTES);
#endif
    swapcontext(&f->other, &f->own);
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(f->other_fake, NULL, NULL);
#endif
    f->inside = false;
}

static void leave(struct sim_fiber *f, bool for_good)
{
#ifdef SIM_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &f->own_fake, f->other_stack,
                                   f->other_stack_bytes);
#endif
    (void)for_good;
    swapcontext(&f->own, &f->other);
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(f->own_fake, &f->other_stack, &f->other_stack_bytes);
#endif
}

_Noreturn void sim_fiber_end(struct sim_fiber *f)
{
    f->begun = false;
    leave(f, true);
    abort(); /* it is never resumed */
}

/* makecontext hands on ints only. */
static void start(unsigned high, unsigned low)
{
    struct sim_fiber *f = (struct sim_fiber *)((uintptr_t)high << 32 | low);
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(NULL, &f->other_stack, &f->other_stack_bytes);
#endif
    f->work(f->argument);
    sim_fiber_end(f);
}

void sim_fiber_init(struct sim_fiber *f)
{
    *f = (struct sim_fiber){.stack = malloc(STACK_BYTES)};
    bs_check(f->stack && getcontext(&f->own) == 0);
}

void sim_fiber_fini(struct sim_fiber *f)
{
    free(f->stack);
    *f = (struct sim_fiber){0};
}

void sim_fiber_begin(struct sim_fiber *f, void (*work)(void *argument), void *argument)
{
    bs_check(!f->begun && !f->inside);
    f->work = work;
    f->argument = argument;
    f->begun = true;
    f->own.uc_stack.ss_sp = f->stack;
    f->own.uc_stack.ss_size = STACK_BYTES;
    f->own.uc_link = NULL;
    uintptr_t self = (uintptr_t)f;
    makecontext(&f->own, (void (*)(void))start, 2, (unsigned)(self >> 32), (unsigned)self);
    enter(f);
}

void sim_fiber_resume(struct sim_fiber *f)
{
    bs_check(f->begun && !f->inside);
    enter(f);
}

void sim_fiber_yield(struct sim_fiber *f)
{
    bs_check(f->inside);
    leave(f, false);
}

void sim_fiber_drop(struct sim_fiber *f)
{
    bs_check(!f->inside);
    f->begun = false;
#ifdef SIM_ASAN
    __asan_unpoison_memory_region(f->stack, STACK_BYTES);
#endif
}
