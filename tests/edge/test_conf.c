/* The file configuration: defaults, every kind of bad line with its message, credentials, and the
 * documents that must agree with the table (sample file, manual page). */
#include "backstep/edge/conf.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/backstep-conf-XXXXXX";
static char conf_path[128];

static void write_file(const char *path, const void *text, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
}

static char *in_folder(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    write_file(path, text, strlen(text));
    return path;
}

/* A file of the source tree. */
static char *read_source(const char *name)
{
    char path[4096], *text = malloc(1 << 20);
    const char *end = strstr(__FILE__, "tests/edge/test_conf.c");
    assert_non_null(text);
    snprintf(path, sizeof path, "%.*s%s", (int)(end - __FILE__), __FILE__, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    size_t length = fread(text, 1, (1 << 20) - 1, file);
    text[length] = 0;
    fclose(file);
    return text;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    unsetenv("STATE_DIRECTORY");
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_non_null(mkdtemp(folder));
    snprintf(conf_path, sizeof conf_path, "%s/backstepd.conf", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    return 0;
}

static enum bs_status load(const char *text, struct bs_conf *ret, char error[1024])
{
    write_file(conf_path, text, strlen(text));
    error[0] = 0;
    return bs_conf_load(ret, conf_path, error, 1024);
}

static void expect_good(const char *text, struct bs_conf *ret)
{
    char error[1024];
    if (load(text, ret, error) != BS_OK)
        fail_msg("%s\n: %s", text, error);
}

static void expect_empty(const struct bs_conf *conf)
{
    static const struct bs_conf empty;
    assert_memory_equal(conf, &empty, sizeof empty);
}

/* `expected` is what stands behind the path. */
static void expect_error(const char *text, const char *expected)
{
    char error[1024], whole[1200];
    struct bs_conf conf;
    memset(&conf, 0x5a, sizeof conf);
    enum bs_status status = load(text, &conf, error);
    snprintf(whole, sizeof whole, "%s:%s", conf_path, expected);
    if (status != BS_INVALID || strcmp(error, whole) != 0)
        fail_msg("%.300s\n: status %d, \"%s\", expected \"%s\"", text, status, error, whole);
    expect_empty(&conf);
}

static void test_defaults(void **state)
{
    (void)state;
    struct bs_conf c;
    expect_good("[site]\nid = north\n", &c);
    assert_string_equal(c.site.id, "north");
    assert_string_equal(c.site.instance, "backstepd");
    assert_string_equal(c.mqtt.uri, "mqtt://127.0.0.1:1883");
    assert_int_equal(c.mqtt.version, 5);
    assert_string_equal(c.mqtt.client_id, "backstepd-north");
    assert_null(c.mqtt.username);
    assert_null(c.mqtt.password);
    assert_string_equal(c.mqtt.topic_root, "backstep/v1");
    assert_int_equal(c.mqtt.session_expiry_s, 604800);
    assert_int_equal(c.mqtt.receive_maximum, 100);
    assert_int_equal(c.mqtt.keepalive_s, 30);
    assert_string_equal(c.journal.directory, ".");
    assert_int_equal(c.journal.segment_mb, 64);
    assert_int_equal(c.journal.max_mb, 2048);
    assert_int_equal(c.journal.sync_ms, 200);
    assert_int_equal(c.journal.snapshot_s, 60);
    assert_null(c.influxdb.url);
    assert_int_equal(c.influxdb.api, 1);
    assert_string_equal(c.influxdb.database, "backstep");
    assert_true(c.influxdb.gzip);
    assert_int_equal(c.influxdb.batch_points, 5000);
    assert_int_equal(c.influxdb.flush_ms, 1000);
    assert_int_equal(c.influxdb.timeout_ms, 10000);
    assert_int_equal(c.influxdb.outbox_max_mb, 1024);
    assert_string_equal(c.influxdb.dead_letter_file, "./dead-letters.jsonl");
    assert_int_equal(c.influxdb.dead_letter_max_mb, 64);
    assert_string_equal(c.output.file, "./points.lp");
    assert_int_equal(c.output.file_max_mb, 1024);
    assert_int_equal(c.log.level, BS_LOG_INFO);
    assert_false(c.log.json);
    bs_conf_fini(&c);
    expect_empty(&c);
}

static void test_values(void **state)
{
    (void)state;
    struct bs_conf c;
    expect_good("\xef\xbb\xbf; a comment\r\n# another\n[site]\r\n  id= north-2\t\r\n\n"
                "[mqtt]\nuri = ws://[::1]:9001/mqtt\nversion = 3.1.1\nclient_id = a-{site}-b\n"
                "username = joe;doe#1\n[influxdb]\nurl: https://influx.example/base/\napi = v3\n"
                "gzip = no\n[log]\nlevel = debug\nformat = json\n"
                "[journal]\ndirectory = /var/lib/x\nsync_ms = 0\n[site]\ninstance = b",
                &c);
    assert_string_equal(c.site.id, "north-2");
    assert_string_equal(c.site.instance, "b");
    assert_string_equal(c.mqtt.uri, "ws://[::1]:9001/mqtt");
    assert_int_equal(c.mqtt.version, 311);
    assert_string_equal(c.mqtt.client_id, "a-north-2-b");
    assert_string_equal(c.mqtt.username, "joe;doe#1");
    assert_string_equal(c.influxdb.url, "https://influx.example/base");
    assert_int_equal(c.influxdb.api, 3);
    assert_false(c.influxdb.gzip);
    assert_null(c.output.file);
    assert_int_equal(c.log.level, BS_LOG_DEBUG);
    assert_true(c.log.json);
    assert_string_equal(c.journal.directory, "/var/lib/x");
    assert_int_equal(c.journal.sync_ms, 0);
    bs_conf_fini(&c);
}

/* Each behind "[site]\nid = north\n", so that its first line is line 3. */
static const struct {
    const char *text, *expected;
} bad_lines[] = {
    {"colour = green", "3: unknown key `colour` in [site]"},
    {"[weather]\nwind = 3", "3: unknown section [weather]"},
    {"[weather]", "3: unknown section [weather]"},
    {"[]", "3: unknown section []"},
    {"[mqtt", "3: neither [section] nor key = value"},
    {"this is not a setting", "3: neither [section] nor key = value"},
    {"id = south", "3: id: given twice, first on line 2"},
    {"[mqtt]\nversion = 5\n[site]\n[mqtt]\nversion = 5",
     "7: version: given twice, first on line 4"},
    {"instance =", "3: instance: no value"},
    {"instance = a b", "3: instance: `a b` is not 1 to 64 of A-Z a-z 0-9 _ -"},
    {"instance = a ; b", "3: instance: a comment needs a line of its own"},
    {"instance = \xff", "3: instance: not UTF-8"},
    {"instance = a\x01", "3: instance: a control character"},
    {"[mqtt]\nversion = 4", "4: version: `4` is none of 5, 3.1.1"},
    {"[mqtt]\nreceive_maximum = many", "4: receive_maximum: `many` is not a number from 1 to 8192"},
    {"[mqtt]\nreceive_maximum = 0", "4: receive_maximum: `0` is not a number from 1 to 8192"},
    {"[mqtt]\nkeepalive_s = 1.5", "4: keepalive_s: `1.5` is not a number from 1 to 65535"},
    {"[mqtt]\nkeepalive_s = 18446744073709551646",
     "4: keepalive_s: `18446744073709551646` is not a number from 1 to 65535"},
    {"[mqtt]\nsession_expiry_s = 4294967296",
     "4: session_expiry_s: `4294967296` is not a number from 1 to 4294967295"},
    {"[journal]\nsync_ms = -1", "4: sync_ms: `-1` is not a number from 0 to 10000"},
    {"[mqtt]\nuri = mqtt://127.0.0.1:99999", "4: uri: `99999` is not a port (1 to 65535)"},
    {"[mqtt]\nuri = mqtt://127.0.0.1:0", "4: uri: `0` is not a port (1 to 65535)"},
    {"[mqtt]\nuri = mqtt://127.0.0.1:x", "4: uri: `x` is not a port (1 to 65535)"},
    {"[mqtt]\nuri = mqtt://127.0.0.1:", "4: uri: `` is not a port (1 to 65535)"},
    {"[mqtt]\nuri = mqtt://", "4: uri: no host"},
    {"[mqtt]\nuri = mqtt://:1883", "4: uri: no host"},
    {"[mqtt]\nuri = mqtt://[::1:1883", "4: uri: no host"},
    {"[mqtt]\nuri = mqtt://a b", "4: uri: `a b` is not a host"},
    {"[mqtt]\nuri = mqtt://host/x", "4: uri: a path has no meaning here"},
    {"[mqtt]\nuri = mqtt://joe:secret@host",
     "4: uri: credentials do not belong here: see username, password_file"},
    {"[mqtt]\nuri = http://127.0.0.1:1883",
     "4: uri: must begin with mqtt:// or mqtts:// or ws:// or wss://"},
    {"[mqtt]\nuri = 127.0.0.1", "4: uri: must begin with mqtt:// or mqtts:// or ws:// or wss://"},
    {"[influxdb]\nurl = ftp://127.0.0.1", "4: url: must begin with http:// or https://"},
    {"[influxdb]\nurl = http://127.0.0.1:70000", "4: url: `70000` is not a port (1 to 65535)"},
    {"[influxdb]\nurl = http://127.0.0.1/?db=x", "4: url: a path without ` `, `?` and `#`"},
    {"[influxdb]\napi = 2", "4: api: `2` is none of v1, v2, v3"},
    {"[influxdb]\ngzip = maybe", "4: gzip: `maybe` is none of yes, no, true, on, false, off"},
    {"[log]\nlevel = loud", "4: level: `loud` is none of error, warning, info, debug"},
    {"[mqtt]\ntopic_root = a/+/b", "4: topic_root: no wildcards (+ #) here"},
    {"[mqtt]\ntopic_root = /a", "4: topic_root: an empty level"},
    {"[mqtt]\ntopic_root = a/", "4: topic_root: an empty level"},
    {"[mqtt]\ntopic_root = a//b", "4: topic_root: an empty level"},
    {"[mqtt]\ntopic_root = $SYS", "4: topic_root: topics that begin with $ are the broker's own"},
    {"[mqtt]\nusername = x\npassword_file = mqtt-password",
     "5: password_file: `mqtt-password` is relative to $CREDENTIALS_DIRECTORY, which is not "
     "set"},
    {"[mqtt]\npassword_file = /nonexistent/p",
     "4: password_file: /nonexistent/p: No such file or directory"},
    {"[mqtt]\nca_file = /nonexistent/ca", "4: ca_file: /nonexistent/ca: No such file or directory"},
    {"[mqtt]\nca_file = /dev/null", "4: [mqtt] certificates need a uri of mqtts:// or wss://"},
    {"[mqtt]\nuri = mqtts://[::1]:8883",
     "4: [mqtt] uri: with TLS the host must be a name or an IPv4 address"},
    {"[mqtt]\nuri = mqtts://a\ncert_file = /dev/null",
     "5: [mqtt] cert_file and key_file need each other"},
    {"[influxdb]\nurl = http://a\nca_file = /dev/null",
     "5: [influxdb] ca_file needs a url of https://"},
    {"[influxdb]\napi = v2\nurl = http://a\norg = x",
     "4: [influxdb] api = v2 needs org and bucket"},
    {"[journal]\nsegment_mb = 64\nmax_mb = 191",
     "5: [journal] max_mb = 191 is less than three segments: segment_mb = 64"},
    {"[journal]\nsegment_mb = 1024",
     "4: [journal] max_mb = 2048 is less than three segments: segment_mb = 1024"},
    {"[mqtt]\nreceive_maximum = 513",
     "4: [mqtt] receive_maximum = 513 is too many for [journal] segment_mb = 64: at most 512 "
     "(64 KiB each, half a segment)"},
    {"[journal]\nsegment_mb = 12",
     "4: [mqtt] receive_maximum = 100 is too many for [journal] segment_mb = 12: at most 96 "
     "(64 KiB each, half a segment)"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "[site]\nid = north\n%s\n", bad_lines[i].text);
        expect_error(text, bad_lines[i].expected);
    }
    expect_error("", " [site] id is missing");
    expect_error("[mqtt]\nversion = 5\n", " [site] id is missing");
    expect_error("id = north\n", "1: id: stands before the first [section]");
    expect_error("[site]\nid = north/x\n", "2: id: `north/x` is not 1 to 64 of A-Z a-z 0-9 _ -");
}

static void test_files(void **state)
{
    (void)state;
    char error[1024], expected[256];
    struct bs_conf c;
    snprintf(expected, sizeof expected, "%s: No such file or directory", conf_path);
    assert_int_equal(bs_conf_load(&c, conf_path, error, sizeof error), BS_INVALID);
    assert_string_equal(error, expected);
    snprintf(expected, sizeof expected, "%s: Is a directory", folder);
    assert_int_equal(bs_conf_load(&c, folder, error, sizeof error), BS_INVALID);
    assert_string_equal(error, expected);
    assert_int_equal(bs_conf_load(&c, folder, error, 8), BS_INVALID);
    assert_int_equal(strlen(error), 7);
    write_file(conf_path, "[site]\nid = no\0rth\n", 19);
    assert_int_equal(bs_conf_load(&c, conf_path, error, sizeof error), BS_INVALID);
    assert_non_null(strstr(error, "backstepd.conf:2: a NUL byte"));
}

/* inih would cut a long line without a word. */
static void test_long_lines(void **state)
{
    (void)state;
    static char text[70000];
    struct bs_conf c;
    size_t used = (size_t)sprintf(text, "[site]\nid = north\n[mqtt]\nusername = ");
    memset(text + used, 'u', 1900);
    strcpy(text + used + 1900, "\n");
    expect_good(text, &c);
    assert_int_equal(strlen(c.mqtt.username), 1900);
    bs_conf_fini(&c);
    memset(text + used, 'u', 2100);
    strcpy(text + used + 2100, "\n");
    expect_error(text, "4: longer than 2000 bytes");
    memset(text + used, '\n', sizeof text - used - 1);
    expect_error(text, " larger than 64 KiB");
}

static void test_credentials(void **state)
{
    (void)state;
    struct bs_conf c;
    char text[512];
    in_folder("secret", "gehe1m \n");
    in_folder("token", "t0ken\r\n");
    snprintf(text, sizeof text,
             "[site]\nid = n\n[mqtt]\nusername = u\npassword_file = %s/secret\n"
             "[influxdb]\ntoken_file = token\n",
             folder);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    expect_good(text, &c);
    assert_string_equal(c.mqtt.password, "gehe1m ");
    assert_string_equal(c.influxdb.token, "t0ken");
    bs_conf_fini(&c);
    expect_error("[site]\nid = n\n[mqtt]\npassword_file = secret\n",
                 "4: [mqtt] password_file needs username");
}

/* one.pem and one.key belong to each other, and two.key is another; locked.key is one.key behind a
 * password. */
static void make_certificates(void)
{
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && for n in one two; do openssl req -x509 -newkey ec -pkeyopt "
             "ec_paramgen_curve:P-256 -nodes -keyout $n.key -out $n.pem -days 2 -subj /CN=$n "
             "2>/dev/null || exit 1; done; openssl ec -in one.key -aes128 -passout pass:x -out "
             "locked.key 2>/dev/null && head -c 200 one.pem >half.pem",
             folder);
    assert_int_equal(system(command), 0);
}

