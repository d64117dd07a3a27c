/* The frame of a snapshot's file: what was written is read, and no damage is taken for a state. */
#include "backstep/core/snapshot_frame.h"

#include "backstep/base/buffer.h"
#include "backstep/base/little.h"
#include "backstep/core/snapshot.h"
#include "engine_world.h"

#include <zlib.h>

static const struct bs_snapshot_frame written = {
    .intake = 4096,
    .outbox = 1u << 20,
    .tick = {1795716000123},
    .has_start = true,
    .start_tick = {1795716000000},
    .start = {.offset_ms = -5, .hash_seed = 77, .boottime_ms = 9, .boot_id = "sixteen bytes..."},
};

static bool add(void *context, struct bs_slice bytes)
{
    struct bs_buffer *b = context;
    bs_buffer_add(b, bytes);
    return !b->failed;
}

static void write_file(struct bs_buffer *file, const struct bs_snapshot_frame *frame,
                       struct bs_slice state)
{
    struct bs_sink sink = {file, add};
    struct bs_snapshot_framer framer;
    bs_buffer_init(file, 1u << 20);
    assert_true(bs_snapshot_frame_begin(&framer, frame, &sink));
    for (size_t i = 0; i < state.length; i += 3) { /* piece by piece */
        size_t length = state.length - i < 3 ? state.length - i : 3;
        assert_true(framer.inner.write(framer.inner.context, bs_slice_of(state.at + i, length)));
    }
    assert_true(bs_snapshot_frame_end(&framer));
}

static void what_was_written_is_read(void **unused)
{
    (void)unused;
    struct bs_buffer file;
    struct bs_snapshot_frame read = {0};
    struct bs_slice state;
    write_file(&file, &written, BS_SLICE("the state"));
    assert_int_equal(bs_snapshot_frame_read(bs_buffer_slice(&file), &read, &state), BS_OK);
    assert_true(bs_slice_equal(state, BS_SLICE("the state")));
    assert_int_equal(read.format, BS_SNAPSHOT_FORMAT);
    assert_int_equal(read.intake, written.intake);
    assert_int_equal(read.outbox, written.outbox);
    assert_int_equal(read.tick.ms, written.tick.ms);
    assert_int_equal(read.start_tick.ms, written.start_tick.ms);
    assert_true(read.has_start);
    assert_memory_equal(&read.start, &written.start, sizeof read.start);
    bs_buffer_fini(&file);
}

static void a_start_may_be_missing(void **unused)
{
    (void)unused;
    struct bs_buffer file;
    struct bs_snapshot_frame frame = {.intake = 8}, read;
    struct bs_slice state;
    write_file(&file, &frame, BS_SLICE(""));
    assert_int_equal(bs_snapshot_frame_read(bs_buffer_slice(&file), &read, &state), BS_OK);
    assert_false(read.has_start);
    assert_int_equal(state.length, 0);
    bs_buffer_fini(&file);
}

static void each_flipped_bit_and_each_prefix_is_found(void **unused)
{
    (void)unused;
    struct bs_buffer file;
    struct bs_snapshot_frame read;
    struct bs_slice state;
    write_file(&file, &written, BS_SLICE("the state of a site, as it were"));
    for (size_t bit = 0; bit < file.length * 8; bit++) {
        file.at[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(bs_snapshot_frame_read(bs_buffer_slice(&file), &read, &state), BS_CORRUPT);
        file.at[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t length = 0; length < file.length; length++) {
        char *copy = malloc(length ? length : 1); /* so that reading beyond it shows */
        memcpy(copy, file.at, length);
        assert_int_equal(bs_snapshot_frame_read(bs_slice_of(copy, length), &read, &state),
                         BS_CORRUPT);
        free(copy);
    }
    bs_buffer_fini(&file);
}

/* A class with members, a session and bouts, as it lies on the disk. */
static void each_flipped_bit_of_a_real_one_is_found(void **unused)
{
    (void)unused;
    struct world w;
    struct bs_buffer state, file;
    struct bs_snapshot_frame read;
    struct bs_slice found;
    world_begin(&w);
    world_welcome_guests(&w, "");
    for (int i = 0; i < 40; i++) {
        world_step(&w, "pod-1", "{\"v\":1,\"boot\":1,\"seq\":%d,\"t\":%lld,\"dir\":\"B\"}", i,
                   (long long)w.tick);
        world_wait(&w, 600);
    }
    engine_again_save(w.engine, &state);
    write_file(&file, &written, bs_buffer_slice(&state));
    assert_true(file.length > 1000);
    for (size_t bit = 0; bit < file.length * 8; bit++) {
        file.at[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(bs_snapshot_frame_read(bs_buffer_slice(&file), &read, &found), BS_CORRUPT);
        file.at[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_int_equal(bs_snapshot_frame_read(bs_buffer_slice(&file), &read, &found), BS_OK);
    bs_buffer_fini(&state);
    bs_buffer_fini(&file);
    world_end(&w);
}

static void another_format_is_named(void **unused)
{
    (void)unused;
    struct bs_buffer file;
    struct bs_snapshot_frame read = {0};
    struct bs_slice state;
    write_file(&file, &written, BS_SLICE("a state of the future"));
    bs_little_put_u16(file.at + 6, BS_SNAPSHOT_FORMAT + 1);
    bs_little_put_u32(file.at + file.length - 4,
                      (uint32_t)crc32(0, (const Bytef *)file.at, (uInt)file.length - 4));
    assert_int_equal(bs_snapshot_frame_read(bs_buffer_slice(&file), &read, &state), BS_INVALID);
    assert_int_equal(read.format, BS_SNAPSHOT_FORMAT + 1);
    bs_buffer_fini(&file);
}

static bool refuse(void *context, struct bs_slice bytes)
{
    (void)bytes;
    return --*(int *)context >= 0;
}

static void a_sink_that_takes_no_more_is_told(void **unused)
{
    (void)unused;
    int left = 0;
    struct bs_sink sink = {&left, refuse};
    struct bs_snapshot_framer framer;
    assert_false(bs_snapshot_frame_begin(&framer, &written, &sink));
    left = 1;
    assert_true(bs_snapshot_frame_begin(&framer, &written, &sink));
    assert_false(bs_snapshot_frame_end(&framer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(a_start_may_be_missing),
        cmocka_unit_test(each_flipped_bit_and_each_prefix_is_found),
        cmocka_unit_test(each_flipped_bit_of_a_real_one_is_found),
        cmocka_unit_test(another_format_is_named),
        cmocka_unit_test(a_sink_that_takes_no_more_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
