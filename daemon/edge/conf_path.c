/* Paths and the files they name: data below the state folder, credentials below the folder that
 * systemd made for us. Must never write, and never put a secret into a reason. */
#include "backstep/base/check.h"
#include "conf_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET_BYTES_MAX 4096

static bool join(struct bs_slice folder, const char *name, char **ret, char ret_why[CONF_WHY_BYTES])
{
    if (asprintf(ret, "%.*s/%s", (int)folder.length, folder.at, name) >= 0)
        return true;
    *ret = NULL;
    return bs_conf_refuse(ret_why, "out of memory");
}

/* $STATE_DIRECTORY may be several, with colons between. */
static struct bs_slice state_folder(void)
{
    const char *folders = getenv("STATE_DIRECTORY");
    return folders && *folders ? bs_slice_of(folders, strcspn(folders, ":")) : BS_SLICE(".");
}

bool bs_conf_data_path(const char *value, char **ret, char ret_why[CONF_WHY_BYTES])
{
    struct bs_slice folder = state_folder();
    if (value[0] != '/' && strcmp(value, ".") != 0)
        return join(folder, value, ret, ret_why);
    *ret = value[0] == '/' ? strdup(value) : strndup(folder.at, folder.length);
    return *ret || bs_conf_refuse(ret_why, "out of memory");
}

static bool resolve_credential(const char *value, char **ret, char ret_why[CONF_WHY_BYTES])
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (value[0] != '/' && (!folder || !*folder))
        return bs_conf_refuse(
            ret_why, "`%.100s` is relative to $CREDENTIALS_DIRECTORY, which is not set", value);
    if (value[0] != '/')
        return join(bs_slice_text(folder), value, ret, ret_why);
    *ret = strdup(value);
    return *ret || bs_conf_refuse(ret_why, "out of memory");
}

static bool open_readable(const char *path, int *ret, char ret_why[CONF_WHY_BYTES])
{
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    return *ret >= 0 || bs_conf_refuse(ret_why, "%.180s: %s", path, strerror(errno));
}

bool bs_conf_credential_path(const char *value, char **ret, char ret_why[CONF_WHY_BYTES])
{
    char *path = NULL;
    int fd = -1;
    if (!resolve_credential(value, &path, ret_why))
        return false;
    bs_check(path);
    if (!open_readable(path, &fd, ret_why)) {
        free(path);
        return false;
    }
    close(fd);
    *ret = path;
    return true;
}

/* At most `room` bytes; -1 with errno. */
static ssize_t read_all(int fd, char *at, size_t room)
{
    size_t used = 0;
    while (used < room) {
        ssize_t got = read(fd, at + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

static bool check_secret(char *text, size_t length, const char *path, char ret_why[CONF_WHY_BYTES])
{
    if (length > SECRET_BYTES_MAX)
        return bs_conf_refuse(ret_why, "%.180s: larger than 4 KiB", path);
    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length > 0 && text[length - 1] == '\r')
        length--;
    text[length] = 0;
    if (length == 0)
        return bs_conf_refuse(ret_why, "%.180s: empty", path);
    /* One would end a header of HTTP, or a C text. */
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return bs_conf_refuse(ret_why, "%.180s: a control character", path);
    return true;
}

static bool read_secret(int fd, const char *path, char **ret, char ret_why[CONF_WHY_BYTES])
{
    char text[SECRET_BYTES_MAX + 1];
    ssize_t length = read_all(fd, text, sizeof text);
    bool good = length >= 0 ? check_secret(text, (size_t)length, path, ret_why)
                            : bs_conf_refuse(ret_why, "%.180s: %s", path, strerror(errno));
    char *secret = good ? strdup(text) : NULL;
    explicit_bzero(text, sizeof text);
    if (good && !secret)
        return bs_conf_refuse(ret_why, "out of memory");
    if (good)
        *ret = secret;
    return good;
}

bool bs_conf_secret(const char *value, char **ret, char ret_why[CONF_WHY_BYTES])
{
    char *path = NULL;
    int fd = -1;
    if (!resolve_credential(value, &path, ret_why))
        return false;
    bs_check(path);
    bool good = open_readable(path, &fd, ret_why);
    if (good) {
        good = read_secret(fd, path, ret, ret_why);
        close(fd);
    }
    free(path);
    return good;
}