#define TLS "[site]\nid = n\n[mqtt]\nuri = mqtts://h\n"

static void test_certificates(void **state)
{
    (void)state;
#define PAIR    "6: [mqtt] cert_file and key_file cannot be used: "
#define BAD_KEY "' type PEM (not a key, one with a password, or not the certificate's?)"
    /* The message: before, the folder, behind. */
    static const struct {
        const char *text, *before, *behind;
    } bad[] = {
        {TLS "ca_file = half.pem\n", "5: [mqtt] ca_file: ", "/half.pem: holds no certificate"},
        {TLS "ca_file = one.key\n", "5: [mqtt] ca_file: ", "/one.key: holds no certificate"},
        {TLS "key_file = two.key\ncert_file = one.pem\n", PAIR "unable to set private key file: '",
         "/two.key" BAD_KEY},
        {TLS "cert_file = one.pem\nkey_file = locked.key\n",
         PAIR "unable to set private key file: '", "/locked.key" BAD_KEY},
        {TLS "[influxdb]\nurl = https://h\nca_file = half.pem\n",
         "7: [influxdb] ca_file: ", "/half.pem: holds no certificate"},
    };
    struct bs_conf c;
    char path[128];
    make_certificates();
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    expect_good(TLS "ca_file = two.pem\ncert_file = one.pem\nkey_file = one.key\n[influxdb]\n"
                    "url = https://h\nca_file = one.pem\n",
                &c);
    snprintf(path, sizeof path, "%s/two.pem", folder);
    assert_string_equal(c.mqtt.ca_file, path);
    bs_conf_fini(&c);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char expected[256];
        snprintf(expected, sizeof expected, "%s%s%s", bad[i].before, folder, bad[i].behind);
        expect_error(bad[i].text, expected);
    }
}

