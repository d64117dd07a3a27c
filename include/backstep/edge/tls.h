/* Why TLS to a broker fails, in words for an operator. The MQTT client tells only that it did: this
 * shakes hands once more by libcurl, which says whose certificate was refused and why. */
#ifndef BACKSTEP_EDGE_TLS_H
#define BACKSTEP_EDGE_TLS_H

#include "backstep/base/status.h"

#include <stddef.h>

struct bs_tls_broker {
    const char *uri;                            /* as of edge/mqtt */
    const char *ca_file, *cert_file, *key_file; /* NULL: none */
};

/* Connects, shakes hands, listens for a moment, hangs up; verifies as strictly as the connection
 * that failed. Blocks for 3 s at most, and as long as the resolver. BS_REFUSED: one side refuses
 * the other, which no second try changes, and ret_why says why; the same words for the same fault.
 * BS_OK: nothing is wrong with the certificates. BS_IO: that could not be found out, or the URI
 * asks for no TLS. ret_why stays untouched then. */
enum bs_status bs_tls_explain(const struct bs_tls_broker *broker, char *ret_why, size_t why_bytes);

#endif
