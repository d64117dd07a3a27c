/* Whether TLS can use the files that the configuration names, found out before anything relies on
 * them: a half-written renewal must not cost the connection that stands. Must never reach out: the
 * handshake that makes libcurl load them meets nobody. */
#include "conf_parts.h"

#include <curl/curl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A listener of this process alone, under a name that the kernel chose. */
struct nobody {
    int fd;
    char name[16];
};

static bool listen_as_nobody(struct nobody *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = offsetof(struct sockaddr_un, sun_path);
    ret->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ret->fd < 0)
        return false;
    if (bind(ret->fd, (struct sockaddr *)&address, length) == 0 && listen(ret->fd, 1) == 0) {
        length = sizeof address;
        if (getsockname(ret->fd, (struct sockaddr *)&address, &length) == 0) {
            /* Behind the NUL that marks such a name. */
            int bytes = (int)(length - offsetof(struct sockaddr_un, sun_path)) - 1;
            snprintf(ret->name, sizeof ret->name, "%.*s", bytes, address.sun_path + 1);
            return true;
        }
    }
    close(ret->fd);
    return false;
}

static void hang_up(struct nobody *nobody)
{
    if (nobody->fd >= 0)
        close(nobody->fd);
    nobody->fd = -1;
}

/* Connected, and the handshake is about to begin: it shall end at once. */
static CURLcode on_handshake(CURL *easy, void *tls, void *context)
{
    (void)easy;
    (void)tls;
    hang_up(context);
    return CURLE_OK;
}

static bool set_up(CURL *easy, const struct conf_tls_files *files, struct nobody *nobody,
                   char *said)
{
    /* No password is ever asked for on a terminal: an empty one is tried. And a machine without
     * authorities of its own is none of the files' faults. */
    return curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, said) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, "https://localhost/") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ABSTRACT_UNIX_SOCKET, nobody->name) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_handshake) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, nobody) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAINFO, files->ca) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLCERT, files->cert) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLKEY, files->key) == CURLE_OK;
}

/* Only what libcurl says of the files counts: that the handshake failed is as it should be. */
bool bs_conf_tls_fits(const struct conf_tls_files *files, char ret_why[CONF_WHY_BYTES])
{
    char said[CURL_ERROR_SIZE] = "";
    struct nobody nobody;
    CURLcode code = CURLE_OK;
    if (!listen_as_nobody(&nobody))
        return true;
    CURL *easy = curl_easy_init();
    if (easy && set_up(easy, files, &nobody, said))
        code = curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    hang_up(&nobody);
    if (files->ca && code == CURLE_SSL_CACERT_BADFILE)
        return bs_conf_refuse(ret_why, "%.180s: holds no certificate", files->ca);
    if (code == CURLE_SSL_CERTPROBLEM)
        return bs_conf_refuse(ret_why, "%.220s", said);
    return true;
}
