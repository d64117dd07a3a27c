/* Step messages as wearables send them: JSON for one, JSON for several, binary. */
#ifndef BACKSTEP_SIM_STEPS_H
#define BACKSTEP_SIM_STEPS_H

#include "backstep/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_STEPS_MAX 255

struct sim_step_event {
    int64_t time_ms;
    char foot, direction;
    uint16_t step_ms, contact_ms, step_mm;
    int16_t trunk_cdeg;
    uint8_t vo_mm;
};

struct sim_step_message {
    uint32_t boot, seq;
    bool up, stored;
    uint32_t count;
    struct sim_step_event steps[SIM_STEPS_MAX];
};

void sim_steps_write_json(const struct sim_step_message *m, struct bs_buffer *out);
void sim_steps_write_batch(const struct sim_step_message *m, struct bs_buffer *out);
void sim_steps_write_binary(const struct sim_step_message *m, struct bs_buffer *out);

#endif
