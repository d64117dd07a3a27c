/* One value out of its text. Must never keep a value that its row does not allow; reasons quote the
 * file's text, which is the operator's own, but never a secret's. */
#include "backstep/base/check.h"
#include "conf_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool bs_conf_refuse(char ret_why[CONF_WHY_BYTES], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_why, CONF_WHY_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

/* Decimal digits alone. */
static bool read_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t number = 0;
    if (!*value)
        return false;
    for (; *value; value++) {
        if (*value < '0' || *value > '9' || number > max)
            return false;
        number = number * 10 + (uint64_t)(*value - '0');
    }
    *ret = number;
    return number >= min && number <= max;
}

static bool take_number(const struct bs_conf_setting *s, const char *value, uint32_t *ret,
                        char ret_why[CONF_WHY_BYTES])
{
    uint64_t number;
    if (!read_number(value, s->min, s->max, &number))
        return bs_conf_refuse(ret_why, "`%.64s` is not a number from %u to %u", value, s->min,
                              s->max);
    *ret = (uint32_t)number;
    return true;
}

static bool find_word(const struct bs_conf_setting *s, const char *value, int *ret,
                      char ret_why[CONF_WHY_BYTES])
{
    for (const struct bs_conf_word *w = s->words; w->word; w++)
        if (strcmp(w->word, value) == 0) {
            *ret = w->value;
            return true;
        }
    bs_conf_refuse(ret_why, "`%.64s` is none of", value);
    for (const struct bs_conf_word *w = s->words; w->word; w++) {
        size_t used = strlen(ret_why);
        snprintf(ret_why + used, CONF_WHY_BYTES - used, "%s %s", w == s->words ? "" : ",", w->word);
    }
    return false;
}

static bool check_text(const char *value, char ret_why[CONF_WHY_BYTES])
{
    if (!bs_slice_is_utf8(bs_slice_text(value)))
        return bs_conf_refuse(ret_why, "not UTF-8");
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return bs_conf_refuse(ret_why, "a control character");
        /* inih would cut it off, and with it the end of a name that has one. */
        if (c > value && (*c == ';' || *c == '#') && (c[-1] == ' ' || c[-1] == '\t'))
            return bs_conf_refuse(ret_why, "a comment needs a line of its own");
    }
    return true;
}

static bool check_id(const char *value, char ret_why[CONF_WHY_BYTES])
{
    return bs_slice_is_id(bs_slice_text(value)) ||
           bs_conf_refuse(ret_why, "`%.64s` is not 1 to 64 of A-Z a-z 0-9 _ -", value);
}

static bool check_topic(const char *value, char ret_why[CONF_WHY_BYTES])
{
    size_t length = strlen(value);
    if (length > 256)
        return bs_conf_refuse(ret_why, "longer than 256 bytes");
    if (strpbrk(value, "+#"))
        return bs_conf_refuse(ret_why, "no wildcards (+ #) here");
    if (value[0] == '$')
        return bs_conf_refuse(ret_why, "topics that begin with $ are the broker's own");
    if (value[0] == '/' || value[length - 1] == '/' || strstr(value, "//"))
        return bs_conf_refuse(ret_why, "an empty level");
    return true;
}

