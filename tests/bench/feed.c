/* A loopback MQTT server that does nothing but feed one subscriber as fast as it acknowledges, or
 * at a steady rate, so that the subscriber's CPU is all there is to measure.
 *
 *   feed [-r RATE] [-n MESSAGES] [-d DEVICES] SITE
 *
 * Speaks MQTT 5 and 3.1.1 as far as the daemon and a bare Paho client need it: answers, echoes a
 * topic that is subscribed to by its full name, and has one retained document, that guests are
 * welcome. Who subscribes to `device/#` is the subscriber.
 *
 * Prints "port N", after a warm-up "ready", then waits for a line on its standard input; "end S" S
 * seconds later, when the last message is acknowledged; and "service DOCUMENT" when the subscriber
 * has left, if it ever published one. Ends with its standard input. Must never send more at once
 * than the client's receive maximum, nor look at what it is sent but for topic and length. */
#include "backstep/base/check.h"
#include "backstep/base/slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX       8
#define IN_BYTES        (256u * 1024)
#define OUT_BYTES       (64u * 1024)
#define MESSAGE_MAX     512u
#define STEP_IDS        50000u /* packet ids of steps; those above are of everything else */
#define SLICE_NS        1000000
#define SECOND_NS       INT64_C(1000000000)
#define WARM_PER_DEVICE 4

enum packet {
    CONNECT = 1,
    PUBLISH = 3,
    PUBACK = 4,
    SUBSCRIBE = 8,
    PINGREQ = 12,
};

enum phase { WAITING, WARMING, READY, FEEDING, DONE };

struct link {
    int fd;
    int version;          /* 4 is 3.1.1, 5 is 5 */
    unsigned receive_max; /* what may be in flight to it */
    char echoed[256];     /* the topic it subscribed to by name, or "" */
    uint8_t in[IN_BYTES], out[OUT_BYTES];
    size_t in_length, out_length, out_sent;
};

struct feed {
    const char *site;
    uint64_t rate, messages, devices;
    int listener;
    struct link links[LINKS_MAX];
    struct link *subscriber;
    enum phase phase;
    uint64_t made; /* of all messages, for device and seq */
    uint64_t wanted, sent, acknowledged;
    int64_t began_ns;
    char service[16384];
};

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Writing. */

static void put(struct link *l, const void *bytes, size_t length)
{
    bs_check(l->out_length + length <= OUT_BYTES);
    memcpy(l->out + l->out_length, bytes, length);
    l->out_length += length;
}

static void put_u16(struct link *l, unsigned value)
{
    uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    put(l, bytes, 2);
}

static void put_head(struct link *l, unsigned first, size_t length)
{
    uint8_t bytes[3] = {(uint8_t)first, (uint8_t)length, 0};
    if (length < 128) {
        put(l, bytes, 2);
        return;
    }
    bytes[1] = (uint8_t)(length % 128 | 128);
    bytes[2] = (uint8_t)(length / 128);
    put(l, bytes, 3);
}

static void put_publish(struct link *l, struct bs_slice topic, struct bs_slice payload, unsigned id,
                        bool retained)
{
    size_t properties = l->version == 5;
    put_head(l, PUBLISH << 4 | 2 | retained, 2 + topic.length + 2 + properties + payload.length);
    put_u16(l, (unsigned)topic.length);
    put(l, topic.at, topic.length);
    put_u16(l, id);
    put(l, "", properties);
    put(l, payload.at, payload.length);
}

static void flush(struct link *l)
{
    if (l->out_length == l->out_sent)
        return;
    ssize_t sent = send(l->fd, l->out + l->out_sent, l->out_length - l->out_sent, MSG_NOSIGNAL);
    if (sent > 0)
        l->out_sent += (size_t)sent;
    if (l->out_sent == l->out_length)
        l->out_sent = l->out_length = 0;
}

/* Steps. */

