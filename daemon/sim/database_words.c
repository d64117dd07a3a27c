/* Answers in the words of the real servers. Must never name a line that is sound. */
#include "database_words.h"

#include "world.h"

static uint32_t dropped(const struct database_survey *found)
{
    return found->counts[DATABASE_CONFLICT] + found->counts[DATABASE_EXPIRED];
}

static void word_partial(const struct database_survey *found, struct bs_buffer *out)
{
    if (found->counts[DATABASE_CONFLICT] > 0)
        bs_buffer_add_format(out,
                             "partial write: field type conflict: input field \\\"steps\\\" on "
                             "measurement \\\"gait_window\\\" is type float, already exists as "
                             "type integer dropped=%u",
                             dropped(found));
    else
        bs_buffer_add_format(out, "partial write: points beyond retention policy dropped=%u",
                             dropped(found));
}

static void word_garbage(const struct database_survey *found, struct bs_buffer *out)
{
    bs_buffer_add_text(out, "unable to parse '");
    bs_buffer_add(out, found->bad_line);
    bs_buffer_add_text(out, "': invalid field format");
}

/* As JSON, but for what stands in a line of ours: servers do not care either. */
static bool word_v1(const struct database_survey *found, struct sim_answer *ret)
{
    ret->status = 400;
    if (dropped(found) > 0)
        word_partial(found, &ret->error);
    else
        word_garbage(found, &ret->error);
    bs_buffer_add_text(&ret->body, "{\"error\":\"");
    bs_buffer_add(&ret->body, bs_buffer_slice(&ret->error));
    bs_buffer_add_text(&ret->body, "\"}");
    return true;
}

static bool word_v2(const struct sim_database *d, const struct database_survey *found,
                    struct sim_answer *ret)
{
    bool stored = found->counts[DATABASE_GARBAGE] == 0 && !d->whole_or_nothing;
    ret->status = stored ? 422 : 400;
    bs_buffer_add_format(&ret->body, "{\"code\":\"%s\",\"message\":\"",
                         stored ? "unprocessable entity" : "invalid");
    if (found->counts[DATABASE_GARBAGE] > 0)
        word_garbage(found, &ret->body);
    else
        word_partial(found, &ret->body);
    bs_buffer_add_text(&ret->body, "\"}");
    return stored;
}

static void add_named(struct bs_buffer *out, uint32_t number, struct bs_slice line, bool first)
{
    bs_buffer_add_text(out, first ? "" : ",");
    bs_buffer_add_format(out,
                         "{\"error_message\":\"invalid column type\",\"line_number\":%u,"
                         "\"original_line\":",
                         number);
    bs_buffer_add_json_string(out, line);
    bs_buffer_add_char(out, '}');
}

static bool word_v3(const struct sim_database *d, struct database_walk walk, struct sim_answer *ret)
{
    struct bs_slice line;
    bool first = true;
    ret->status = 400;
    bs_buffer_add_text(&ret->body,
                       "{\"error\":\"partial write of line protocol occurred\",\"data\":");
    if (d->whole_or_nothing) {
        bs_buffer_add_text(&ret->body, "{\"error_message\":\"invalid column type\"}}");
        return false;
    }
    bs_buffer_add_char(&ret->body, '[');
    while (database_next_line(&walk, &line)) {
        if (database_judge(d, line) == DATABASE_SOUND)
            continue;
        add_named(&ret->body, walk.number, line, first);
        first = false;
    }
    bs_buffer_add_text(&ret->body, "]}");
    return true;
}

bool database_word_answer(const struct sim_database *d, const struct database_survey *found,
                          struct database_walk walk, struct sim_answer *ret)
{
    switch (world->settings.influxdb_api) {
    case 1:
        return word_v1(found, ret);
    case 2:
        return word_v2(d, found, ret);
    default:
        return word_v3(d, walk, ret);
    }
}
