/* Rows of the truth. Must never tell of a contact what its sensors did not measure, but for what
 * was generated. */
#include "truth_rows.h"

#include "true_bouts.h"
#include "true_carry_over.h"

#include <inttypes.h>

#define MEMBER_BYTES_MAX (1024u * 1024 * 1024)

/* The rows of one member. */
struct writer {
    const struct bs_truth_rows *rows;
    uint32_t member;
    char id[BS_ID_MAX + 1];
    const struct bs_member_traces *traces;
    struct bs_buffer *to;
    struct bs_carry_over_finder carry_overs;
    uint32_t next_shift; /* of the member's, not written yet */
};

static void begin_row(const struct writer *w, const char *name)
{
    bs_buffer_add_format(w->to, "{\"row\":\"%s\",\"member\":\"%s\"", name, w->id);
}

static void end_row(const struct writer *w)
{
    bs_buffer_add_text(w->to, "}\n");
}

static void write_member(const struct writer *w)
{
    const struct bs_truth_rows *r = w->rows;
    begin_row(w, "member");
    if (r->consent)
        bs_buffer_add_format(w->to, ",\"consent\":\"%s\"", r->consent(r->context, w->member));
    bs_buffer_add_format(w->to, ",\"retention_pct\":%.4f",
                         100 * bs_class_retention(r->class, w->member));
    end_row(w);
}

static void write_device(const struct writer *w, uint32_t i)
{
    const struct bs_wearable *is = &bs_wearables_identities(w->rows->wearables)[i];
    const struct bs_wearable_course *c = bs_wearables_course(w->rows->wearables, i);
    const struct bs_sensor_set *set = &w->rows->options->sensors;
    begin_row(w, "device");
    bs_buffer_add_format(w->to,
                         ",\"device\":\"%s\",\"sensor\":\"%c\",\"boot\":%" PRIu32
                         ",\"clock_error_ms\":%.3f,\"drift_ppm\":%.3f",
                         is->id, set->at[i % set->count].letter, is->boot, c->clock_error_ms,
                         c->drift_ppm);
    if (c->reset_ms != INT64_MAX)
        bs_buffer_add_format(w->to, ",\"reset\":%" PRId64 ",\"reset_boot\":%" PRIu32, c->reset_ms,
                             c->reset_boot);
    if (c->away_from_ms != INT64_MAX)
        bs_buffer_add_format(
            w->to, ",\"away_from\":%" PRId64 ",\"away_until\":%" PRId64 ",\"upload\":%" PRId64,
            c->away_from_ms, c->away_until_ms, c->upload_ms);
    end_row(w);
}

static void add_letter(struct bs_buffer *b, const char *key, char letter)
{
    bs_buffer_add_format(b, ",\"%s\":\"%c\"", key, letter);
}

static void add_sensors(const struct writer *w, const char *key, uint8_t sensors)
{
    const struct bs_sensor_set *set = &w->rows->options->sensors;
    bs_buffer_add_format(w->to, ",\"%s\":\"", key);
    for (uint32_t i = 0; i < set->count; i++) {
        if ((unsigned)sensors >> i & 1u)
            bs_buffer_add_char(w->to, set->at[i].letter);
    }
    bs_buffer_add_char(w->to, '"');
}

static void write_step(const struct writer *w, const struct bs_trace *trace)
{
    begin_row(w, "step");
    bs_buffer_add_format(w->to, ",\"t\":%" PRId64, trace->made_ms);
    if (trace->live)
        bs_buffer_add_format(w->to, ",\"time\":%" PRId64, trace->time_ms);
    add_letter(w->to, "foot", trace->foot == BS_FOOT_LEFT ? 'L' : 'R');
    add_letter(w->to, "dir", bs_direction_letter((enum bs_direction)trace->direction));
    bs_buffer_add_format(w->to, ",\"step_ms\":%d,\"step_mm\":%d,\"vo_mm\":%d,\"trunk_cdeg\":%d",
                         trace->step_ms, trace->step_mm, trace->vo_mm, trace->trunk_cdeg);
    add_sensors(w, "live", trace->live);
    add_sensors(w, "kept", trace->kept);
    end_row(w);
}

static int64_t time_of(const struct writer *w, const struct bs_true_bout *bout, uint32_t step)
{
    return w->traces->at[bout->steps[step].contact].time_ms;
}

static void write_bout(const struct writer *w, const struct bs_true_bout *bout)
{
    begin_row(w, "bout");
    add_letter(w->to, "dir", bs_direction_letter(bout->direction));
    bs_buffer_add_format(w->to, ",\"start\":%" PRId64 ",\"end\":%" PRId64 ",\"steps\":%" PRIu32,
                         time_of(w, bout, 0), time_of(w, bout, bout->count - 1), bout->count);
    end_row(w);
}

static void write_carry_over(const struct writer *w, const struct bs_true_carry_over *c)
{
    static const char *const keys[BS_CARRIED_METRICS] = {
        [BS_CARRIED_STEP_LENGTH] = "step_length_retention_pct",
        [BS_CARRIED_WALK_RATIO] = "walk_ratio_retention_pct",
    };
    begin_row(w, "carry_over");
    bs_buffer_add_format(
        w->to, ",\"start\":%" PRId64 ",\"back_steps\":%" PRIu32 ",\"block_steps\":%" PRIu32,
        c->start_ms, c->back_steps, c->block_steps);
    for (int i = 0; i < BS_CARRIED_METRICS; i++) {
        if (c->has_retention[i])
            bs_buffer_add_format(w->to, ",\"%s\":%.6f", keys[i], c->retention_pct[i]);
    }
    end_row(w);
}

