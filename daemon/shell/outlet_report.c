/* What the outlet says in the log. Must never say the same more than once a minute, nor quote a
 * line. */
#include "outlet_parts.h"

#include "report.h"

#include <string.h>

enum { SAY_AGAIN_MS = 60000 };

/* True where it may be said now, with how many times it has come since it was said last. */
static bool may_say(const struct bs_outlet *o, struct outlet_notice *n, uint64_t count,
                    uint64_t *ret_count)
{
    uint64_t now_ms = outlet_now_ms(o);
    n->count += count;
    if (n->said_ms != 0 && now_ms - n->said_ms < SAY_AGAIN_MS)
        return false;
    n->said_ms = now_ms;
    *ret_count = n->count;
    n->count = 0;
    return true;
}

/* The end of a trouble is said where its beginning was. */
static bool may_say_end(bool *said)
{
    bool was_said = *said;
    *said = false;
    return was_said;
}

void outlet_report_delivery(struct bs_outlet *o)
{
    const struct bs_delivery *d = &o->delivery;
    uint64_t times;
    if (d->state == BS_DELIVERY_OK) {
        if (may_say_end(&o->trouble_said))
            bs_report(BS_LOG_INFO, "influxdb: delivering again");
    } else if (d->state == BS_DELIVERY_RETRYING && may_say(o, &o->retrying, 1, &times)) {
        bs_report(BS_LOG_WARNING, "influxdb: %s; everything is kept and tried again", d->error);
        o->trouble_said = true;
    } else if (d->state == BS_DELIVERY_REFUSED && may_say(o, &o->refused, 1, &times)) {
        bs_report(BS_LOG_ERROR, "influxdb refuses: %s; everything is kept, tried every 30 s",
                  d->error);
        o->trouble_said = true;
    }
}

void outlet_report_letters(struct bs_outlet *o)
{
    uint64_t times;
    if (o->letters.trouble[0] && may_say(o, &o->unlettered, 1, &times)) {
        bs_report(BS_LOG_ERROR, "%s; delivery waits until they can be written", o->letters.trouble);
        o->unlettered_said = true;
    } else if (!o->letters.trouble[0] && may_say_end(&o->unlettered_said)) {
        bs_report(BS_LOG_INFO, "%s: no dead letter waits any more",
                  o->options.conf->influxdb.dead_letter_file);
    }
}

void outlet_report_file(struct bs_outlet *o)
{
    uint64_t times;
    if (o->file_error && may_say(o, &o->unfiled, 1, &times)) {
        bs_report(BS_LOG_ERROR, "%s: %s; its lines are kept and written later",
                  o->options.conf->output.file, strerror(o->file_error));
        o->unfiled_said = true;
    } else if (!o->file_error && may_say_end(&o->unfiled_said)) {
        bs_report(BS_LOG_INFO, "%s: writing again", o->options.conf->output.file);
    }
}

void outlet_report_bad(struct bs_outlet *o, uint64_t lines)
{
    uint64_t count;
    if (lines > 0 && may_say(o, &o->bad, lines, &count))
        bs_report(BS_LOG_WARNING, "influxdb does not take %llu rows; they are in %s: %s",
                  (unsigned long long)count, o->options.conf->influxdb.dead_letter_file,
                  o->letters.message);
}

void outlet_report_expired(struct bs_outlet *o, uint64_t points)
{
    uint64_t count;
    if (points > 0 && may_say(o, &o->expired, points, &count))
        bs_report(BS_LOG_WARNING, "influxdb: %llu rows were older than the database keeps them",
                  (unsigned long long)count);
}

void outlet_report_part_max(struct bs_outlet *o)
{
    uint64_t count;
    if (may_say(o, &o->too_large, 1, &count))
        bs_report(BS_LOG_WARNING,
                  "influxdb: a request was too large (HTTP 413); at most %u rows go together from "
                  "now on",
                  o->part_max);
}

void outlet_report_dropped(struct bs_outlet *o, uint64_t points)
{
    uint64_t count;
    if (may_say(o, &o->dropped, points, &count))
        bs_report(BS_LOG_ERROR, "the outbox is full: its oldest %llu points were dropped",
                  (unsigned long long)count);
}
