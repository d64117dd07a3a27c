/* Damage on the disk: whatever a file has become, the log opens, keeps every record before the
 * damage, gives none twice and takes new ones. */
#include "log_fixture.h"

#include "backstep/base/random.h"

#define HEADER_BYTES 64

struct image {
    char *at;
    size_t length;
};

static struct image load(const char *path)
{
    struct stat s;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &s) == 0);
    struct image i = {malloc((size_t)s.st_size), (size_t)s.st_size};
    assert_int_equal(read(fd, i.at, i.length), i.length);
    close(fd);
    return i;
}

static void store(const char *path, const char *at, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, at, length), length);
    close(fd);
}

/* How many records end at or before `offset` of the file. */
static uint64_t records_before(struct image i, uint64_t first, size_t offset)
{
    struct bs_record r;
    size_t at = HEADER_BYTES;
    uint64_t count = 0;
    while (bs_log_scan(bs_slice_of(i.at, i.length), at, first, &r, &at) == BS_OK && at <= offset)
        count++;
    return count;
}

/* A closed log of one used segment with `count` records; its image and path. */
static struct image small_log(struct fixture *f, uint64_t segment_bytes, uint64_t count,
                              char ret_path[512])
{
    /* Thousands of openings: in memory, where a sync costs nothing. */
    fixture_init_in(f, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", segment_bytes, 50);
    fixture_open(f);
    append_all(f, 0, count);
    fixture_close(f);
    assert_true(nth_file(f, ".seg", 0, ret_path));
    return load(ret_path);
}

static void remove_files(const struct fixture *f)
{
    fixture_remove(f->directory);
    assert_int_equal(mkdir(f->directory, 0700), 0);
}

/* Opens, holds the log against what must be there, appends; each eighth time opens again: the same
 * and the new. */
static void check_keeps(struct fixture *f, uint64_t expected, size_t where)
{
    fixture_open(f);
    struct bs_record r;
    uint64_t count = 0;
    while (bs_log_read(f->log, &r))
        if (number_of(&r) == count)
            count++;
        else
            fail_msg("damage at %zu: record %llu where %llu was due", where,
                     (unsigned long long)number_of(&r), (unsigned long long)count);
    if (count < expected)
        fail_msg("damage at %zu: %llu records kept of %llu", where, (unsigned long long)count,
                 (unsigned long long)expected);
    append_all(f, count, count + 3);
    fixture_close(f);
    if (where % 8 != 0)
        return;
    fixture_open(f);
    assert_string_equal(f->recovery.message, "");
    assert_int_equal(read_on(f->log, 0), count + 3);
    fixture_close(f);
}

static void every_prefix(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    struct image i = small_log(&f, 32768, 200, path);
    size_t end = i.length;
    while (i.at[end - 1] == 0)
        end--;
    for (size_t length = 0; length <= end + 8; length++) {
        remove_files(&f);
        store(path, i.at, length);
        check_keeps(&f, records_before(i, 0, length), length);
    }
    free(i.at);
    fixture_fini(&f);
}

static void every_flipped_bit(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    struct image i = small_log(&f, 4096, 6, path);
    for (size_t bit = 0; bit < 1024 * 8; bit++) {
        remove_files(&f);
        i.at[bit / 8] ^= (char)(1 << bit % 8);
        store(path, i.at, i.length);
        i.at[bit / 8] ^= (char)(1 << bit % 8);
        uint64_t expected = bit / 8 < HEADER_BYTES ? 0 : records_before(i, 0, bit / 8);
        check_keeps(&f, expected, bit);
    }
    free(i.at);
    fixture_fini(&f);
}

/* Bytes of any kind anywhere behind the header, also where zeros should stand. */
static void random_rubbish(void **state)
{
    (void)state;
    struct fixture f;
    struct bs_random random;
    char path[512];
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    bs_random_init(&random, seed);
    struct image i = small_log(&f, 8192, 40, path);
    char *copy = malloc(i.length);
    for (int round = 0; round < 300; round++) {
        memcpy(copy, i.at, i.length);
        size_t at = HEADER_BYTES + bs_random_below(&random, i.length - HEADER_BYTES);
        size_t length = 1 + bs_random_below(&random, i.length - at);
        for (size_t k = 0; k < length; k++)
            copy[at + k] = (char)bs_random_next(&random);
        remove_files(&f);
        store(path, copy, i.length);
        check_keeps(&f, records_before(i, 0, at), at);
    }
    free(copy);
    free(i.at);
    fixture_fini(&f);
}

/* What was cut must not come back when new records end exactly where an old one began. */
static void cut_records_stay_away(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    struct image i = small_log(&f, 32768, 100, path);
    size_t at = HEADER_BYTES;
    struct bs_record r;
    for (int k = 0; k <= 50; k++)
        assert_int_equal(bs_log_scan(bs_slice_of(i.at, i.length), at, 0, &r, &at), BS_OK);
    i.at[HEADER_BYTES + r.position + 40] ^= 1;
    store(path, i.at, i.length);
    fixture_open(&f);
    assert_non_null(strstr(f.recovery.message, "cut"));
    assert_true(f.recovery.lost_bytes > 4000);
    assert_int_equal(f.recovery.head, r.position);
    /* Number 50 again: as long as the one that was damaged, so 51 would fit behind it. */
    append_all(&f, 50, 51);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(read_on(f.log, 0), 51);
    fixture_fini(&f);
    free(i.at);
}

static void damage_in_an_earlier_segment(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    fixture_init(&f, 4096, 50);
    fixture_open(&f);
    append_all(&f, 0, 200);
    fixture_close(&f);
    assert_true(nth_file(&f, ".seg", 2, path));
    struct image i = load(path);
    i.at[2000] ^= 4;
    store(path, i.at, i.length);
    for (int round = 0; round < 2; round++) {
        fixture_open(&f);
        assert_int_equal(f.recovery.damaged_segments, round == 0 ? 1 : 0);
        assert_int_equal(f.recovery.lost_bytes > 0, round == 0);
        struct bs_record r;
        uint64_t count = 0, next = 0, jumps = 0;
        while (bs_log_read(f.log, &r)) {
            uint64_t number = number_of(&r);
            assert_true(number >= next);
            jumps += number > next;
            next = number + 1;
            count++;
        }
        assert_int_equal(next, 200);
        assert_int_equal(jumps, 1);
        assert_true(count > 175 && count < 200);
        fixture_close(&f);
    }
    assert_true(nth_file(&f, ".damaged", 0, path));
    struct image aside = load(path);
    assert_int_equal(aside.length, i.length);
    assert_memory_equal(aside.at, i.at, i.length);
    free(aside.at);
    free(i.at);
    fixture_fini(&f);
}

/* The newest segment unreadable from its first byte on: its positions are not given out again. */
static void bad_header_of_the_newest(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    fixture_init(&f, 4096, 50);
    fixture_open(&f);
    append_all(&f, 0, 100);
    uint64_t head = bs_log_head(f.log);
    fixture_close(&f);
    int last = (int)(head / 4032);
    assert_true(nth_file(&f, ".seg", last, path));
    struct image i = load(path);
    memset(i.at, 0xff, HEADER_BYTES);
    store(path, i.at, i.length);
    free(i.at);
    fixture_open(&f);
    assert_int_equal(f.recovery.damaged_segments, 1);
    assert_int_equal(count_files(&f, ".damaged"), 1);
    assert_true(f.recovery.head >= head);
    struct bs_record r;
    uint64_t count = 0;
    while (bs_log_read(f.log, &r))
        assert_int_equal(number_of(&r), count++);
    assert_true(count > 60 && count < 100);
    append_all(&f, count, count + 50);
    fixture_close(&f);
    fixture_open(&f);
    assert_string_equal(f.recovery.message, "");
    assert_int_equal(read_on(f.log, 0), count + 50);
    fixture_fini(&f);
}

/* What a crash between the steps of making a spare leaves. */
static void half_made_spares(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    struct image i = small_log(&f, 4096, 10, path);
    snprintf(path, sizeof(path), "%s/intake.new", f.directory);
    store(path, i.at, 100);
    snprintf(path, sizeof(path), "%s/intake-0000000000001f80.seg.tmp", f.directory);
    store(path, "", 0);
    check_keeps(&f, 10, 0);
    assert_int_equal(count_files(&f, ".new"), 0);
    free(i.at);
    fixture_fini(&f);
}

static void another_version_is_left_alone(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    struct image i = small_log(&f, 4096, 10, path);
    static const unsigned char header[HEADER_BYTES] = {
        'B', 'S', 'L', 'O', 'G', 0, 2, 0, [17] = 0x10, [60] = 0x84, 0xf3, 0xe9, 0x18,
    };
    memcpy(i.at, header, HEADER_BYTES);
    store(path, i.at, i.length);
    enum bs_status status = bs_log_open(&f.log, &f.options, &f.recovery);
    assert_int_equal(status, BS_INVALID);
    assert_non_null(strstr(f.recovery.message, "another version"));
    assert_int_equal(count_files(&f, ".damaged"), 0);
    free(i.at);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(every_flipped_bit),
        cmocka_unit_test(random_rubbish),
        cmocka_unit_test(cut_records_stay_away),
        cmocka_unit_test(damage_in_an_earlier_segment),
        cmocka_unit_test(bad_header_of_the_newest),
        cmocka_unit_test(half_made_spares),
        cmocka_unit_test(another_version_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
