/* Loading the file configuration: lines through inih, values by the table, then defaults, then the
 * rules between them. Reads once and keeps nothing of the file; a bad file leaves an empty conf. */
#include "backstep/edge/conf.h"

#include "backstep/base/check.h"
#include "conf_parts.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX  (64u * 1024)

/* inih cuts a longer line without a word; ours are refused at LINE_BYTES_MAX. */
#define INIH_LINE_BYTES 2048
#define LINE_BYTES_MAX  2000

bool bs_conf_fail(struct conf_loading *l, unsigned line, const char *format, ...)
{
    char message[512];
    if (l->failed)
        return false;
    l->failed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (line > 0)
        snprintf(l->error, l->error_bytes, "%s:%u: %s", l->path, line, message);
    else
        snprintf(l->error, l->error_bytes, "%s: %s", l->path, message);
    return false;
}

unsigned bs_conf_line_of(const struct conf_loading *l, size_t offset)
{
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    for (size_t i = 0; i < count; i++)
        if (settings[i].offset == offset)
            return l->lines[i];
    bs_check(false);
    return 0;
}

static bool is_section(struct bs_slice name)
{
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    for (size_t i = 0; i < count; i++)
        if (bs_slice_equal(name, bs_slice_text(settings[i].section)))
            return true;
    return false;
}

/* What inih does not look at: a line's length, bytes that end a C text, a section without keys. */
static bool check_line(struct conf_loading *l, struct bs_slice line)
{
    if (line.length > LINE_BYTES_MAX)
        return bs_conf_fail(l, l->line, "longer than %d bytes", LINE_BYTES_MAX);
    if (memchr(line.at, 0, line.length))
        return bs_conf_fail(l, l->line, "a NUL byte");
    while (line.length > 0 && (line.at[0] == ' ' || line.at[0] == '\t'))
        line = bs_slice_after(line, 1);
    const char *end = line.length > 0 ? memchr(line.at, ']', line.length) : NULL;
    if (!end || line.at[0] != '[')
        return true;
    struct bs_slice name = {line.at + 1, (size_t)(end - line.at) - 1};
    return is_section(name) || bs_conf_fail(l, l->line, "unknown section [%.*s]",
                                            (int)(name.length < 64 ? name.length : 64), name.at);
}

/* fgets() over the loaded text, for inih; counts the lines, which inih does not tell. */
static char *next_line(char *at, int room, void *context)
{
    struct conf_loading *l = context;
    if (l->rest.length == 0)
        return NULL;
    const char *newline = memchr(l->rest.at, '\n', l->rest.length);
    size_t length = newline ? (size_t)(newline - l->rest.at) + 1 : l->rest.length;
    l->line++;
    if (!check_line(l, (struct bs_slice){l->rest.at, length}))
        return NULL;
    bs_check(length < (size_t)room);
    memcpy(at, l->rest.at, length);
    at[length] = 0;
    l->rest = bs_slice_after(l->rest, length);
    return at;
}

static int take_setting(void *context, const char *section, const char *key, const char *value)
{
    struct conf_loading *l = context;
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    bs_check(count <= CONF_SETTINGS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(settings[i].section, section) != 0 || strcmp(settings[i].key, key) != 0)
            continue;
        if (l->lines[i] > 0)
            return bs_conf_fail(l, l->line, "%s: given twice, first on line %u", key, l->lines[i]);
        char why[CONF_WHY_BYTES];
        l->lines[i] = l->line;
        return bs_conf_take(&settings[i], value, l->conf, why) ||
               bs_conf_fail(l, l->line, "%s: %s", key, why);
    }
    if (!*section)
        return bs_conf_fail(l, l->line, "%.64s: stands before the first [section]", key);
    return bs_conf_fail(l, l->line, "unknown key `%.64s` in [%s]", key, section);
}

/* inih's options are variables of the library; this is the program's only use of it, from one
 * thread. */
