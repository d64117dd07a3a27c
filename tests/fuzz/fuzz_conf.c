/* Any bytes as the file configuration: it is taken, and then every value is one that its row
 * allows, and what is taken, written down, is taken as the same; or it is refused with the file's
 * name and a sentence, nothing is kept, and no secret is in the sentence. */
#include "backstep/edge/conf.h"

#include "backstep/base/buffer.h"
#include "backstep/base/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET         "open-sesame"
#define LINE_BYTES_MAX 2000

static char folder[] = "/tmp/backstep-fuzz-XXXXXX", secret_path[64], conf_path[64];
static int conf_fd = -1;

static void remove_folder(void)
{
    unlink(secret_path);
    rmdir(folder);
}

/* The credentials' folder has one, `secret`. */
static void prepare(void)
{
    bs_check(mkdtemp(folder));
    atexit(remove_folder);
    snprintf(secret_path, sizeof secret_path, "%s/secret", folder);
    int fd = open(secret_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bs_check(fd >= 0 && write(fd, SECRET "\n", sizeof SECRET) == sizeof SECRET);
    close(fd);
    bs_check(setenv("CREDENTIALS_DIRECTORY", folder, 1) == 0);
    bs_check(setenv("STATE_DIRECTORY", "/state", 1) == 0);
    conf_fd = memfd_create("conf", MFD_CLOEXEC);
    bs_check(conf_fd >= 0);
    snprintf(conf_path, sizeof conf_path, "/proc/self/fd/%d", conf_fd);
}

static enum bs_status load(struct bs_slice text, struct bs_conf *ret, char error[1024])
{
    bs_check(ftruncate(conf_fd, 0) == 0);
    bs_check(pwrite(conf_fd, text.at, text.length, 0) == (ssize_t)text.length);
    memset(error, 'x', 1024);
    return bs_conf_load(ret, conf_path, error, 1024);
}

static const void *value_of(const struct bs_conf *conf, const struct bs_conf_setting *s)
{
    return (const char *)conf + s->offset;
}

static const char *text_of(const struct bs_conf *conf, const struct bs_conf_setting *s)
{
    return *(char *const *)value_of(conf, s);
}

/* The word of a CHOICE or SWITCH. */
static const char *word_of(const struct bs_conf *conf, const struct bs_conf_setting *s)
{
    int value = s->type == BS_CONF_SWITCH ? *(const bool *)value_of(conf, s)
                                          : *(const int *)value_of(conf, s);
    for (const struct bs_conf_word *w = s->words; w->word; w++)
        if (w->value == value)
            return w->word;
    return NULL;
}

static void check_value(const struct bs_conf *conf, const struct bs_conf_setting *s)
{
    if (s->type == BS_CONF_NUMBER) {
        uint32_t number = *(const uint32_t *)value_of(conf, s);
        bs_check(number >= s->min && number <= s->max);
    } else if (s->type == BS_CONF_CHOICE || s->type == BS_CONF_SWITCH) {
        bs_check(word_of(conf, s));
    } else if (text_of(conf, s)) {
        struct bs_slice text = bs_slice_text(text_of(conf, s));
        bs_check(text.length > 0);
        bs_check(s->type != BS_CONF_ID || bs_slice_is_id(text));
        bs_check(s->type != BS_CONF_PATH || text.at[0] == '/');
        bs_check(s->type != BS_CONF_TOPIC || !strpbrk(text.at, "+#"));
    }
}

/* What could be said in a file: no credential, for a secret's file is not known any more. */
static bool write_value(struct bs_buffer *b, const struct bs_conf *conf,
                        const struct bs_conf_setting *s)
{
    size_t before = b->length;
    bs_buffer_add_text(b, s->key);
    bs_buffer_add_char(b, '=');
    if (s->type == BS_CONF_NUMBER)
        bs_buffer_add_format(b, "%u", *(const uint32_t *)value_of(conf, s));
    else if (s->type == BS_CONF_CHOICE || s->type == BS_CONF_SWITCH)
        bs_buffer_add_text(b, word_of(conf, s));
    else
        bs_buffer_add_text(b, text_of(conf, s));
    bs_buffer_add_char(b, '\n');
    return b->length - before <= LINE_BYTES_MAX;
}

static bool is_left_out(const struct bs_conf *conf, const struct bs_conf_setting *s)
{
    bool number =
        s->type == BS_CONF_NUMBER || s->type == BS_CONF_CHOICE || s->type == BS_CONF_SWITCH;
    return s->type == BS_CONF_CREDENTIAL || s->type == BS_CONF_SECRET ||
           (!number && !text_of(conf, s));
}

/* False where it cannot be said in a file: a path that was resolved is longer than a line. */
static bool write_conf(struct bs_buffer *b, const struct bs_conf *conf)
{
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    const char *section = "";
    bool fits = !strstr(conf->mqtt.client_id, "{site}");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(section, settings[i].section) != 0)
            bs_buffer_add_format(b, "[%s]\n", settings[i].section);
        section = settings[i].section;
        if (!is_left_out(conf, &settings[i]))
            fits = write_value(b, conf, &settings[i]) && fits;
    }
    return fits && !b->failed;
}

static void check_same(const struct bs_conf *a, const struct bs_conf *b)
{
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    struct bs_buffer texts[2];
    for (size_t i = 0; i < count; i++) {
        if (is_left_out(a, &settings[i]))
            continue;
        bs_check(!is_left_out(b, &settings[i]));
        for (int k = 0; k < 2; k++) {
            bs_buffer_init(&texts[k], 8192);
            write_value(&texts[k], k ? b : a, &settings[i]);
        }
        bs_check(bs_slice_equal(bs_buffer_slice(&texts[0]), bs_buffer_slice(&texts[1])));
        bs_buffer_fini(&texts[0]);
        bs_buffer_fini(&texts[1]);
    }
}

static void check_taken(const struct bs_conf *conf)
{
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    for (size_t i = 0; i < count; i++)
        check_value(conf, &settings[i]);
    bs_check(conf->site.id && conf->mqtt.uri && conf->journal.directory);
    bs_check(conf->influxdb.url || conf->output.file);
    bs_check(conf->journal.max_mb / 3 >= conf->journal.segment_mb);
    struct bs_buffer b;
    bs_buffer_init(&b, 65536);
    if (write_conf(&b, conf)) {
        struct bs_conf again;
        char error[1024];
        bs_check(load(bs_buffer_slice(&b), &again, error) == BS_OK);
        check_same(conf, &again);
        bs_conf_fini(&again);
    }
    bs_buffer_fini(&b);
}

static void check_refused(const struct bs_conf *conf, const char *error, struct bs_slice text)
{
    static const struct bs_conf empty;
    bs_check(memcmp(conf, &empty, sizeof empty) == 0);
    bs_check(memchr(error, 0, 1024));
    size_t name = strlen(conf_path);
    bs_check(strncmp(error, conf_path, name) == 0 && error[name] == ':' &&
             strlen(error) > name + 3);
    bs_check(!strstr(error, SECRET) || memmem(text.at, text.length, SECRET, strlen(SECRET)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (conf_fd < 0)
        prepare();
    struct bs_conf conf;
    char error[1024];
    struct bs_slice text = bs_slice_of(data, size);
    if (load(text, &conf, error) == BS_OK)
        check_taken(&conf);
    else
        check_refused(&conf, error, text);
    bs_conf_fini(&conf);
    return 0;
}
