/* An HTTP server for exact bytes: a thread that reads whole requests, one connection at a time, and
 * answers them from a script, or as the test's own judge says. Must know nothing of what it is
 * asked. */
#ifndef BACKSTEP_TESTS_EDGE_CANNED_SERVER_H
#define BACKSTEP_TESTS_EDGE_CANNED_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define CANNED_204 "HTTP/1.1 204 No Content\r\n\r\n"

enum canned_way {
    CANNED_ANSWER,  /* the text as it stands, the connection stays */
    CANNED_CLOSE,   /* the text, then the connection is closed */
    CANNED_RESET,   /* no answer, RST */
    CANNED_SILENCE, /* no answer until the other side leaves */
    CANNED_SLOWLY,  /* the text, a byte each 2 ms */
    CANNED_LONG,    /* the text, then 3 MB of 'x' */
};

struct canned_step {
    enum canned_way way;
    const char *text;
};

/* The answer to a request's lines; called on the server's thread. */
typedef struct canned_step (*canned_judge)(void *context, const char *body, size_t length);

struct canned_server {
    canned_judge judge; /* NULL: the script says */
    void *judge_context;
    int listener, stop[2];
    unsigned port;
    pthread_t thread;
    const struct canned_step *script; /* behind its end: CANNED_204 */
    size_t script_length;
    _Atomic unsigned requests, connections;
    pthread_mutex_t mutex;
    char head[8192]; /* of the last whole request */
    char *body;      /* of all requests that were answered 204, one behind the other, decoded */
    size_t body_length;
};

struct canned_stream {
    struct canned_server *server;
    int fd;
    char buffer[65536];
    size_t at, length;
};

static inline bool canned_wait(struct canned_server *s, int fd)
{
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {s->stop[0], POLLIN, 0}};
    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static inline int canned_byte(struct canned_stream *in)
{
    if (in->at == in->length) {
        if (!canned_wait(in->server, in->fd))
            return -1;
        ssize_t count = read(in->fd, in->buffer, sizeof(in->buffer));
        if (count <= 0)
            return -1;
        in->at = 0;
        in->length = (size_t)count;
    }
    return (unsigned char)in->buffer[in->at++];
}

static inline bool canned_line(struct canned_stream *in, char *to, size_t room)
{
    size_t used = 0;
    for (;;) {
        int c = canned_byte(in);
        if (c < 0 || used + 1 == room)
            return false;
        to[used++] = (char)c;
        to[used] = '\0';
        if (c == '\n')
            return true;
    }
}

static inline bool canned_take(struct canned_stream *in, char **body, size_t *length, size_t count)
{
    *body = realloc(*body, *length + count + 1);
    for (size_t i = 0; i < count; i++) {
        int c = canned_byte(in);
        if (c < 0)
            return false;
        (*body)[(*length)++] = (char)c;
    }
    return true;
}

static inline bool canned_chunks(struct canned_stream *in, char **body, size_t *length)
{
    char line[256];
    for (;;) {
        if (!canned_line(in, line, sizeof(line)))
            return false;
        size_t count = strtoul(line, NULL, 16);
        if (count > 0 && !canned_take(in, body, length, count))
            return false;
        if (!canned_line(in, line, sizeof(line)))
            return false;
        if (count == 0)
            return true;
    }
}

static inline bool canned_request(struct canned_stream *in, char *head, size_t room, char **body,
                                  size_t *length)
{
    size_t used = 0;
    do {
        if (!canned_line(in, head + used, room - used))
            return false;
        used += strlen(head + used);
    } while (strcmp(head + used - 2, "\r\n") != 0 || (used >= 4 && head[used - 3] != '\n'));
    const char *fixed = strcasestr(head, "\r\nContent-Length:");
    if (strcasestr(head, "\r\nTransfer-Encoding: chunked"))
        return canned_chunks(in, body, length);
    return !fixed || canned_take(in, body, length, strtoul(fixed + 17, NULL, 10));
}