/* Which of the bout's steps is the first at or behind the contact, from 1; 0 where none is. */
static uint32_t step_from(const struct bs_true_bout *bout, uint32_t contact)
{
    for (uint32_t i = 0; i < bout->count; i++) {
        if (bout->steps[i].contact >= contact)
            return i + 1;
    }
    return 0;
}

/* `bout`: NULL where it set in outside of every bout. */
static void write_slip(const struct writer *w, const struct bs_placed_shift *placed,
                       const struct bs_true_bout *bout)
{
    const struct bs_shift *shift = &placed->shift;
    const char *key = shift->metric == BS_SHIFT_TRUNK_PITCH ? "size_deg" : "size_pct";
    begin_row(w, "slip");
    bs_buffer_add_format(w->to,
                         ",\"metric\":\"%s\",\"sign\":\"%s\",\"%s\":%g,\"phase_step\":%" PRIu32
                         ",\"t\":%" PRId64,
                         bs_shift_metric_names[shift->metric], shift->size > 0 ? "up" : "down", key,
                         shift->size > 0 ? shift->size : -shift->size, shift->step,
                         w->traces->at[placed->contact].made_ms);
    if (bout)
        bs_buffer_add_format(w->to, ",\"bout_start\":%" PRId64 ",\"step\":%" PRIu32,
                             time_of(w, bout, 0), step_from(bout, placed->contact));
    end_row(w);
}

/* Slips up to the bout's end: those within it, and before them those in no bout. */
static void write_slips(struct writer *w, const struct bs_true_bout *bout)
{
    uint32_t first = bout->steps[0].contact, last = bout->steps[bout->count - 1].contact;
    for (; w->next_shift < w->traces->shift_count; w->next_shift++) {
        const struct bs_placed_shift *placed = &w->traces->shifts[w->next_shift];
        if (placed->contact > last)
            return;
        write_slip(w, placed, placed->contact >= first ? bout : NULL);
    }
}

static void take_bout(void *context, const struct bs_true_bout *bout)
{
    struct writer *w = context;
    struct bs_true_carry_over carried;
    if (bout->count >= BS_BOUT_MIN_STEPS)
        write_bout(w, bout);
    if (bs_carry_over_take(&w->carry_overs, w->rows->traces, w->traces, bout, &carried))
        write_carry_over(w, &carried);
    if (bout->count >= BS_BOUT_MIN_STEPS)
        write_slips(w, bout);
}

static enum bs_status write_rows_of(struct writer *w)
{
    uint32_t sensors = w->rows->options->sensors.count;
    bs_wearables_member(w->rows->options, w->member, w->id);
    write_member(w);
    for (uint32_t i = 0; i < sensors; i++)
        write_device(w, w->member * sensors + i);
    for (uint32_t i = 0; i < w->traces->count; i++)
        write_step(w, &w->traces->at[i]);
    enum bs_status status = bs_true_bouts(w->rows->traces, w->traces, take_bout, w);
    for (; w->next_shift < w->traces->shift_count; w->next_shift++)
        write_slip(w, &w->traces->shifts[w->next_shift], NULL);
    return w->to->failed ? BS_NO_MEMORY : status;
}

static void write_totals(const struct bs_truth_rows *r, struct bs_buffer *to)
{
    uint64_t contacts = 0, lost = 0;
    for (uint32_t i = 0; i < r->traces->member_count; i++) {
        const struct bs_member_traces *m = &r->traces->members[i];
        contacts += m->count;
        for (uint32_t k = 0; k < m->count; k++)
            lost += m->at[k].live == 0 && m->at[k].kept == 0;
    }
    bs_buffer_add_format(
        to, "{\"row\":\"totals\",\"contacts\":%" PRIu64 ",\"contacts_lost\":%" PRIu64 ",", contacts,
        lost);
    bs_truth_write_counts(r->truth, to);
    bs_buffer_add_format(to, ",\"lost\":%" PRIu64 "}\n", bs_wearables_lost(r->wearables));
}

static enum bs_status put(const struct bs_buffer *b, FILE *to)
{
    return fwrite(b->at, 1, b->length, to) == b->length ? BS_OK : BS_IO;
}

enum bs_status bs_truth_rows_write(const struct bs_truth_rows *r, FILE *to)
{
    struct bs_buffer text;
    bs_buffer_init(&text, MEMBER_BYTES_MAX);
    enum bs_status status = r->traces->failed ? BS_NO_MEMORY : BS_OK;
    for (uint32_t i = 0; status == BS_OK && i < r->traces->member_count; i++) {
        struct writer w = {.rows = r, .member = i, .traces = &r->traces->members[i], .to = &text};
        status = write_rows_of(&w);
        if (status == BS_OK)
            status = put(&text, to);
        bs_buffer_reset(&text);
    }
    write_totals(r, &text);
    if (status == BS_OK)
        status = text.failed ? BS_NO_MEMORY : put(&text, to);
    bs_buffer_fini(&text);
    return status;
}
