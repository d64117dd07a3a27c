/* Log lines on stderr. Under systemd a line begins with its syslog priority (sd-daemon(3)), by hand
 * with the time. Must never block on anything but stderr, nor print a member's alias. */
#include "report.h"

#include "backstep/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct {
    enum bs_conf_log_level level;
    bool json;
} sink = {BS_LOG_INFO, false};

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [BS_LOG_ERROR] = {"error", 3},
    [BS_LOG_WARNING] = {"warning", 4},
    [BS_LOG_INFO] = {"info", 6},
    [BS_LOG_DEBUG] = {"debug", 7},
};

void bs_report_set(enum bs_conf_log_level level, bool json)
{
    sink.level = level;
    sink.json = json;
}

static void add_head(struct bs_buffer *line, enum bs_conf_log_level level)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (getenv("JOURNAL_STREAM")) {
        bs_buffer_add_format(line, "<%d>", levels[level].priority);
    } else {
        bs_buffer_add_iso_time(line, now.tv_sec * 1000 + now.tv_nsec / 1000000);
        bs_buffer_add_format(line, " %s: ", levels[level].name);
    }
}

static void add_json(struct bs_buffer *line, enum bs_conf_log_level level, struct bs_slice text)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    bs_buffer_add_text(line, "{\"at\":\"");
    bs_buffer_add_iso_time(line, now.tv_sec * 1000 + now.tv_nsec / 1000000);
    bs_buffer_add_format(line, "\",\"level\":\"%s\",\"message\":", levels[level].name);
    bs_buffer_add_json_string(line, text);
    bs_buffer_add_char(line, '}');
}

void bs_report(enum bs_conf_log_level level, const char *format, ...)
{
    if (level > sink.level)
        return;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct bs_slice message = bs_slice_of(text, length < 0                     ? 0
                                                : (size_t)length < sizeof text ? (size_t)length
                                                                               : sizeof text - 1);

    struct bs_buffer line;
    bs_buffer_init(&line, 8192);
    if (sink.json) {
        add_json(&line, level, message);
    } else {
        add_head(&line, level);
        for (size_t i = 0; i < message.length; i++) {
            unsigned char c = (unsigned char)message.at[i];
            bs_buffer_add_char(&line, c < 0x20 || c == 0x7f ? '?' : message.at[i]);
        }
    }
    bs_buffer_add_char(&line, '\n');
    /* One write a line, so that lines of several threads do not mix; a lost line is no reason to
     * stop. */
    ssize_t written = write(STDERR_FILENO, line.at, line.length);
    (void)written;
    bs_buffer_fini(&line);
}