static inline void canned_gunzip(char **body, size_t *length)
{
    z_stream z = {.next_in = (Bytef *)*body, .avail_in = (uInt)*length};
    size_t room = 65536;
    char *plain = NULL;
    int result = inflateInit2(&z, 15 + 16);
    do {
        room *= 2;
        plain = realloc(plain, room);
        z.next_out = (Bytef *)plain + z.total_out;
        z.avail_out = (uInt)(room - z.total_out);
        result = result == Z_OK ? inflate(&z, Z_NO_FLUSH) : result;
    } while (result == Z_OK && z.avail_out == 0);
    if (result != Z_STREAM_END || z.avail_in) {
        fprintf(stderr, "the request's gzip is bad: %s\n", z.msg ? z.msg : "cut off");
        abort();
    }
    *length = z.total_out;
    inflateEnd(&z);
    free(*body);
    *body = plain;
}

static inline void canned_send(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t count = send(fd, text, length, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        text += count;
        length -= (size_t)count;
    }
}

static inline bool canned_answer(struct canned_server *s, int fd, const struct canned_step *step)
{
    static char filling[3000000];
    switch (step->way) {
    case CANNED_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        return false;
    case CANNED_SILENCE: {
        char byte;
        while (canned_wait(s, fd) && recv(fd, &byte, 1, 0) > 0)
            ;
        return false;
    }
    case CANNED_SLOWLY:
        for (const char *c = step->text; *c; c++) {
            canned_send(fd, c, 1);
            usleep(2000);
        }
        return true;
    case CANNED_LONG:
        memset(filling, 'x', sizeof(filling));
        canned_send(fd, step->text, strlen(step->text));
        canned_send(fd, filling, sizeof(filling));
        return true;
    default:
        canned_send(fd, step->text, strlen(step->text));
        return step->way == CANNED_ANSWER;
    }
}

static inline void canned_keep(struct canned_server *s, const char *head, const char *body,
                               size_t length, bool stored)
{
    pthread_mutex_lock(&s->mutex);
    snprintf(s->head, sizeof(s->head), "%s", head);
    if (stored && length > 0) {
        s->body = realloc(s->body, s->body_length + length + 1);
        memcpy(s->body + s->body_length, body, length);
        s->body_length += length;
        s->body[s->body_length] = '\0';
    }
    pthread_mutex_unlock(&s->mutex);
}

static inline void canned_serve(struct canned_server *s, int fd)
{
    struct canned_stream in = {.server = s, .fd = fd};
    char head[8192];
    for (bool stays = true; stays;) {
        char *body = NULL;
        size_t length = 0;
        if (!canned_request(&in, head, sizeof(head), &body, &length)) {
            free(body);
            return;
        }
        if (strcasestr(head, "\r\nContent-Encoding: gzip"))
            canned_gunzip(&body, &length);
        unsigned number = atomic_load(&s->requests);
        struct canned_step step = number < s->script_length
                                      ? s->script[number]
                                      : (struct canned_step){CANNED_ANSWER, CANNED_204};
        if (s->judge)
            step = s->judge(s->judge_context, body ? body : "", length);
        canned_keep(s, head, body, length, step.text && strstr(step.text, " 204 "));
        free(body);
        atomic_fetch_add(&s->requests, 1);
        stays = canned_answer(s, fd, &step);
    }
}

static inline void *canned_run(void *context)
{
    struct canned_server *s = context;
    while (canned_wait(s, s->listener)) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&s->connections, 1);
        canned_serve(s, fd);
        close(fd);
    }
    return NULL;
}

static inline int canned_listen(unsigned *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        perror("listen on a free loopback port");
        abort();
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline void canned_start(struct canned_server *s, const struct canned_step *script,
                                size_t script_length)
{
    *s = (struct canned_server){.script = script, .script_length = script_length};
    pthread_mutex_init(&s->mutex, NULL);
    s->listener = canned_listen(&s->port);
    if (pipe(s->stop) != 0 || pthread_create(&s->thread, NULL, canned_run, s) != 0)
        abort();
}

static inline void canned_stop(struct canned_server *s)
{
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
    close(s->stop[0]);
    close(s->listener);
    pthread_mutex_destroy(&s->mutex);
    free(s->body);
}

#endif
