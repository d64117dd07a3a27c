/* How a message stays unacknowledged. Paho acknowledges whatever its callback returned, and hands
 * no socket out; so the one that leads to the broker is shut, and what Paho writes then goes
 * nowhere. Must never touch what is not a connection to the broker's port; one to another host's
 * same port (a database's) may be cut along, which is as any lost connection to it. */
#include "mqtt_internal.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 65536

static unsigned default_port(const char *uri)
{
    static const struct {
        const char *scheme;
        unsigned port;
    } known[] = {{"mqtt://", 1883}, {"mqtts://", 8883}, {"ws://", 80}, {"wss://", 443}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strncmp(uri, known[i].scheme, strlen(known[i].scheme)) == 0) {
            return known[i].port;
        }
    }
    return 0;
}

/* scheme://host[:port][/path], the host perhaps [::1]. */
static unsigned port_of(const char *uri)
{
    const char *at = strstr(uri, "://") + 3;
    const char *end = at + strcspn(at, "/");
    const char *bracket = memchr(at, ']', (size_t)(end - at));
    const char *colon;

    at = bracket != NULL ? bracket : at;
    colon = memchr(at, ':', (size_t)(end - at));
    return colon != NULL ? (unsigned)strtoul(colon + 1, NULL, 10) : default_port(uri);
}

static bool leads_to(int fd, unsigned port)
{
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof(peer);

    if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0) {
        return false;
    }
    if (peer.ss_family == AF_INET) {
        return ntohs(((const struct sockaddr_in *)&peer)->sin_port) == port;
    }
    return peer.ss_family == AF_INET6 &&
           ntohs(((const struct sockaddr_in6 *)&peer)->sin6_port) == port;
}

void bs_mqtt_cut(const char *uri)
{
    unsigned port = port_of(uri);
    long count = sysconf(_SC_OPEN_MAX);

    if (count < 0 || count > DESCRIPTORS_MAX) {
        count = DESCRIPTORS_MAX;
    }
    for (int fd = 0; fd < (int)count; fd++) {
        if (leads_to(fd, port)) {
            shutdown(fd, SHUT_RDWR);
        }
    }
}