static void test_bad_secrets(void **state)
{
    (void)state;
    static char large[5000];
    static const struct {
        const char *content, *why;
    } cases[] = {{"", "empty"},
                 {"\n", "empty"},
                 {"a\nb\n", "a control character"},
                 {large, "larger than 4 KiB"}};
    memset(large, 'x', sizeof large - 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512], expected[256];
        const char *path = in_folder("secret", cases[i].content);
        snprintf(text, sizeof text, "[site]\nid = n\n[influxdb]\ntoken_file = %s\n", path);
        snprintf(expected, sizeof expected, "4: token_file: %s: %s", path, cases[i].why);
        expect_error(text, expected);
    }
}

static void test_state_folder(void **state)
{
    (void)state;
    struct bs_conf c;
    setenv("STATE_DIRECTORY", "/var/lib/backstep:/var/lib/other", 1);
    expect_good("[site]\nid = n\n", &c);
    assert_string_equal(c.journal.directory, "/var/lib/backstep");
    assert_string_equal(c.influxdb.dead_letter_file, "/var/lib/backstep/dead-letters.jsonl");
    assert_string_equal(c.output.file, "/var/lib/backstep/points.lp");
    bs_conf_fini(&c);
    expect_good("[site]\nid = n\n[journal]\ndirectory = logs\n[output]\nfile = /dev/null\n", &c);
    assert_string_equal(c.journal.directory, "/var/lib/backstep/logs");
    assert_string_equal(c.output.file, "/dev/null");
    bs_conf_fini(&c);
}

