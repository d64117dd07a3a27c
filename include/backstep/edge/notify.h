/* What systemd is told: ready, status, alive. Every call does nothing where there is no systemd. */
#ifndef BACKSTEP_EDGE_NOTIFY_H
#define BACKSTEP_EDGE_NOTIFY_H

#include <stdint.h>

void bs_notify_ready(void);
void bs_notify_stopping(void);
void bs_notify_reloading(void); /* followed by bs_notify_ready when done */
void bs_notify_status(const char *text);
void bs_notify_alive(void);

/* How often bs_notify_alive is due: half of what systemd demands; 0 where there is no watchdog. */
uint64_t bs_notify_watchdog_ms(void);

#endif
