/* A second course of control on a stack of its own: the thread of the daemon that receives
 * messages, which may have to wait in the middle of one while everything else goes on. */
#ifndef BACKSTEP_SIM_FIBER_H
#define BACKSTEP_SIM_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

struct sim_fiber {
    ucontext_t own, other;
    char *stack;
    bool inside; /* it has control */
    bool begun;  /* and has not ended */
    void (*work)(void *argument);
    void *argument;
    void *own_fake, *other_fake; /* the address sanitizer's */
    const void *other_stack;
    size_t other_stack_bytes;
};

void sim_fiber_init(struct sim_fiber *f);
void sim_fiber_fini(struct sim_fiber *f);

/* Begins the work; returns when it ended or yielded. Not while begun. */
void sim_fiber_begin(struct sim_fiber *f, void (*work)(void *argument), void *argument);

/* Goes on behind its last yield. */
void sim_fiber_resume(struct sim_fiber *f);

/* From within. */
void sim_fiber_yield(struct sim_fiber *f);

/* From within: it ends where it stands. */
_Noreturn void sim_fiber_end(struct sim_fiber *f);

/* From outside: it is never resumed; what stands on its stack is forgotten. */
void sim_fiber_drop(struct sim_fiber *f);

#endif
