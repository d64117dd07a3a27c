/* Dead letters: what the database will never take, a JSON object a line, kept for somebody to look
 * at. Must never let a line be counted as settled before its letter is on the disk.
 *
 *   {"time":"2026-11-24T17:59:58.120Z","message":"HTTP 400: …","line":"gait_window,…"}
 *   {…,"suspect":true}   one of several of which at least one is bad, nobody knows which
 *
 * Letters of a batch that is begun once more are taken back. After a crash, or where that is not
 * possible, a line may have two; none is left out. */
#include "outlet_parts.h"

#include "report.h"

#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/edge/clock.h"

#include <stdio.h>

enum {
    /* A record's lines are at most 64 KiB, and JSON takes six bytes for one at most. */
    CHUNK_BYTES = 64 * 1024,
    CHUNK_BYTES_MAX = 512 * 1024,
    AGAIN_MS = 5000,
    FILE_MODE = 0600, /* rows name members */
};

void outlet_add_letters(struct bs_outlet *o, uint32_t first, uint32_t beyond, bool suspect,
                        const char *message)
{
    bs_check(o->letters.first == o->letters.beyond && first < beyond);
    o->letters.first = first;
    o->letters.beyond = beyond;
    o->letters.suspect = suspect;
    snprintf(o->letters.message, sizeof o->letters.message, "%s", message);
}

/* Closes the file, for the next try to begin with a sound one. */
static void note_failure(struct bs_outlet *o, const char *reason)
{
    struct outlet_letters *l = &o->letters;
    bool known = l->trouble[0] != '\0';
    snprintf(l->trouble, sizeof l->trouble, "dead letters: %s: %s",
             o->options.conf->influxdb.dead_letter_file, reason);
    l->again_ms = outlet_now_ms(o) + AGAIN_MS;
    bs_points_file_close(l->file);
    l->file = NULL;
    if (!known) {
        outlet_report_letters(o);
        outlet_changed(o);
    }
}

static void note_success(struct bs_outlet *o)
{
    if (!o->letters.trouble[0])
        return;
    o->letters.trouble[0] = '\0';
    outlet_report_letters(o);
    outlet_changed(o);
}

static bool open_file(struct bs_outlet *o)
{
    const struct bs_conf *conf = o->options.conf;
    int error = 0;
    if (o->letters.file)
        return true;
    if (bs_points_file_open(&o->letters.file, conf->influxdb.dead_letter_file,
                            (uint64_t)conf->influxdb.dead_letter_max_mb << 20, FILE_MODE,
                            &error) == BS_OK &&
        bs_points_file_sync(o->letters.file, &error) == BS_OK)
        return true;
    note_failure(o, strerror(error));
    return false;
}

/* Our lines are UTF-8; a byte that is not must not spoil the file. */
static void add_text(struct bs_buffer *out, struct bs_slice text)
{
    if (bs_slice_is_utf8(text)) {
        bs_buffer_add_json_string(out, text);
        return;
    }
    char plain[BS_DELIVERY_ERROR_MAX + 1];
    bs_delivery_quote(text, plain, sizeof plain);
    bs_buffer_add_json_string(out, bs_slice_text(plain));
}

static void add_letter(const struct outlet_letters *l, struct bs_slice line, struct bs_buffer *out)
{
    line.length--;
    bs_buffer_add_text(out, "{\"time\":\"");
    bs_buffer_add_iso_time(out, bs_clock_wall().ms);
    bs_buffer_add_text(out, "\",\"message\":");
    add_text(out, bs_slice_text(l->message));
    bs_buffer_add_text(out, ",\"line\":");
    add_text(out, line);
    bs_buffer_add_text(out, l->suspect ? ",\"suspect\":true}\n" : "}\n");
}

static void count_letters(struct bs_outlet *o, uint32_t first, uint32_t beyond)
{
    uint32_t new_first = first > o->batch.old_lines ? first : o->batch.old_lines;
    o->batch.letters += beyond - first;
    o->batch.new_letters += beyond > new_first ? beyond - new_first : 0;
}

/* As many as make a chunk: they are in the file as a whole or not at all. */
static bool write_chunk(struct bs_outlet *o, struct outlet_line_walk *walk, struct bs_buffer *out)
{
    struct outlet_letters *l = &o->letters;
    uint32_t first = l->first;
    int error = 0;
    bs_buffer_reset(out);
    for (; first < l->beyond && out->length < CHUNK_BYTES; first++)
        add_letter(l, outlet_walk_to(walk, first), out);
    enum bs_status status =
        out->failed ? BS_NO_MEMORY : bs_points_file_write(l->file, bs_buffer_slice(out), &error);
    if (status != BS_OK) {
        note_failure(o, error ? strerror(error) : bs_status_text(status));
        return false;
    }
    count_letters(o, l->first, first);
    l->first = first;
    l->unsynced = true;
    return true;
}

bool outlet_write_letters(struct bs_outlet *o)
{
    struct outlet_letters *l = &o->letters;
    if (l->first == l->beyond)
        return true;
    struct outlet_line_walk walk = outlet_walk_lines(o);
    struct bs_buffer out;
    bool written = open_file(o);
    bs_buffer_init(&out, CHUNK_BYTES_MAX);
    while (written && l->first < l->beyond)
        written = write_chunk(o, &walk, &out);
    bs_buffer_fini(&out);
    return written;
}

void outlet_drop_batch(struct bs_outlet *o)
{
    int error = 0;
    if (o->batch.at_hand && o->letters.file &&
        bs_points_file_undo(o->letters.file, &error) != BS_OK)
        bs_report(BS_LOG_WARNING, "%s: %s; some lines may be there twice",
                  o->options.conf->influxdb.dead_letter_file, strerror(error));
    o->letters.first = o->letters.beyond = 0;
    o->letters.unsynced = false;
    o->batch.at_hand = false;
}

bool outlet_sync_letters(struct bs_outlet *o)
{
    struct outlet_letters *l = &o->letters;
    int error = 0;
    if (!l->unsynced) {
        note_success(o); /* the lines that waited for their letters were given up, or stored now */
        return true;
    }
    l->unsynced = false;
    if (bs_points_file_sync(l->file, &error) != BS_OK) {
        outlet_drop_batch(o);
        note_failure(o, strerror(error));
        return false;
    }
    bs_points_file_keep(l->file);
    note_success(o);
    return true;
}
