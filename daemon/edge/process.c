/* What the kernel does for, and knows of, this process. Must never fail: what is not known is 0. */
#include "backstep/edge/process.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void bs_process_sleep(uint64_t ns)
{
    struct timespec wait = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        ;
}

pid_t bs_process_id(void)
{
    return getpid();
}

uint64_t bs_process_resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return 0;
    if (fscanf(statm, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(statm);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