/* Behind the scheme: the length of the host, 0 where there is none. */
static size_t host_length(const char *authority)
{
    if (authority[0] == '[') {
        size_t inside = strspn(authority + 1, "0123456789abcdefABCDEF:.");
        return inside > 0 && authority[1 + inside] == ']' ? inside + 2 : 0;
    }
    return strspn(authority, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
}

static bool check_authority(const char *authority, bool path_allowed, char ret_why[CONF_WHY_BYTES])
{
    if (strchr(authority, '@'))
        return bs_conf_refuse(ret_why,
                              "credentials do not belong here: see username, password_file");
    size_t host = host_length(authority);
    if (host == 0)
        return bs_conf_refuse(ret_why, "no host");
    const char *rest = authority + host;
    if (*rest == ':') {
        char port[16];
        size_t digits = strcspn(++rest, "/");
        uint64_t number;
        snprintf(port, sizeof port, "%.*s", (int)(digits < 15 ? digits : 15), rest);
        if (!read_number(port, 1, 65535, &number))
            return bs_conf_refuse(ret_why, "`%s` is not a port (1 to 65535)", port);
        rest += digits;
    }
    if (*rest && *rest != '/')
        return bs_conf_refuse(ret_why, "`%.64s` is not a host", authority);
    if (*rest && !path_allowed)
        return bs_conf_refuse(ret_why, "a path has no meaning here");
    return !strpbrk(rest, " ?#") || bs_conf_refuse(ret_why, "a path without ` `, `?` and `#`");
}

struct scheme {
    const char *text;
    bool path_allowed;
};

static bool check_uri(const char *value, const struct scheme *schemes, char ret_why[CONF_WHY_BYTES])
{
    struct bs_slice text = bs_slice_text(value);
    for (const struct scheme *s = schemes; s->text; s++)
        if (bs_slice_starts(text, bs_slice_text(s->text)))
            return check_authority(value + strlen(s->text), s->path_allowed, ret_why);
    bs_conf_refuse(ret_why, "must begin with");
    for (const struct scheme *s = schemes; s->text; s++) {
        size_t used = strlen(ret_why);
        snprintf(ret_why + used, CONF_WHY_BYTES - used, "%s %s", s == schemes ? "" : " or",
                 s->text);
    }
    return false;
}

static bool check_broker(const char *value, char ret_why[CONF_WHY_BYTES])
{
    static const struct scheme schemes[] = {
        {"mqtt://", false}, {"mqtts://", false}, {"ws://", true}, {"wss://", true}, {NULL, false}};
    return check_uri(value, schemes, ret_why);
}

static bool check_url(const char *value, char ret_why[CONF_WHY_BYTES])
{
    static const struct scheme schemes[] = {{"http://", true}, {"https://", true}, {NULL, false}};
    return check_uri(value, schemes, ret_why);
}

static bool keep(const char *value, char **ret, char ret_why[CONF_WHY_BYTES])
{
    *ret = strdup(value);
    return *ret || bs_conf_refuse(ret_why, "out of memory");
}

/* Paths of ours are put behind it, and influxd answers `//write` with a redirection. */
static bool keep_url(const char *value, char **ret, char ret_why[CONF_WHY_BYTES])
{
    if (!keep(value, ret, ret_why))
        return false;
    bs_check(*ret);
    for (size_t length = strlen(*ret); length > 0 && (*ret)[length - 1] == '/'; length--)
        (*ret)[length - 1] = 0;
    return true;
}

static bool take_word(const struct bs_conf_setting *s, const char *value, void *ret,
                      char ret_why[CONF_WHY_BYTES])
{
    int found;
    if (!find_word(s, value, &found, ret_why))
        return false;
    if (s->type == BS_CONF_SWITCH)
        *(bool *)ret = found != 0;
    else
        *(int *)ret = found;
    return true;
}

bool bs_conf_take(const struct bs_conf_setting *setting, const char *value, struct bs_conf *conf,
                  char ret_why[CONF_WHY_BYTES])
{
    void *at = (char *)conf + setting->offset;
    if (!*value)
        return bs_conf_refuse(ret_why, "no value");
    if (!check_text(value, ret_why))
        return false;
    switch (setting->type) {
    case BS_CONF_TEXT:
        return keep(value, at, ret_why);
    case BS_CONF_ID:
        return check_id(value, ret_why) && keep(value, at, ret_why);
    case BS_CONF_TOPIC:
        return check_topic(value, ret_why) && keep(value, at, ret_why);
    case BS_CONF_BROKER:
        return check_broker(value, ret_why) && keep(value, at, ret_why);
    case BS_CONF_URL:
        return check_url(value, ret_why) && keep_url(value, at, ret_why);
    case BS_CONF_NUMBER:
        return take_number(setting, value, at, ret_why);
    case BS_CONF_CHOICE:
    case BS_CONF_SWITCH:
        return take_word(setting, value, at, ret_why);
    case BS_CONF_PATH:
        return bs_conf_data_path(value, at, ret_why);
    case BS_CONF_CREDENTIAL:
        return bs_conf_credential_path(value, at, ret_why);
    case BS_CONF_SECRET:
        return bs_conf_secret(value, at, ret_why);
    }
    return bs_conf_refuse(ret_why, "a type without a reader");
}
