/* Memory that is out while something is loaded, at every allocation in turn: the load fails, says
 * so, and all of it can be freed. For tests only. */
#ifndef BACKSTEP_TESTS_UNIT_SNAPSHOT_MEMORY_H
#define BACKSTEP_TESTS_UNIT_SNAPSHOT_MEMORY_H

#include "failing_memory.h"
#include "snapshot_world.h"

static struct snapshot_subject plain; /* the one whose memory is to fail */
static int fails_at;

static void carry_failing(struct bs_snapshot *s, void *at)
{
    until_failure = fails_at;
    plain.carry(s, at);
    until_failure = -1;
}

/* It frees `at`. */
static inline void expect_out_of_memory(struct snapshot_subject subject, void *at)
{
    plain = subject;
    struct snapshot_subject failing = {subject.make, carry_failing, subject.dispose};
    struct bs_buffer saved = snapshot_save(&subject, at);
    enum bs_status status = BS_NO_MEMORY;
    for (fails_at = 0; status != BS_OK; fails_at++) {
        int before = refusals;
        status = snapshot_try(&failing, bs_buffer_slice(&saved));
        enum bs_status expected = refusals > before ? BS_NO_MEMORY : BS_OK;
        if (status != expected)
            fail_msg("allocation %d: %s", fails_at, bs_status_text(status));
    }
    print_message("%d allocations\n", fails_at - 1);
    assert_true(fails_at > 1);
    bs_buffer_fini(&saved);
    subject.dispose(at);
}

#endif
