/* One handshake with the broker, for its error text. Must never hand over more than a handshake:
 * neither a password nor a byte of MQTT, and must never trust what it cannot verify. */
#include "backstep/edge/tls.h"

#include "backstep/base/slice.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_MS 2000
#define LISTEN_MS  1000

/* The default ports, as the MQTT client has them. */
static const struct {
    const char *scheme;
    int port;
} schemes[] = {{"mqtts://", 8883}, {"wss://", 443}};

static const char *authority_of(const char *uri, int *ret_port)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i].scheme);
        if (strncmp(uri, schemes[i].scheme, length) != 0)
            continue;
        *ret_port = schemes[i].port;
        return uri + length;
    }
    return NULL;
}

/* https://HOST:PORT of the broker; NULL: no TLS, or no memory. */
static char *url_of(const char *uri)
{
    int port;
    const char *authority = authority_of(uri, &port);
    if (!authority)
        return NULL;
    int length = (int)strcspn(authority, "/");
    const char *bracket = memchr(authority, ']', (size_t)length);
    const char *host_end = bracket ? bracket : authority;
    bool has_port = memchr(host_end, ':', (size_t)(authority + length - host_end)) != NULL;
    char *url;
    int made = has_port ? asprintf(&url, "https://%.*s", length, authority)
                        : asprintf(&url, "https://%.*s:%d", length, authority, port);
    return made >= 0 ? url : NULL;
}

/* ---- what libcurl says, for people ---- */

/* Why a broker hangs up on a handshake that we found good; the alert stands behind the last "::".
 */
static void say_refused(const char *said, bool has_certificate, char *ret_why, size_t why_bytes)
{
    const char *alert = NULL;
    for (const char *at = strstr(said, "::"); at; at = strstr(at + 2, "::"))
        alert = at + 2;
    if (alert && strstr(alert, "alert"))
        snprintf(ret_why, why_bytes, "the broker refuses our certificate: %.*s",
                 (int)strcspn(alert, ",\n"), alert);
    else if (has_certificate)
        snprintf(ret_why, why_bytes,
                 "the broker hung up after the TLS handshake: "
                 "does it accept our certificate?");
    else
        snprintf(ret_why, why_bytes,
                 "the broker hung up after the TLS handshake: "
                 "does it ask for a certificate of ours (cert_file)?");
}

/* Numbers of OpenSSL's verification: no way leads from the certificate to one that we trust. */
static bool is_unknown_authority(long verified)
{
    return verified == 2 || (verified >= 18 && verified <= 21);
}

static void say_unverified(const char *said, long verified, char *ret_why, size_t why_bytes)
{
    static const char *const prefixes[] = {"SSL certificate problem: ", "SSL: "};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (bs_slice_starts(bs_slice_text(said), bs_slice_text(prefixes[i])))
            said += strlen(prefixes[i]);
    snprintf(ret_why, why_bytes, "the broker's certificate is not accepted: %s%s", said,
             is_unknown_authority(verified) ? " (is its authority in ca_file?)" : "");
}

static enum bs_status judge(CURL *easy, CURLcode code, const char *said, bool has_certificate,
                            char *ret_why, size_t why_bytes)
{
    long verified = 0;
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verified);
        say_unverified(said, verified, ret_why, why_bytes);
        return BS_REFUSED;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        snprintf(ret_why, why_bytes, "a certificate file cannot be used: %s", said);
        return BS_REFUSED;
    case CURLE_SSL_CONNECT_ERROR:
        if (strstr(said, "alert")) {
            say_refused(said, has_certificate, ret_why, why_bytes);
            return BS_REFUSED;
        }
        return BS_IO;
    default:
        return code == CURLE_OK ? BS_OK : BS_IO;
    }
}

/* ---- the handshake ---- */

/* With TLS 1.3 the broker looks at our certificate when the handshake is over for us: its verdict
 * is the first thing to be read. False: it hung up. */
static bool is_welcome(CURL *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    char byte;
    size_t got = 0;
    CURLcode code = CURLE_AGAIN;
    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
    struct pollfd reader = {.fd = fd, .events = POLLIN};
    /* A few rounds: what comes first may be a session's ticket, of which nothing is handed on. */
    for (int i = 0; i < 4 && code == CURLE_AGAIN; i++) {
        if (poll(&reader, 1, LISTEN_MS / 4) > 0)
            code = curl_easy_recv(easy, &byte, 1, &got);
    }
    return code == CURLE_AGAIN || (code == CURLE_OK && got > 0);
}

/* libcurl's error text is the first one of a transfer; the alert comes with a later one. */
static int on_text(CURL *easy, curl_infotype type, char *text, size_t length, void *context)
{
    (void)easy;
    if (type == CURLINFO_TEXT && memmem(text, length, "::", 2) && memmem(text, length, "alert", 5))
        snprintf(context, CURL_ERROR_SIZE, "%.*s", (int)length, text);
    return 0;
}

static bool set_up(CURL *easy, const struct bs_tls_broker *b, const char *url, char *said)
{
    /* No password is ever asked for on a terminal: an empty one is tried. */
    return curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, said) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_text) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_DEBUGDATA, said) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "") == CURLE_OK &&
           (!b->ca_file || curl_easy_setopt(easy, CURLOPT_CAINFO, b->ca_file) == CURLE_OK) &&
           curl_easy_setopt(easy, CURLOPT_SSLCERT, b->cert_file) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLKEY, b->key_file) == CURLE_OK;
}

enum bs_status bs_tls_explain(const struct bs_tls_broker *broker, char *ret_why, size_t why_bytes)
{
    char said[CURL_ERROR_SIZE] = "";
    enum bs_status status = BS_IO;
    char *url = url_of(broker->uri);
    CURL *easy = url ? curl_easy_init() : NULL;
    if (easy && set_up(easy, broker, url, said)) {
        status = judge(easy, curl_easy_perform(easy), said, broker->cert_file, ret_why, why_bytes);
        if (status == BS_OK && !is_welcome(easy)) {
            say_refused(said, broker->cert_file, ret_why, why_bytes);
            status = BS_REFUSED;
        }
    }
    curl_easy_cleanup(easy);
    free(url);
    return status;
}
