/* Assertions about our own code: on in every build, never on input, disk, network or memory. */
#ifndef BACKSTEP_BASE_CHECK_H
#define BACKSTEP_BASE_CHECK_H

/* Prints the place and the condition to stderr and aborts. */
_Noreturn void bs_check_failed(const char *condition, const char *file, int line);

#define bs_check(condition)                                                                        \
    ((condition) ? (void)0 : bs_check_failed(#condition, __FILE__, __LINE__))

#endif
