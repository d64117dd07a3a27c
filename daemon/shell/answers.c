/* Log lines about documents. Must never print a part of a document itself, nor more lines than an
 * operator would read. */
#include "answers.h"

#include "backstep/base/buffer.h"
#include "report.h"

#include <cjson/cJSON.h>

/* What a person changes by hand fits in; a storm does not. */
#define LINES_A_MINUTE 20
#define MINUTE_NS      (60 * UINT64_C(1000000000))

#define TOPIC_SHOWN    160

static bool may_say(struct bs_answers *a, enum bs_answer_sort sort, uint64_t now_ns)
{
    if (now_ns - a->sorts[sort].since_ns >= MINUTE_NS) {
        a->sorts[sort].since_ns = now_ns;
        a->sorts[sort].said = 0;
    }
    if (a->sorts[sort].said < LINES_A_MINUTE) {
        a->sorts[sort].said++;
        return true;
    }
    a->sorts[sort].unsaid++;
    return false;
}

static void add_revision(struct bs_buffer *line, const char *before, const cJSON *document)
{
    const cJSON *rev = cJSON_GetObjectItemCaseSensitive(document, "rev");
    if (cJSON_IsNumber(rev))
        bs_buffer_add_format(line, "%srev %.0f", before, rev->valuedouble);
}

static void add_finding(struct bs_buffer *line, const cJSON *finding)
{
    const cJSON *pointer = cJSON_GetObjectItemCaseSensitive(finding, "pointer");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(finding, "message");
    if (!cJSON_IsString(pointer) || !cJSON_IsString(message))
        return;
    if (pointer->valuestring[0])
        bs_buffer_add_format(line, " at %s", pointer->valuestring);
    bs_buffer_add_format(line, ": %s", message->valuestring);
}

static void add_in_force(struct bs_buffer *line, const cJSON *in_force)
{
    if (cJSON_IsNull(in_force))
        return;
    bs_buffer_add_text(line, "; what was in force stays");
    add_revision(line, ", ", in_force);
}

static enum bs_conf_log_level write_line(struct bs_slice name, const cJSON *answer, bool ok,
                                         struct bs_buffer *line)
{
    bs_buffer_add(line, name);
    add_revision(line, " ", answer);
    if (!ok) {
        bs_buffer_add_text(line, " is rejected");
        add_finding(line, cJSON_GetObjectItemCaseSensitive(answer, "error"));
        add_in_force(line, cJSON_GetObjectItemCaseSensitive(answer, "in_force"));
        return BS_LOG_WARNING;
    }
    const cJSON *warning = cJSON_GetObjectItemCaseSensitive(answer, "warning");
    bs_buffer_add_text(line, " is in force");
    if (!warning)
        return BS_LOG_INFO;
    bs_buffer_add_text(line, ", with a warning");
    add_finding(line, warning);
    return BS_LOG_WARNING;
}

static void say(struct bs_slice name, struct bs_slice payload, bool ok)
{
    cJSON *answer = cJSON_ParseWithLength(payload.at, payload.length);
    struct bs_buffer line;
    bs_buffer_init(&line, 2048);
    enum bs_conf_log_level level = write_line(name, answer, ok, &line);
    if (answer && !line.failed)
        bs_report(level, "%.*s", (int)line.length, line.at);
    bs_buffer_fini(&line);
    cJSON_Delete(answer);
}

void bs_answers_take(struct bs_answers *a, uint64_t now_ns, struct bs_slice results,
                     const struct bs_publication *p)
{
    if (!bs_slice_starts(p->topic, results))
        return;
    if (p->unchanged) {
        a->unchanged++;
        return;
    }
    struct bs_slice name = bs_slice_after(p->topic, results.length); /* kind and id */
    bool deleted = p->payload.length == 0;
    bool ok = deleted || bs_slice_starts(p->payload, BS_SLICE("{\"ok\":true"));
    if (!may_say(a, ok ? BS_ANSWER_IN_FORCE : BS_ANSWER_REJECTED, now_ns))
        return;
    if (deleted)
        bs_report(BS_LOG_INFO, "%.*s is deleted", (int)name.length, name.at);
    else
        say(name, p->payload, ok);
}

void bs_answers_take_unknown(struct bs_answers *a, uint64_t now_ns, struct bs_slice topic)
{
    if (!may_say(a, BS_ANSWER_UNKNOWN, now_ns))
        return;
    bool cut = topic.length > TOPIC_SHOWN;
    size_t shown = cut ? TOPIC_SHOWN : topic.length;
    while (cut && shown > 0 && ((unsigned char)topic.at[shown] & 0xc0) == 0x80)
        shown--;
    bs_report(BS_LOG_WARNING, "a document of an unknown kind, or without a proper id, on %.*s%s",
              (int)shown, topic.at, cut ? "…" : "");
}

static void add_count(struct bs_buffer *line, uint64_t count, const char *what)
{
    if (count)
        bs_buffer_add_format(line, "%s%llu%s", line->length ? ", " : "", (unsigned long long)count,
                             what);
}

void bs_answers_sum_up(struct bs_answers *a)
{
    struct bs_buffer line;
    bs_buffer_init(&line, 512);
    uint64_t rejected = a->sorts[BS_ANSWER_REJECTED].unsaid;
    uint64_t unknown = a->sorts[BS_ANSWER_UNKNOWN].unsaid;
    add_count(&line, a->unchanged, " came again unchanged");
    add_count(&line, a->sorts[BS_ANSWER_IN_FORCE].unsaid, " more came into force or were deleted");
    add_count(&line, rejected, " more were rejected");
    add_count(&line, unknown, " more were of an unknown kind");
    if (line.length && !line.failed)
        bs_report(rejected || unknown ? BS_LOG_WARNING : BS_LOG_INFO, "of the documents %.*s",
                  (int)line.length, line.at);
    bs_buffer_fini(&line);
    a->unchanged = 0;
    for (int sort = 0; sort < BS_ANSWER_SORTS; sort++)
        a->sorts[sort].unsaid = 0;
}
