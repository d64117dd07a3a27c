/* An engine replaced by what its snapshot gives: whatever holds of the one must hold of the other.
 * For tests only; fails by bs_check. */
#ifndef BACKSTEP_TESTS_ENGINE_AGAIN_H
#define BACKSTEP_TESTS_ENGINE_AGAIN_H

#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/core/engine.h"
#include "backstep/core/snapshot.h"

static inline bool engine_again_add(void *context, struct bs_slice bytes)
{
    struct bs_buffer *b = context;
    bs_buffer_add(b, bytes);
    return !b->failed;
}

static inline void engine_again_save(struct bs_engine *e, struct bs_buffer *ret)
{
    struct bs_sink sink = {ret, engine_again_add};
    bs_buffer_init(ret, 256u << 20);
    bs_check(bs_engine_save(e, &sink) == BS_OK);
}

/* The loaded one says the same of itself, byte for byte. */
static inline void engine_again(struct bs_engine **engine, const struct bs_engine_options *options)
{
    struct bs_engine *loaded;
    struct bs_buffer first, second;
    engine_again_save(*engine, &first);
    enum bs_status status =
        bs_engine_load(&loaded, options, bs_buffer_slice(&first), BS_SNAPSHOT_FORMAT);
    bs_check(status == BS_OK);
    engine_again_save(loaded, &second);
    bs_check(bs_slice_equal(bs_buffer_slice(&first), bs_buffer_slice(&second)));
    bs_check(bs_engine_deadline(loaded).ms == bs_engine_deadline(*engine).ms);
    bs_engine_free(*engine);
    *engine = loaded;
    bs_buffer_fini(&first);
    bs_buffer_fini(&second);
}

#endif
