/* This process: waiting, what the kernel knows of it. All that the shell asks the kernel
 * for which belongs to no other module. */
#ifndef BACKSTEP_EDGE_PROCESS_H
#define BACKSTEP_EDGE_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* The calling thread waits so long; the others go on. */
void bs_process_sleep(uint64_t ns);

pid_t bs_process_id(void);

/* Of memory, as the kernel counts it; 0 where /proc is hidden. */
uint64_t bs_process_resident_bytes(void);

#endif
