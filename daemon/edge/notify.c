/* sd_notify(3). A failed notice is nobody's fault here and changes nothing: systemd's own time-outs
 * speak then. Must never block: the socket is systemd's, and datagrams are small. */
#include "backstep/edge/notify.h"

#include "backstep/base/slice.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#define STATUS_BYTES_MAX 512

void bs_notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void bs_notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

/* The time lets a Type=notify-reload unit tell this reload from an earlier one; older systemd
 * ignores it. */
void bs_notify_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long usec = (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", usec);
}

/* A newline would begin another assignment. */
void bs_notify_status(const char *text)
{
    char status[STATUS_BYTES_MAX + 1];
    size_t length = 0;
    for (; length < STATUS_BYTES_MAX && text[length] && text[length] != '\n'; length++)
        status[length] =
            (unsigned char)text[length] < 0x20 || text[length] == 0x7f ? '?' : text[length];
    /* systemd takes UTF-8 only: a sequence that was cut goes. */
    while (length > 0 && !bs_slice_is_utf8(bs_slice_of(status, length)))
        length--;
    sd_notifyf(0, "STATUS=%.*s", (int)length, status);
}

void bs_notify_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

uint64_t bs_notify_watchdog_ms(void)
{
    uint64_t usec;
    if (sd_watchdog_enabled(0, &usec) <= 0)
        return 0;
    /* Never 0 where there is one. */
    return usec < 2000 ? 1 : usec / 2000;
}
