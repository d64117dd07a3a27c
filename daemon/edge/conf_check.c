/* The rules between several settings, and what the files they name must hold. Each names the line
 * of a setting that takes part, so that the message leads somewhere. */
#include "conf_parts.h"

#define AT(section, field) offsetof(struct bs_conf, section.field)

/* Of two settings the one that stands further down, for it made the pair wrong. */
static unsigned later_line(const struct conf_loading *l, size_t a, size_t b)
{
    unsigned first = bs_conf_line_of(l, a), second = bs_conf_line_of(l, b);
    return first > second ? first : second;
}

static bool check_site(struct conf_loading *l)
{
    return l->conf->site.id || bs_conf_fail(l, 0, "[site] id is missing");
}

static bool check_journal(struct conf_loading *l)
{
    uint32_t segment_mb = l->conf->journal.segment_mb, max_mb = l->conf->journal.max_mb;
    if (max_mb / 3 < segment_mb)
        return bs_conf_fail(l, later_line(l, AT(journal, segment_mb), AT(journal, max_mb)),
                            "[journal] max_mb = %u is less than three segments: segment_mb = %u",
                            max_mb, segment_mb);
    return true;
}

/* What is in flight, 64 KiB each at most, must fit into the half segment that the intake log keeps
 * back when it is full. */
static bool check_in_flight(struct conf_loading *l)
{
    uint32_t in_flight = l->conf->mqtt.receive_maximum, segment_mb = l->conf->journal.segment_mb;
    if (in_flight > segment_mb * 8)
        return bs_conf_fail(l, later_line(l, AT(mqtt, receive_maximum), AT(journal, segment_mb)),
                            "[mqtt] receive_maximum = %u is too many for [journal] segment_mb = "
                            "%u: at most %u (64 KiB each, half a segment)",
                            in_flight, segment_mb, segment_mb * 8);
    return true;
}

static bool is_tls(const char *uri)
{
    struct bs_slice text = bs_slice_text(uri);
    return bs_slice_starts(text, BS_SLICE("mqtts:")) || bs_slice_starts(text, BS_SLICE("wss:")) ||
           bs_slice_starts(text, BS_SLICE("https:"));
}

static bool check_mqtt(struct conf_loading *l)
{
    const struct bs_conf *c = l->conf;
    if (c->mqtt.password && !c->mqtt.username)
        return bs_conf_fail(l, bs_conf_line_of(l, AT(mqtt, password)),
                            "[mqtt] password_file needs username");
    if (!c->mqtt.cert_file != !c->mqtt.key_file)
        return bs_conf_fail(l, later_line(l, AT(mqtt, cert_file), AT(mqtt, key_file)),
                            "[mqtt] cert_file and key_file need each other");
    if ((c->mqtt.ca_file || c->mqtt.cert_file) && !is_tls(c->mqtt.uri))
        return bs_conf_fail(l, later_line(l, AT(mqtt, ca_file), AT(mqtt, cert_file)),
                            "[mqtt] certificates need a uri of mqtts:// or wss://");
    /* Paho compares the brackets, too, and so finds no certificate that fits. */
    if (is_tls(c->mqtt.uri) && strchr(c->mqtt.uri, '['))
        return bs_conf_fail(l, bs_conf_line_of(l, AT(mqtt, uri)),
                            "[mqtt] uri: with TLS the host must be a name or an IPv4 address");
    return true;
}

static bool check_authority_file(struct conf_loading *l, const char *section, size_t offset,
                                 const char *path)
{
    char why[CONF_WHY_BYTES];
    struct conf_tls_files files = {.ca = path};
    return !path || bs_conf_tls_fits(&files, why) ||
           bs_conf_fail(l, bs_conf_line_of(l, offset), "[%s] ca_file: %s", section, why);
}

static bool check_own_certificate(struct conf_loading *l)
{
    char why[CONF_WHY_BYTES];
    struct conf_tls_files files = {.cert = l->conf->mqtt.cert_file, .key = l->conf->mqtt.key_file};
    return !files.cert || bs_conf_tls_fits(&files, why) ||
           bs_conf_fail(l, later_line(l, AT(mqtt, cert_file), AT(mqtt, key_file)),
                        "[mqtt] cert_file and key_file cannot be used: %s (not a key, one with a "
                        "password, or not the certificate's?)",
                        why);
}

static bool check_tls_files(struct conf_loading *l)
{
    const struct bs_conf *c = l->conf;
    return check_authority_file(l, "mqtt", AT(mqtt, ca_file), c->mqtt.ca_file) &&
           check_own_certificate(l) &&
           check_authority_file(l, "influxdb", AT(influxdb, ca_file), c->influxdb.ca_file);
}

static bool check_influxdb(struct conf_loading *l)
{
    const struct bs_conf *c = l->conf;
    if (c->influxdb.password && !c->influxdb.username)
        return bs_conf_fail(l, bs_conf_line_of(l, AT(influxdb, password)),
                            "[influxdb] password_file needs username");
    if (c->influxdb.url && c->influxdb.api == 2 && (!c->influxdb.org || !c->influxdb.bucket))
        return bs_conf_fail(l, bs_conf_line_of(l, AT(influxdb, api)),
                            "[influxdb] api = v2 needs org and bucket");
    if (c->influxdb.url && c->influxdb.ca_file && !is_tls(c->influxdb.url))
        return bs_conf_fail(l, bs_conf_line_of(l, AT(influxdb, ca_file)),
                            "[influxdb] ca_file needs a url of https://");
    return true;
}

bool bs_conf_check(struct conf_loading *l)
{
    return check_site(l) && check_journal(l) && check_in_flight(l) && check_mqtt(l) &&
           check_influxdb(l) && check_tls_files(l);
}
