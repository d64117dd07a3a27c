/* Snapshots in memory: what a module's snapshot function saves, loads, and does with bytes that are
 * cut or changed. For tests only. */
#ifndef BACKSTEP_TESTS_UNIT_SNAPSHOT_WORLD_H
#define BACKSTEP_TESTS_UNIT_SNAPSHOT_WORLD_H

#include "backstep/base/random.h"
#include "backstep/core/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

/* Makes something empty, carries a state (saving, `at`; loading, into `at`), frees it. `carry` may
 * be asked to load anything, and `dispose` to free whatever came of it. */
struct snapshot_subject {
    void *(*make)(void);
    void (*carry)(struct bs_snapshot *s, void *at);
    void (*dispose)(void *at);
};

static inline bool snapshot_write(void *context, struct bs_slice bytes)
{
    struct bs_buffer *b = context;
    bs_buffer_add(b, bytes);
    return !b->failed;
}

/* The caller's to bs_buffer_fini. */
static inline struct bs_buffer snapshot_save(const struct snapshot_subject *subject, void *at)
{
    struct bs_buffer saved;
    bs_buffer_init(&saved, 64u << 20);
    struct bs_sink sink = {&saved, snapshot_write};
    struct bs_snapshot s;
    bs_snapshot_save(&s, &sink);
    subject->carry(&s, at);
    assert_int_equal(bs_snapshot_end(&s), BS_OK);
    return saved;
}

/* Into `at`, from memory of exactly that size: a sanitizer sees every byte read behind it. */
static inline enum bs_status snapshot_load(const struct snapshot_subject *subject, void *at,
                                           struct bs_slice bytes)
{
    char *copy = malloc(bytes.length ? bytes.length : 1);
    assert_non_null(copy);
    if (bytes.length)
        memcpy(copy, bytes.at, bytes.length);
    struct bs_snapshot s;
    bs_snapshot_load(&s, bs_slice_of(copy, bytes.length), BS_SNAPSHOT_FORMAT);
    subject->carry(&s, at);
    enum bs_status status = bs_snapshot_end(&s);
    free(copy);
    return status;
}

static inline enum bs_status snapshot_try(const struct snapshot_subject *subject,
                                          struct bs_slice bytes)
{
    void *at = subject->make();
    enum bs_status status = snapshot_load(subject, at, bytes);
    subject->dispose(at);
    return status;
}

/* A second one with the same state, which saves the same bytes. */
static inline void *snapshot_copy(const struct snapshot_subject *subject, void *at)
{
    struct bs_buffer saved = snapshot_save(subject, at);
    void *copy = subject->make();
    enum bs_status status = snapshot_load(subject, copy, bs_buffer_slice(&saved));
    if (status != BS_OK)
        fail_msg("what was saved does not load: %s", bs_status_text(status));
    struct bs_buffer again = snapshot_save(subject, copy);
    if (!bs_slice_equal(bs_buffer_slice(&saved), bs_buffer_slice(&again)))
        fail_msg("%zu bytes were saved, %zu other ones once they were loaded", saved.length,
                 again.length);
    bs_buffer_fini(&saved);
    bs_buffer_fini(&again);
    return copy;
}

/* Both save the same bytes. */
static inline void snapshot_expect_same(const struct snapshot_subject *subject, void *a, void *b)
{
    struct bs_buffer one = snapshot_save(subject, a), other = snapshot_save(subject, b);
    assert_int_equal(one.length, other.length);
    assert_memory_equal(one.at, other.at, one.length);
    bs_buffer_fini(&one);
    bs_buffer_fini(&other);
}

/* No beginning of what was saved loads, and nothing with a byte behind it. */
static inline void snapshot_expect_whole(const struct snapshot_subject *subject, void *at)
{
    struct bs_buffer saved = snapshot_save(subject, at);
    for (size_t length = 0; length < saved.length; length++) {
        enum bs_status status = snapshot_try(subject, bs_slice_of(saved.at, length));
        if (status != BS_CORRUPT)
            fail_msg("the first %zu of %zu bytes: %s", length, saved.length,
                     bs_status_text(status));
    }
    bs_buffer_add_char(&saved, 0);
    assert_int_equal(snapshot_try(subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    bs_buffer_fini(&saved);
}

/* With one byte changed it either fails, or gives something that can be freed: `use`, NULL or not,
 * does with it what may be done with a loaded one. Gives back how many loaded. */
static inline size_t snapshot_change_bytes(const struct snapshot_subject *subject, void *at,
                                           void (*use)(void *at))
{
    static const uint8_t changes[] = {0x01, 0x02, 0x10, 0x40, 0x80, 0xff};
    struct bs_buffer saved = snapshot_save(subject, at);
    size_t loaded = 0;
    for (size_t i = 0; i < saved.length; i++)
        for (size_t k = 0; k < sizeof changes; k++) {
            saved.at[i] = (char)(saved.at[i] ^ changes[k]);
            void *other = subject->make();
            enum bs_status status = snapshot_load(subject, other, bs_buffer_slice(&saved));
            if (status != BS_OK && status != BS_CORRUPT)
                fail_msg("byte %zu changed: %s", i, bs_status_text(status));
            if (status == BS_OK && use)
                use(other);
            loaded += status == BS_OK;
            subject->dispose(other);
            saved.at[i] = (char)(saved.at[i] ^ changes[k]);
        }
    bs_buffer_fini(&saved);
    return loaded;
}

/* A number as the stream writes it, small or large. */
static inline struct bs_slice snapshot_number(struct bs_random *random, uint8_t room[10])
{
    uint64_t value = bs_random_next(random) >> bs_random_below(random, 64);
    size_t length = 0;
    for (; value >= 0x80; value >>= 7)
        room[length++] = (uint8_t)(value | 0x80);
    room[length++] = (uint8_t)value;
    return bs_slice_of(room, length);
}

/* Another number in place of the one at that byte. */
static inline struct bs_buffer snapshot_replace(struct bs_slice saved, size_t at,
                                                struct bs_slice number)
{
    struct bs_buffer forged;
    size_t end = at;
    bs_buffer_init(&forged, 64u << 20);
    while (end + 1 < saved.length && saved.at[end] & 0x80)
        end++;
    bs_buffer_add(&forged, bs_slice_of(saved.at, at));
    bs_buffer_add(&forged, number);
    bs_buffer_add(&forged, bs_slice_after(saved, end + 1));
    return forged;
}

/* With up to three numbers changed to any others, likewise. */
static inline size_t snapshot_change_numbers(const struct snapshot_subject *subject, void *at,
                                             void (*use)(void *at), int rounds)
{
    struct bs_random random;
    size_t loaded = 0;
    bs_random_init(&random, 1);
    for (int i = 0; i < rounds; i++) {
        struct bs_buffer forged = snapshot_save(subject, at);
        for (int k = i % 3; k >= 0; k--) {
            uint8_t room[10];
            size_t place = bs_random_below(&random, forged.length);
            struct bs_buffer more =
                snapshot_replace(bs_buffer_slice(&forged), place, snapshot_number(&random, room));
            bs_buffer_fini(&forged);
            forged = more;
        }
        void *other = subject->make();
        enum bs_status status = snapshot_load(subject, other, bs_buffer_slice(&forged));
        if (status == BS_OK)
            use(other);
        loaded += status == BS_OK;
        subject->dispose(other);
        bs_buffer_fini(&forged);
    }
    return loaded;
}

#endif