static void put_step(struct feed *f, int64_t wall_ms)
{
    char topic[160], payload[MESSAGE_MAX];
    unsigned device = (unsigned)(f->made % f->devices), seq = (unsigned)(f->made / f->devices);
    int topic_length =
        snprintf(topic, sizeof topic, "backstep/v1/%s/device/pod-%06u/steps", f->site, device);
    int length = snprintf(payload, sizeof payload,
                          "{\"v\":1,\"boot\":1184307201,\"seq\":%u,\"t\":%lld,\"foot\":\"%c\","
                          "\"dir\":\"F\",\"step_ms\":%u,\"contact_ms\":%u,\"step_mm\":%u}",
                          seq, (long long)wall_ms, seq % 2 ? 'L' : 'R', 530 + device % 40,
                          580 + seq % 40, 620 + (device + seq) % 80);
    put_publish(f->subscriber, bs_slice_of(topic, (size_t)topic_length),
                bs_slice_of(payload, (size_t)length), (unsigned)(f->made % STEP_IDS) + 1, false);
    f->made++;
    f->sent++;
}

/* At a rate, whole slices of a millisecond: all that has become due by the slice's beginning. */
static uint64_t due_by_now(const struct feed *f)
{
    if (f->rate == 0 || f->phase == WARMING)
        return f->wanted;
    int64_t slices = (now_ns(CLOCK_MONOTONIC) - f->began_ns) / SLICE_NS;
    uint64_t due = (uint64_t)slices * f->rate / (SECOND_NS / SLICE_NS);
    return due < f->wanted ? due : f->wanted;
}

static void send_steps(struct feed *f)
{
    struct link *l = f->subscriber;
    if (f->phase != WARMING && f->phase != FEEDING)
        return;
    uint64_t due = due_by_now(f);
    int64_t wall_ms = now_ns(CLOCK_REALTIME) / 1000000;
    while (f->sent < due && f->sent - f->acknowledged < l->receive_max &&
           l->out_length + 2 * MESSAGE_MAX < OUT_BYTES)
        put_step(f, wall_ms);
}

static void begin(struct feed *f, enum phase phase, uint64_t messages)
{
    f->phase = phase;
    f->wanted = messages;
    f->sent = f->acknowledged = 0;
    f->began_ns = now_ns(CLOCK_MONOTONIC);
}

static void count_acknowledgement(struct feed *f)
{
    if (++f->acknowledged < f->wanted)
        return;
    if (f->phase == WARMING) {
        f->phase = READY;
        printf("ready\n");
    } else if (f->phase == FEEDING) {
        f->phase = DONE;
        printf("end %.6f\n", (double)(now_ns(CLOCK_MONOTONIC) - f->began_ns) / 1e9);
    }
}

/* Reading. A packet's body, and what is left of it. */

static unsigned take_u8(struct bs_slice *s)
{
    if (s->length == 0)
        return 0;
    unsigned value = (uint8_t)*s->at;
    *s = bs_slice_of(s->at + 1, s->length - 1);
    return value;
}

static unsigned take_u16(struct bs_slice *s)
{
    unsigned high = take_u8(s);
    return high << 8 | take_u8(s);
}

static struct bs_slice take(struct bs_slice *s, size_t length)
{
    struct bs_slice taken = bs_slice_of(s->at, length < s->length ? length : s->length);
    *s = bs_slice_of(s->at + taken.length, s->length - taken.length);
    return taken;
}

static size_t take_length(struct bs_slice *s)
{
    size_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        unsigned byte = take_u8(s);
        value |= (size_t)(byte & 127) << shift;
        if (byte < 128)
            break;
    }
    return value;
}

static struct bs_slice take_properties(const struct link *l, struct bs_slice *s)
{
    return l->version == 5 ? take(s, take_length(s)) : bs_slice_of("", 0);
}

/* Of a CONNECT's properties only those of fixed size stand before what is sought here. */
static unsigned find_receive_max(struct bs_slice properties)
{
    while (properties.length) {
        switch (take_u8(&properties)) {
        case 0x21:
            return take_u16(&properties);
        case 0x11:
        case 0x27:
            take(&properties, 4);
            break;
        case 0x22:
            take(&properties, 2);
            break;
        case 0x17:
        case 0x19:
            take(&properties, 1);
            break;
        default:
            return 0;
        }
    }
    return 0;
}

