/* curl's multi interface on a uv loop: one POST at a time, kept alive between them.
 * Must never judge an answer, call `done` from within bs_influx_post, or leave a finished transfer
 * unreported: finished ones are looked for after every curl_multi_socket_action, also when none is
 * said to be running any more (the last one may just have ended by time-out). */
#include "backstep/edge/influx.h"

#include "influx_body.h"
#include "influx_head.h"
#include "influx_request.h"

#include "backstep/base/check.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <time.h>

enum { BODY_MAX = 16 * 1024 };

struct bs_influx {
    uv_loop_t *loop;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    uv_timer_t timer;
    size_t open_handles;
    bool busy, closing;
    struct bs_influx_body body;
    bs_influx_done done;
    void *context;
    void (*closed)(void *context);
    void *closed_context;

    uint64_t given_bytes; /* of the present transfer, to curl */

    /* Of the present answer. */
    struct bs_influx_head head;
    size_t answer_length;
    char answer[BODY_MAX];
    char curl_error[CURL_ERROR_SIZE];
};

struct watch {
    uv_poll_t poll;
    struct bs_influx *influx;
    curl_socket_t fd;
};

/* Answers ------------------------------------------------------------------------------------- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void reset_answer(struct bs_influx *influx)
{
    bs_influx_head_reset(&influx->head);
    influx->answer_length = 0;
}

static size_t take_header(char *at, size_t size, size_t count, void *context)
{
    struct bs_influx *influx = context;
    struct bs_slice line = bs_slice_of(at, size * count);
    if (bs_slice_starts(line, BS_SLICE("HTTP/")))
        influx->answer_length = 0;
    bs_influx_head_take(&influx->head, line, time(NULL));
    return size * count;
}

/* The rest of a long body is read, so that the connection can be used again, and discarded. */
static size_t take_body(char *at, size_t size, size_t count, void *context)
{
    struct bs_influx *influx = context;
    size_t kept = smaller(size * count, BODY_MAX - influx->answer_length);
    memcpy(influx->answer + influx->answer_length, at, kept);
    influx->answer_length += kept;
    return size * count;
}

static size_t give_body(char *to, size_t size, size_t count, void *context)
{
    struct bs_influx *influx = context;
    size_t given = bs_influx_body_read(&influx->body, to, size * count);
    influx->given_bytes += given;
    return given;
}

/* Where a kept connection ends before the answer curl would send it all again by itself, and nobody
 * would know that the first of the two may be applied later, over newer rows. It must ask for the
 * body's beginning first, which it does not get. */
static void fill_cut_off(struct bs_influx *influx, struct bs_influx_answer *ret)
{
    ret->error = BS_SLICE("the connection was closed before the answer");
    ret->sent_bytes = influx->given_bytes;
}

/* An answer whose head came whole is one, also where its body was cut off or the rest of the lines
 * was not taken any more. */
