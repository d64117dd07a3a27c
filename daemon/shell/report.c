/* Log lines on stderr. Under systemd a line begins with its syslog priority (sd-daemon(3)), by hand
 * with the time. Must never block on anything but stderr, nor print a member's alias, nor a
 * character of somebody else's that is more to a terminal than a character. */
#include "report.h"

#include "backstep/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The most of one message that is said. */
#define TEXT_BYTES 1024

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

/* Control characters of both sets, and what turns the direction of the text around it. */
static bool is_harmless(uint32_t c)
{
    bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029;
    bool turning = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                   (c >= 0x2066 && c <= 0x2069);
    return !control && !turning;
}

/* In place; it gets no longer. */
static struct bs_slice clean(char *text, size_t length)
{
    struct bs_slice rest = bs_slice_of(text, length);
    size_t used = 0;
    while (rest.length > 0) {
        uint32_t c;
        size_t bytes = bs_slice_character(rest, &c);
        if (is_harmless(c)) {
            memmove(text + used, rest.at, bytes);
            used += bytes;
        } else {
            text[used++] = '?';
        }
        rest = bs_slice_after(rest, bytes);
    }
    return bs_slice_of(text, used);
}

void bs_report(enum bs_conf_log_level level, const char *format, ...)
{
    static const char cut[] = " …";
    if (level > sink.level)
        return;
    char text[TEXT_BYTES + sizeof cut];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, TEXT_BYTES, format, arguments);
    va_end(arguments);
    if (length >= TEXT_BYTES) {
        memcpy(text + TEXT_BYTES - 1, cut, sizeof cut);
        length = TEXT_BYTES - 2 + (int)sizeof cut;
    }
    struct bs_slice message = clean(text, length < 0 ? 0 : (size_t)length);

    struct bs_buffer line;
    bs_buffer_init(&line, 8192);
    if (sink.json) {
        add_json(&line, level, message);
    } else {
        add_head(&line, level);
        bs_buffer_add(&line, message);
    }
    bs_buffer_add_char(&line, '\n');
    /* One write a line, so that lines of several threads do not mix; a lost line is no reason to
     * stop. */
    ssize_t written = write(STDERR_FILENO, line.at, line.length);
    (void)written;
    bs_buffer_fini(&line);
}
