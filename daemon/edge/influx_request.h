/* What a POST to InfluxDB looks like from outside: address and headers of the three write APIs.
 * Must never look at a line. */
#ifndef BACKSTEP_DAEMON_EDGE_INFLUX_REQUEST_H
#define BACKSTEP_DAEMON_EDGE_INFLUX_REQUEST_H

#include "backstep/edge/influx.h"

#include <curl/curl.h>

/* Sets all that is the same for every transfer on the handle; *ret_headers must outlive it and is
 * freed with curl_slist_free_all. BS_NO_MEMORY, or BS_INVALID where curl does not take the URL. */
enum bs_status bs_influx_request_prepare(CURL *easy, const struct bs_influx_options *options,
                                         struct curl_slist **ret_headers);

#endif
