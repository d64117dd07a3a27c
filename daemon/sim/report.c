/* The daemon's log in the trace. Must never cost anything where nobody listens. */
#include "report.h"

#include "world.h"

#include <stdarg.h>

void bs_report_set(enum bs_conf_log_level level, bool json)
{
    (void)level;
    (void)json;
}

void bs_report(enum bs_conf_log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char text[1024];
    va_list arguments;
    if (!world->trace)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sim_trace("says %s: %s", names[level], text);
}