static void fill_answer(struct bs_influx *influx, CURLcode code, struct bs_influx_answer *ret)
{
    long status = 0;
    curl_off_t sent = 0;
    curl_easy_getinfo(influx->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(influx->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    *ret = (struct bs_influx_answer){.retry_after_s = -1, .sent_bytes = (uint64_t)sent};
    if (influx->head.complete && status >= 200) {
        ret->http_status = (int)status;
        ret->body = bs_slice_of(influx->answer, influx->answer_length);
        ret->error = bs_slice_of(influx->head.error, influx->head.error_length);
        ret->retry_after_s = influx->head.retry_after_s;
    } else if (code == CURLE_SEND_FAIL_REWIND) {
        fill_cut_off(influx, ret);
    } else {
        ret->error =
            bs_slice_text(influx->curl_error[0] ? influx->curl_error : curl_easy_strerror(code));
    }
}

static void finish_transfer(struct bs_influx *influx, CURLcode code)
{
    struct bs_influx_answer answer;
    fill_answer(influx, code, &answer);
    curl_multi_remove_handle(influx->multi, influx->easy);
    influx->busy = false;
    influx->done(influx->context, &answer);
}

/* `done` may post the next transfer or close all: the latter ends the loop here. */
static void drain(struct bs_influx *influx)
{
    int left;
    CURLMsg *message;
    while (!influx->closing && (message = curl_multi_info_read(influx->multi, &left))) {
        if (message->msg == CURLMSG_DONE)
            finish_transfer(influx, message->data.result);
    }
}

static void act(struct bs_influx *influx, curl_socket_t fd, int events)
{
    if (influx->closing)
        return;
    int running;
    CURLMcode code = curl_multi_socket_action(influx->multi, fd, events, &running);
    drain(influx);
    /* Only without memory or descriptors; curl then reports nothing more of that transfer. */
    if (code != CURLM_OK && code != CURLM_BAD_SOCKET && influx->busy && !influx->closing)
        finish_transfer(influx, CURLE_OUT_OF_MEMORY);
}

/* Sockets and time, as curl wishes ------------------------------------------------------------ */

static void count_closed(struct bs_influx *influx)
{
    bs_check(influx->open_handles > 0);
    if (--influx->open_handles > 0 || !influx->closing)
        return;
    void (*closed)(void *) = influx->closed;
    void *context = influx->closed_context;
    free(influx);
    if (closed)
        closed(context);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct bs_influx *influx = watch->influx;
    free(watch);
    count_closed(influx);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) | (status < 0 ? CURL_CSELECT_ERR : 0);
    act(watch->influx, watch->fd, flags);
}

static struct watch *watch_new(struct bs_influx *influx, curl_socket_t fd)
{
    struct watch *watch = malloc(sizeof *watch);
    if (!watch)
        return NULL;
    watch->influx = influx;
    watch->fd = fd;
    if (uv_poll_init_socket(influx->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    influx->open_handles++;
    curl_multi_assign(influx->multi, fd, watch);
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    (void)easy;
    struct bs_influx *influx = context;
    struct watch *watch = socket_context;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(influx->multi, fd, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (!watch && !(watch = watch_new(influx, fd)))
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* curl forbids socket_action from within this call: also a time-out of 0 goes through the loop. */
static int on_timeout_wish(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct bs_influx *influx = context;
    if (timeout_ms < 0)
        uv_timer_stop(&influx->timer);
    else if (!influx->closing)
        uv_timer_start(&influx->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    count_closed(handle->data);
}

/* Life ---------------------------------------------------------------------------------------- */

static bool set_callbacks(struct bs_influx *influx)
{
    CURL *easy = influx->easy;
    CURLM *multi = influx->multi;
    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, influx) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, influx) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READDATA, influx) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, influx->curl_error) == CURLE_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, influx) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout_wish) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, influx) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1L) == CURLM_OK;
}

static void free_curl(struct bs_influx *influx)
{
    if (influx->busy)
        curl_multi_remove_handle(influx->multi, influx->easy);
    curl_easy_cleanup(influx->easy);
    if (influx->multi)
        curl_multi_cleanup(influx->multi);
    curl_slist_free_all(influx->headers);
    bs_influx_body_fini(&influx->body);
    curl_global_cleanup();
}

enum bs_status bs_influx_new(struct bs_influx **ret, const struct bs_influx_options *options)
{
    bs_check(options->url && options->timeout_ms > 0);
    struct bs_influx *influx = calloc(1, sizeof *influx);
    if (!influx)
        return BS_NO_MEMORY;
    enum bs_status status = bs_influx_body_init(&influx->body, options->gzip);
    if (status != BS_OK) {
        free(influx);
        return status;
    }
    influx->loop = options->loop;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    influx->easy = curl_easy_init();
    influx->multi = curl_multi_init();
    status = influx->easy && influx->multi
                 ? bs_influx_request_prepare(influx->easy, options, &influx->headers)
                 : BS_NO_MEMORY;
    if (status == BS_OK && !set_callbacks(influx))
        status = BS_NO_MEMORY;
    if (status != BS_OK) {
        free_curl(influx);
        free(influx);
        return status;
    }
    uv_timer_init(influx->loop, &influx->timer);
    influx->timer.data = influx;
    influx->open_handles = 1;
    *ret = influx;
    return BS_OK;
}

enum bs_status bs_influx_post(struct bs_influx *influx, const struct bs_slice *parts,
                              size_t part_count, bs_influx_done done, void *context)
{
    bs_check(!influx->closing && part_count > 0);
    if (influx->busy)
        return BS_BUSY;
    bs_influx_body_set(&influx->body, parts, part_count);
    influx->given_bytes = 0;
    reset_answer(influx);
    influx->curl_error[0] = '\0';
    curl_off_t size = influx->body.gzip ? -1 : (curl_off_t)bs_influx_body_bytes(&influx->body);
    if (curl_easy_setopt(influx->easy, CURLOPT_POSTFIELDSIZE_LARGE, size) != CURLE_OK ||
        curl_multi_add_handle(influx->multi, influx->easy) != CURLM_OK)
        return BS_NO_MEMORY;
    influx->busy = true;
    influx->done = done;
    influx->context = context;
    return BS_OK;
}

void bs_influx_close(struct bs_influx *influx, void (*closed)(void *context), void *context)
{
    bs_check(!influx->closing);
    influx->closing = true;
    influx->closed = closed;
    influx->closed_context = context;
    free_curl(influx); /* closes its sockets, and with them their watches */
    influx->busy = false;
    uv_close((uv_handle_t *)&influx->timer, on_timer_closed);
}