/* Of the sample: the line of a key, with "#" before it or without, in its section. */
static bool sample_has(const char *sample, const struct bs_conf_setting *s)
{
    char head[64], line[256];
    snprintf(head, sizeof head, "\n[%s]\n", s->section);
    const char *section = strstr(sample, head);
    if (!section)
        return false;
    const char *end = strstr(section + 2, "\n[");
    if (strcmp(s->key, "id") == 0)
        snprintf(line, sizeof line, "\nid = north\n");
    else
        snprintf(line, sizeof line, s->fallback ? "\n#%s = %s\n" : "\n#%s =\n", s->key,
                 s->fallback);
    const char *found = strstr(section, line);
    return found && (!end || found < end);
}

static void test_sample_has_every_key(void **state)
{
    (void)state;
    char *sample = read_source("configs/backstepd.conf");
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    for (size_t i = 0; i < count; i++)
        if (!sample_has(sample, &settings[i]))
            fail_msg("configs/backstepd.conf: no `#%s = %s` in [%s]", settings[i].key,
                     settings[i].fallback ? settings[i].fallback : "", settings[i].section);
    free(sample);
}

/* As it stands, and with every default made explicit: the same configuration, without an error. */
static void test_sample_is_valid(void **state)
{
    (void)state;
    char *sample = read_source("configs/backstepd.conf"), *used = sample;
    struct bs_conf c;
    expect_good(sample, &c);
    assert_string_equal(c.site.id, "north");
    bs_conf_fini(&c);
    for (const char *from = sample; *from; from++) {
        const char *end = strchrnul(from, '\n');
        bool is_setting = from[0] == '#' && from[1] >= 'a' && from[1] <= 'z';
        if (is_setting && end[-1] != '=')
            from++;
        while (from < end)
            *used++ = *from++;
        *used++ = '\n';
    }
    *used = 0;
    expect_good(sample, &c);
    assert_string_equal(c.mqtt.client_id, "backstepd-north");
    assert_string_equal(c.journal.directory, ".");
    bs_conf_fini(&c);
    free(sample);
}