static bool parse_lines(struct conf_loading *l)
{
    ini_use_stack = false;
    ini_initial_alloc = INIH_LINE_BYTES;
    ini_max_line = INIH_LINE_BYTES;
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_stop_on_first_error = true;
    int result = ini_parse_stream(next_line, l, take_setting, l);
    if (l->failed)
        return false;
    if (result > 0)
        return bs_conf_fail(l, (unsigned)result, "neither [section] nor key = value");
    return result == 0 || bs_conf_fail(l, 0, "out of memory");
}

static bool fill_defaults(struct conf_loading *l)
{
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    for (size_t i = 0; i < count; i++) {
        /* Rows go to one place without being asked for: into the database, else into a file. */
        bool unwanted =
            settings[i].offset == offsetof(struct bs_conf, output.file) && l->conf->influxdb.url;
        char why[CONF_WHY_BYTES];
        if (l->lines[i] > 0 || !settings[i].fallback || unwanted)
            continue;
        if (!bs_conf_take(&settings[i], settings[i].fallback, l->conf, why))
            return bs_conf_fail(l, 0, "%s: %s", settings[i].key, why);
    }
    return true;
}

/* {site} in the client's id, once. */
static bool expand_client_id(struct conf_loading *l)
{
    char *before = l->conf->mqtt.client_id, *expanded;
    const char *mark = strstr(before, "{site}");
    if (!mark)
        return true;
    if (asprintf(&expanded, "%.*s%s%s", (int)(mark - before), before, l->conf->site.id,
                 mark + strlen("{site}")) < 0)
        return bs_conf_fail(l, 0, "out of memory");
    free(before);
    l->conf->mqtt.client_id = expanded;
    return true;
}

static bool load_text(struct conf_loading *l)
{
    return parse_lines(l) && fill_defaults(l) && bs_conf_check(l) && expand_client_id(l);
}

/* The whole file; FILE_BYTES_MAX + 1 bytes where it is larger. */
static bool read_file(struct conf_loading *l, char *room, size_t room_bytes, size_t *ret_length)
{
    FILE *file = fopen(l->path, "re");
    if (!file)
        return bs_conf_fail(l, 0, "%s", strerror(errno));
    errno = 0;
    *ret_length = fread(room, 1, room_bytes, file);
    int error = ferror(file) ? errno : 0;
    fclose(file);
    return error == 0 || bs_conf_fail(l, 0, "%s", strerror(error));
}

enum bs_status bs_conf_load(struct bs_conf *ret, const char *path, char *ret_error,
                            unsigned ret_error_bytes)
{
    struct conf_loading l = {
        .conf = ret, .path = path, .error = ret_error, .error_bytes = ret_error_bytes};
    *ret = (struct bs_conf){0};
    size_t length = 0;
    char *text = malloc(FILE_BYTES_MAX + 1);
    bool good = text ? read_file(&l, text, FILE_BYTES_MAX + 1, &length)
                     : bs_conf_fail(&l, 0, "out of memory");
    if (good && length > FILE_BYTES_MAX)
        good = bs_conf_fail(&l, 0, "larger than 64 KiB");
    if (good) {
        l.rest = (struct bs_slice){text, length};
        good = load_text(&l);
    }
    free(text);
    if (!good)
        bs_conf_fini(ret);
    return good ? BS_OK : BS_INVALID;
}

void bs_conf_fini(struct bs_conf *conf)
{
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    for (size_t i = 0; i < count; i++) {
        const struct bs_conf_setting *s = &settings[i];
        if (s->type == BS_CONF_NUMBER || s->type == BS_CONF_CHOICE || s->type == BS_CONF_SWITCH)
            continue;
        char **text = (char **)((char *)conf + s->offset);
        if (s->type == BS_CONF_SECRET && *text)
            explicit_bzero(*text, strlen(*text));
        free(*text);
    }
    *conf = (struct bs_conf){0};
}