static void on_connect(struct link *l, struct bs_slice body)
{
    take(&body, take_u16(&body));
    l->version = (int)take_u8(&body);
    take_u8(&body);
    take_u16(&body);
    unsigned receive_max = find_receive_max(take_properties(l, &body));
    l->receive_max = receive_max ? receive_max : 100;
    put_head(l, 0x20, l->version == 5 ? 3 : 2);
    put(l, "\0\0", l->version == 5 ? 3 : 2);
}

static bool ends_with(struct bs_slice s, const char *end)
{
    size_t length = strlen(end);
    return s.length >= length && memcmp(s.at + s.length - length, end, length) == 0;
}

static void send_document(const struct feed *f, struct link *l)
{
    char topic[160];
    snprintf(topic, sizeof topic, "backstep/v1/%s/config/settings/site", f->site);
    put_publish(l, bs_slice_text(topic), BS_SLICE("{\"unknown_devices\":\"guest\"}"), STEP_IDS + 1,
                true);
}

static void on_subscribe(struct feed *f, struct link *l, struct bs_slice body)
{
    unsigned id = take_u16(&body);
    take_properties(l, &body);
    struct bs_slice filter = take(&body, take_u16(&body));
    put_head(l, 0x90, l->version == 5 ? 4 : 3);
    put_u16(l, id);
    put(l, l->version == 5 ? "\0\1" : "\1", l->version == 5 ? 2 : 1);
    if (ends_with(filter, "/config/#")) {
        send_document(f, l);
    } else if (ends_with(filter, "/device/#")) {
        f->subscriber = l;
        begin(f, WARMING, WARM_PER_DEVICE * f->devices);
    } else if (filter.length < sizeof l->echoed) {
        memcpy(l->echoed, filter.at, filter.length);
        l->echoed[filter.length] = 0;
    }
}

static void on_publish(struct feed *f, struct link *l, unsigned flags, struct bs_slice body)
{
    struct bs_slice topic = take(&body, take_u16(&body));
    if (flags & 6) {
        put_head(l, PUBACK << 4, 2);
        put_u16(l, take_u16(&body));
    }
    take_properties(l, &body);
    if (l->echoed[0] && bs_slice_equal(topic, bs_slice_text(l->echoed)))
        put_publish(l, topic, body, STEP_IDS + 2, false);
    else if (memmem(topic.at, topic.length, "/service/", 9) && body.length < sizeof f->service) {
        memcpy(f->service, body.at, body.length);
        f->service[body.length] = 0;
    }
}

static void on_packet(struct feed *f, struct link *l, unsigned first, struct bs_slice body)
{
    switch (first >> 4) {
    case CONNECT:
        on_connect(l, body);
        break;
    case SUBSCRIBE:
        on_subscribe(f, l, body);
        break;
    case PUBLISH:
        on_publish(f, l, first, body);
        break;
    case PUBACK:
        if (l == f->subscriber && take_u16(&body) <= STEP_IDS)
            count_acknowledgement(f);
        break;
    case PINGREQ:
        put_head(l, 0xD0, 0);
        break;
    default:
        break;
    }
}

/* False where the next packet is not there as a whole. */
static bool next_packet(struct feed *f, struct link *l, size_t *at)
{
    struct bs_slice rest = bs_slice_of((char *)l->in + *at, l->in_length - *at);
    if (rest.length < 2)
        return false;
    unsigned first = take_u8(&rest);
    size_t length = take_length(&rest);
    bs_check(length < IN_BYTES - 8);
    if (length > rest.length)
        return false;
    struct bs_slice body = take(&rest, length);
    *at = l->in_length - rest.length;
    on_packet(f, l, first, body);
    return true;
}