/* What a paragraph of the manual page says of a setting, as the page writes it. */
static void manual_paragraph(const struct bs_conf_setting *s, char *ret, size_t room)
{
    char plain[1024];
    int used = snprintf(plain, sizeof plain, ".B %s\n%s", s->key, s->sentence);
    if (s->type == BS_CONF_NUMBER)
        used += snprintf(plain + used, sizeof plain - (size_t)used, " %u to %u.", s->min, s->max);
    if (strcmp(s->key, "id") == 0)
        snprintf(plain + used, sizeof plain - (size_t)used, "\n.br\nRequired.\n");
    else if (s->fallback)
        snprintf(plain + used, sizeof plain - (size_t)used, "\n.br\nDefault: %s\n", s->fallback);
    else
        snprintf(plain + used, sizeof plain - (size_t)used, "\n.br\nNo default.\n");
    size_t at = 0;
    for (const char *from = plain; *from && at + 2 < room; from++) {
        if (*from == '-')
            ret[at++] = '\\';
        ret[at++] = *from;
    }
    ret[at] = 0;
}

static void test_manual_has_every_key(void **state)
{
    (void)state;
    char *page = read_source("configs/man/backstepd.conf.5");
    size_t count;
    const struct bs_conf_setting *settings = bs_conf_settings(&count);
    for (size_t i = 0; i < count; i++) {
        char head[64], paragraph[2048];
        snprintf(head, sizeof head, ".SS [%s]\n", settings[i].section);
        manual_paragraph(&settings[i], paragraph, sizeof paragraph);
        const char *section = strstr(page, head);
        const char *found = section ? strstr(section, paragraph) : NULL;
        const char *end = section ? strstr(section + 1, ".SS ") : NULL;
        if (!found || (end && found > end))
            fail_msg("configs/man/backstepd.conf.5, [%s]: no paragraph\n%s", settings[i].section,
                     paragraph);
    }
    free(page);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_defaults),        CASE(test_values),
        CASE(test_errors),          CASE(test_files),
        CASE(test_long_lines),      CASE(test_credentials),
        CASE(test_certificates),    CASE(test_bad_secrets),
        CASE(test_state_folder),    CASE(test_sample_has_every_key),
        CASE(test_sample_is_valid), CASE(test_manual_has_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
