/* The write address and its headers. Must never print or keep a secret beyond the handle's own
 * copy. */
#include "influx_request.h"

#include "backstep/base/buffer.h"

enum { URL_MAX = 8192, HEADER_MAX = 8192 };

/* Precision is always said: InfluxDB 1 reads a missing or unknown one as nanoseconds. */
static const struct {
    const char *path, *precision;
} apis[] = {
    [BS_INFLUX_V1] = {"/write", "ms"},
    [BS_INFLUX_V2] = {"/api/v2/write", "ms"},
    [BS_INFLUX_V3] = {"/api/v3/write_lp", "millisecond"},
};

static void add_parameter(struct bs_buffer *url, CURL *easy, const char *name, const char *value)
{
    if (!value)
        return;
    char *escaped = curl_easy_escape(easy, value, 0);
    if (!escaped) {
        url->failed = true;
        return;
    }
    bs_buffer_add_char(url, '&');
    bs_buffer_add_text(url, name);
    bs_buffer_add_char(url, '=');
    bs_buffer_add_text(url, escaped);
    curl_free(escaped);
}

static enum bs_status set_url(CURL *easy, const struct bs_influx_options *o)
{
    struct bs_buffer url;
    bs_buffer_init(&url, URL_MAX);
    struct bs_slice base = bs_slice_text(o->url);
    while (base.length > 0 && base.at[base.length - 1] == '/')
        base.length--;
    bs_buffer_add(&url, base);
    bs_buffer_add_text(&url, apis[o->api].path);
    bs_buffer_add_text(&url, "?precision=");
    bs_buffer_add_text(&url, apis[o->api].precision);
    if (o->api == BS_INFLUX_V2) {
        add_parameter(&url, easy, "org", o->org);
        add_parameter(&url, easy, "bucket", o->bucket);
    } else {
        add_parameter(&url, easy, "db", o->database);
    }
    if (o->api == BS_INFLUX_V1)
        add_parameter(&url, easy, "rp", o->retention_policy);
    bs_buffer_add_char(&url, '\0');
    CURLcode code = url.failed ? CURLE_OUT_OF_MEMORY : curl_easy_setopt(easy, CURLOPT_URL, url.at);
    bs_buffer_fini(&url);
    return code == CURLE_OK ? BS_OK : BS_NO_MEMORY;
}

static bool add_header(struct curl_slist **headers, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*headers, text);
    if (!longer)
        return false;
    *headers = longer;
    return true;
}

static bool add_authorization(struct curl_slist **headers, const struct bs_influx_options *o)
{
    if (!o->token)
        return true;
    struct bs_buffer text;
    bs_buffer_init(&text, HEADER_MAX);
    bs_buffer_add_text(&text, "Authorization: ");
    bs_buffer_add_text(&text, o->api == BS_INFLUX_V3 ? "Bearer " : "Token ");
    bs_buffer_add_text(&text, o->token);
    bs_buffer_add_char(&text, '\0');
    bool done = !text.failed && add_header(headers, text.at);
    bs_buffer_fini(&text);
    return done;
}

/* "Expect:" without a value: curl would wait a second for servers that do not know it. */
static bool add_headers(struct curl_slist **headers, const struct bs_influx_options *o)
{
    bool done = add_header(headers, "Content-Type: text/plain; charset=utf-8") &&
                add_header(headers, "Expect:") && add_authorization(headers, o);
    if (done && o->gzip)
        done = add_header(headers, "Content-Encoding: gzip") &&
               add_header(headers, "Transfer-Encoding: chunked");
    return done;
}

#define SET(option, value)                                                                         \
    do {                                                                                           \
        CURLcode set_code = curl_easy_setopt(easy, option, value);                                 \
        if (set_code != CURLE_OK)                                                                  \
            return set_code == CURLE_OUT_OF_MEMORY ? BS_NO_MEMORY : BS_INVALID;                    \
    } while (0)

static enum bs_status set_transport(CURL *easy, const struct bs_influx_options *o)
{
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)o->timeout_ms);
    /* Else the loop would wait for a resolver that hangs whenever a transfer ends before it. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    if (o->ca_file)
        SET(CURLOPT_CAINFO, o->ca_file);
    return BS_OK;
}

static enum bs_status set_request(CURL *easy, const struct bs_influx_options *o,
                                  struct curl_slist *headers)
{
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_USERAGENT, "backstepd/" BACKSTEP_VERSION);
    if (o->username) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, o->username);
        SET(CURLOPT_PASSWORD, o->password ? o->password : "");
    }
    return BS_OK;
}

static bool url_is_sound(const char *text)
{
    CURLU *url = curl_url();
    bool sound = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
    curl_url_cleanup(url);
    return sound;
}

enum bs_status bs_influx_request_prepare(CURL *easy, const struct bs_influx_options *options,
                                         struct curl_slist **ret_headers)
{
    if (!url_is_sound(options->url))
        return BS_INVALID;
    struct curl_slist *headers = NULL;
    enum bs_status status = add_headers(&headers, options) ? BS_OK : BS_NO_MEMORY;
    if (status == BS_OK)
        status = set_url(easy, options);
    if (status == BS_OK)
        status = set_transport(easy, options);
    if (status == BS_OK)
        status = set_request(easy, options, headers);
    if (status != BS_OK) {
        curl_slist_free_all(headers);
        return status;
    }
    *ret_headers = headers;
    return BS_OK;
}