static void drop_link(struct feed *f, struct link *l)
{
    close(l->fd);
    l->fd = -1;
    if (l != f->subscriber)
        return;
    f->subscriber = NULL;
    f->phase = WAITING;
    printf("service %s\n", f->service[0] ? f->service : "{}");
}

static void receive(struct feed *f, struct link *l)
{
    ssize_t got = recv(l->fd, l->in + l->in_length, IN_BYTES - l->in_length, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop_link(f, l);
        return;
    }
    l->in_length += (size_t)got;
    size_t at = 0;
    /* Room for every answer: each is shorter than a message. */
    while (l->out_length + 20 * MESSAGE_MAX < OUT_BYTES && next_packet(f, l, &at))
        ;
    memmove(l->in, l->in + at, l->in_length - at);
    l->in_length -= at;
}

/* The loop. */

static void accept_link(struct feed *f)
{
    static const int on = 1;
    int fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (int i = 0; i < LINKS_MAX; i++) {
        struct link *l = &f->links[i];
        if (l->fd >= 0)
            continue;
        l->fd = fd;
        l->in_length = l->out_length = l->out_sent = 0;
        l->echoed[0] = 0;
        return;
    }
    close(fd);
}

static void read_order(struct feed *f)
{
    char line[64];
    if (read(STDIN_FILENO, line, sizeof line) <= 0)
        exit(0);
    if (f->phase == READY)
        begin(f, FEEDING, f->messages);
}

static struct timespec until_next_slice(const struct feed *f)
{
    if (f->phase != FEEDING || f->rate == 0)
        return (struct timespec){1, 0};
    int64_t past = (now_ns(CLOCK_MONOTONIC) - f->began_ns) % SLICE_NS;
    return (struct timespec){0, SLICE_NS - past};
}

static void serve(struct feed *f)
{
    for (;;) {
        struct pollfd polled[LINKS_MAX + 2] = {{f->listener, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        for (int i = 0; i < LINKS_MAX; i++) {
            struct link *l = &f->links[i];
            short events = l->out_length > l->out_sent ? POLLIN | POLLOUT : POLLIN;
            polled[2 + i] = (struct pollfd){l->fd, events, 0};
        }
        struct timespec wait = until_next_slice(f);
        ppoll(polled, LINKS_MAX + 2, &wait, NULL);
        if (polled[0].revents)
            accept_link(f);
        if (polled[1].revents)
            read_order(f);
        for (int i = 0; i < LINKS_MAX; i++)
            if (f->links[i].fd >= 0 && polled[2 + i].revents & ~POLLOUT)
                receive(f, &f->links[i]);
        if (f->subscriber)
            send_steps(f);
        for (int i = 0; i < LINKS_MAX; i++)
            if (f->links[i].fd >= 0)
                flush(&f->links[i]);
    }
}

static void start_listening(struct feed *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&address, length) != 0 ||
        listen(f->listener, 8) != 0 ||
        getsockname(f->listener, (struct sockaddr *)&address, &length) != 0) {
        perror("feed: cannot listen");
        exit(1);
    }
    printf("port %d\n", ntohs(address.sin_port));
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*end || end == text) {
        fprintf(stderr, "feed: not a number: %s\n", text);
        exit(64);
    }
    return value;
}

int main(int argc, char **argv)
{
    static struct feed f = {.messages = 100000, .devices = 1000};
    for (int option; (option = getopt(argc, argv, "r:n:d:")) != -1;) {
        if (option == 'r')
            f.rate = number(optarg);
        else if (option == 'n')
            f.messages = number(optarg);
        else if (option == 'd')
            f.devices = number(optarg);
        else
            return 64;
    }
    if (optind != argc - 1 || f.devices == 0) {
        fprintf(stderr, "usage: %s [-r RATE] [-n MESSAGES] [-d DEVICES] SITE\n", argv[0]);
        return 64;
    }
    f.site = argv[optind];
    for (int i = 0; i < LINKS_MAX; i++)
        f.links[i].fd = -1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    start_listening(&f);
    serve(&f);
}
