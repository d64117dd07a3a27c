/* Reads the head of an answer. Must never trust a header's length or its characters. */
#include "influx_head.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

void bs_influx_head_reset(struct bs_influx_head *h)
{
    h->complete = false;
    h->retry_after_s = -1;
    h->error_length = 0;
}

/* Takes the value out of "Name: value\r\n" where the name is this one. */
static bool is_header(struct bs_slice line, struct bs_slice name, struct bs_slice *ret_value)
{
    if (line.length <= name.length || line.at[name.length] != ':' ||
        strncasecmp(line.at, name.at, name.length) != 0)
        return false;
    struct bs_slice value = bs_slice_after(line, name.length + 1);
    while (value.length > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
        value = bs_slice_after(value, 1);
    while (value.length > 0 && (unsigned char)value.at[value.length - 1] <= ' ')
        value.length--;
    *ret_value = value;
    return true;
}

/* Seconds, or a date (RFC 9110, 10.2.3); -1 where it is neither. */
static int64_t parse_retry_after(struct bs_slice value, time_t now)
{
    char text[64];
    if (value.length == 0 || value.length >= sizeof text)
        return -1;
    memcpy(text, value.at, value.length);
    text[value.length] = '\0';
    if (strspn(text, "0123456789") == value.length)
        return value.length > 9 ? 999999999 : (int64_t)strtol(text, NULL, 10);
    time_t at = curl_getdate(text, NULL);
    if (at == -1)
        return -1;
    return at > now ? (int64_t)(at - now) : 0;
}

void bs_influx_head_take(struct bs_influx_head *h, struct bs_slice line, time_t now)
{
    struct bs_slice value;
    if (bs_slice_starts(line, BS_SLICE("HTTP/"))) {
        bs_influx_head_reset(h);
    } else if (line.length > 0 && (line.at[0] == '\r' || line.at[0] == '\n')) {
        h->complete = true;
    } else if (is_header(line, BS_SLICE("Retry-After"), &value)) {
        h->retry_after_s = parse_retry_after(value, now);
    } else if (is_header(line, BS_SLICE("X-Influxdb-Error"), &value)) {
        h->error_length = value.length < sizeof h->error ? value.length : sizeof h->error;
        memcpy(h->error, value.at, h->error_length);
    }
}
