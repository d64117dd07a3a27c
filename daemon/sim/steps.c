/* The three forms of interface 2. Must never write what a device would not. */
#include "steps.h"

#include "backstep/base/check.h"
#include "backstep/base/little.h"
#include "backstep/core/step.h"

#include <zlib.h>

static const char *time_key(const struct sim_step_message *m)
{
    return m->up ? "up" : "t";
}

void sim_steps_write_json(const struct sim_step_message *m, struct bs_buffer *out)
{
    const struct sim_step_event *s = &m->steps[0];
    bs_check(m->count == 1);
    bs_buffer_add_format(out,
                         "{\"v\":1,\"boot\":%u,\"seq\":%u,\"%s\":%lld,\"foot\":\"%c\",\"dir\":"
                         "\"%c\",\"step_ms\":%u,\"contact_ms\":%u,\"step_mm\":%u,\"trunk_cdeg\":%d,"
                         "\"vo_mm\":%u%s}",
                         m->boot, m->seq, time_key(m), (long long)s->time_ms, s->foot, s->direction,
                         s->step_ms, s->contact_ms, s->step_mm, s->trunk_cdeg, s->vo_mm,
                         m->stored ? ",\"stored\":true" : "");
}

void sim_steps_write_batch(const struct sim_step_message *m, struct bs_buffer *out)
{
    int64_t before_ms = m->steps[0].time_ms;
    bs_buffer_add_format(out,
                         "{\"v\":1,\"boot\":%u,\"seq\":%u,\"%s\":%lld,%s\"columns\":[\"dt_ms\","
                         "\"foot\",\"dir\",\"step_ms\",\"contact_ms\",\"step_mm\",\"trunk_cdeg\","
                         "\"vo_mm\"],\"rows\":[",
                         m->boot, m->seq, time_key(m), (long long)before_ms,
                         m->stored ? "\"stored\":true," : "");
    for (uint32_t i = 0; i < m->count; i++) {
        const struct sim_step_event *s = &m->steps[i];
        bs_buffer_add_format(out, "%s[%lld,\"%c\",\"%c\",%u,%u,%u,%d,%u]", i ? "," : "",
                             (long long)(s->time_ms - before_ms), s->foot, s->direction, s->step_ms,
                             s->contact_ms, s->step_mm, s->trunk_cdeg, s->vo_mm);
        before_ms = s->time_ms;
    }
    bs_buffer_add_text(out, "]}");
}

static uint8_t foot_bits(char foot)
{
    return foot == 'L' ? 1 : foot == 'R' ? 2 : 0;
}

static void write_record(const struct sim_step_event *s, int64_t before_ms, char at[16])
{
    enum bs_direction direction = BS_DIRECTION_UNKNOWN;
    bs_direction_of_letter(s->direction, &direction);
    bs_little_put_u16(at, (uint16_t)(s->time_ms - before_ms));
    at[2] = (char)(foot_bits(s->foot) | (unsigned)direction << 2);
    at[3] = (char)255;
    bs_little_put_u16(at + 4, s->step_ms);
    bs_little_put_u16(at + 6, 65535);
    bs_little_put_u16(at + 8, s->contact_ms);
    bs_little_put_u16(at + 10, s->step_mm);
    at[12] = (char)(s->trunk_cdeg / 50);
    at[13] = (char)-128;
    at[14] = (char)s->vo_mm;
}

void sim_steps_write_binary(const struct sim_step_message *m, struct bs_buffer *out)
{
    char head[24] = {'B', 'S', 1, (char)m->count};
    size_t begin = out->length;
    bs_little_put_u32(head + 4, m->boot);
    bs_little_put_u32(head + 8, m->seq);
    bs_little_put_u16(head + 12, (uint16_t)((m->up ? 1 : 0) | (m->stored ? 2 : 0) | 4));
    bs_little_put_u64(head + 16, (uint64_t)m->steps[0].time_ms);
    bs_buffer_add(out, bs_slice_of(head, sizeof head));
    int64_t before_ms = m->steps[0].time_ms;
    for (uint32_t i = 0; i < m->count; i++) {
        char record[16] = {0};
        write_record(&m->steps[i], before_ms, record);
        bs_buffer_add(out, bs_slice_of(record, sizeof record));
        before_ms = m->steps[i].time_ms;
    }
    char trailer[4];
    bs_little_put_u32(trailer,
                      (uint32_t)crc32_z(0, (const Bytef *)out->at + begin, out->length - begin));
    bs_buffer_add(out, bs_slice_of(trailer, sizeof trailer));
}
