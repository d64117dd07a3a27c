/* The table of the file configuration: every key there is. The sample file and the manual page say
 * the same in the same words; a test compares them. */
#include "backstep/edge/conf.h"

#define AT(section, field) offsetof(struct bs_conf, section.field)
#define TEXT(s, k, t, d, x)                                                                        \
    {                                                                                              \
        .section = #s, .key = #k, .type = BS_CONF_##t, .offset = AT(s, k), .fallback = d,          \
        .sentence = x                                                                              \
    }
#define FILE_OF(s, k, f, t, x)                                                                     \
    {                                                                                              \
        .section = #s, .key = #k, .type = BS_CONF_##t, .offset = AT(s, f), .sentence = x           \
    }
#define NUMBER(s, k, lo, hi, d, x)                                                                 \
    {                                                                                              \
        .section = #s, .key = #k, .type = BS_CONF_NUMBER, .offset = AT(s, k), .min = lo,           \
        .max = hi, .fallback = d, .sentence = x                                                    \
    }
#define WORD(s, k, f, t, w, d, x)                                                                  \
    {                                                                                              \
        .section = #s, .key = #k, .type = BS_CONF_##t, .offset = AT(s, f), .words = w,             \
        .fallback = d, .sentence = x                                                               \
    }

static const struct bs_conf_word versions[] = {{"5", 5}, {"3.1.1", 311}, {NULL, 0}};
static const struct bs_conf_word apis[] = {{"v1", 1}, {"v2", 2}, {"v3", 3}, {NULL, 0}};
static const struct bs_conf_word switches[] = {{"yes", 1},   {"no", 0},  {"true", 1}, {"on", 1},
                                               {"false", 0}, {"off", 0}, {NULL, 0}};
static const struct bs_conf_word formats[] = {{"text", 0}, {"json", 1}, {NULL, 0}};
static const struct bs_conf_word levels[] = {{"error", BS_LOG_ERROR},
                                             {"warning", BS_LOG_WARNING},
                                             {"info", BS_LOG_INFO},
                                             {"debug", BS_LOG_DEBUG},
                                             {NULL, 0}};

/* A megabyte is 2^20 bytes; the most is 1 TiB, far below what a position can count. */
#define MB_MAX 1048576

static const struct bs_conf_setting settings[] = {
    TEXT(site, id, ID, NULL, "Names the site in topics and rows; 1 to 64 of A-Z a-z 0-9 _ -."),
    TEXT(site, instance, ID, "backstepd", "Names this daemon on its service topic."),

    TEXT(mqtt, uri, BROKER, "mqtt://127.0.0.1:1883",
         "The broker: mqtt://, mqtts://, ws:// or wss://, host and port."),
    WORD(mqtt, version, version, CHOICE, versions, "5", "The protocol: 5 or 3.1.1."),
    TEXT(mqtt, client_id, TEXT, "backstepd-{site}",
         "Names the session at the broker; {site} stands for the site's id."),
    TEXT(mqtt, username, TEXT, NULL, "Sent to the broker."),
    FILE_OF(mqtt, password_file, password, SECRET, "File that holds the password for the broker."),
    TEXT(mqtt, ca_file, CREDENTIAL, NULL, "Certificates of those who may vouch for the broker."),
    TEXT(mqtt, cert_file, CREDENTIAL, NULL, "Our own certificate, for a broker that asks for one."),
    TEXT(mqtt, key_file, CREDENTIAL, NULL, "The key of cert_file."),
    TEXT(mqtt, topic_root, TOPIC, "backstep/v1", "What stands before the site in every topic."),
    NUMBER(mqtt, session_expiry_s, 1, UINT32_MAX, "604800",
           "How long the broker keeps our session and its queue while we are away."),
    NUMBER(mqtt, receive_maximum, 1, 8192, "100",
           "Messages the broker may have in flight to us; at most 8 for each segment_mb."),
    NUMBER(mqtt, keepalive_s, 1, 65535, "30", "A connection silent for longer is tried."),

    TEXT(journal, directory, PATH, ".", "Where the logs are; created where absent."),
    NUMBER(journal, segment_mb, 1, 1024, "64", "The size of one file of the intake log."),
    NUMBER(journal, max_mb, 3, MB_MAX, "2048",
           "The size of the intake log; at least three segments. What the older of two snapshots "
           "knows leaves it; when it is full all the same, the daemon leaves the broker and says "
           "so."),
    NUMBER(journal, sync_ms, 0, 10000, "200",
           "What a power cut may cost at most; 0: each message is on the disk before it is "
           "acknowledged."),
    NUMBER(journal, snapshot_s, 1, 86400, "60",
           "How often the state is saved, if it has changed; sooner where 64 MiB have come."),

    TEXT(influxdb, url, URL, NULL, "The database: http:// or https://, host and port."),
    WORD(influxdb, api, api, CHOICE, apis, "v1", "Its interface: v1, v2 or v3."),
    TEXT(influxdb, database, TEXT, "backstep", "Where rows go, with v1 and v3."),
    TEXT(influxdb, retention_policy, TEXT, NULL, "With v1; none: the database's default."),
    TEXT(influxdb, org, TEXT, NULL, "The organisation, with v2."),
    TEXT(influxdb, bucket, TEXT, NULL, "Where rows go, with v2."),
    TEXT(influxdb, username, TEXT, NULL, "Sent to the database."),
    FILE_OF(influxdb, password_file, password, SECRET,
            "File that holds the password for the database."),
    FILE_OF(influxdb, token_file, token, SECRET, "File that holds the token for the database."),
    TEXT(influxdb, ca_file, CREDENTIAL, NULL,
         "Certificates of those who may vouch for the database."),
    WORD(influxdb, gzip, gzip, SWITCH, switches, "yes", "Compress what is sent: yes or no."),
    NUMBER(influxdb, batch_points, 1, 100000, "5000", "Rows in one request at most."),
    NUMBER(influxdb, flush_ms, 0, 60000, "1000", "How long a row waits for others at most."),
    NUMBER(influxdb, timeout_ms, 100, 600000, "10000", "How long a request may take."),
    NUMBER(influxdb, outbox_max_mb, 3, MB_MAX, "1024",
           "The size of the log of rows not delivered yet; when it is full the oldest go."),
    TEXT(influxdb, dead_letter_file, PATH, "dead-letters.jsonl",
         "Where rows go that the database refused for good."),
    NUMBER(influxdb, dead_letter_max_mb, 1, MB_MAX, "64",
           "Its size; one predecessor, FILE.1, is kept."),

    TEXT(output, file, PATH, "points.lp",
         "Rows as line protocol into a file; the default holds only where no url is set."),
    NUMBER(output, file_max_mb, 1, MB_MAX, "1024", "Its size; one predecessor, FILE.1, is kept."),

    WORD(log, level, level, CHOICE, levels, "info", "error, warning, info or debug."),
    WORD(log, format, json, SWITCH, formats, "text", "text or json."),
};

const struct bs_conf_setting *bs_conf_settings(size_t *ret_count)
{
    *ret_count = sizeof settings / sizeof settings[0];
    return settings;
}
