/* config/session/{group}: the class that is on. Must hold every rule of one such document; whether
 * its phase is one of the drill's is config_judge.c's. */
#include "kind_parts.h"

#include <stddef.h>

static const struct bs_document_field fields[] = {
    BS_KIND_REV,
    {.name = "drill",
     .type = BS_DOCUMENT_ID,
     .required = true,
     .offset = offsetof(struct bs_session_document, drill),
     .unit = "",
     .sentence = "the drill; the session waits for its document"},
    {.name = "start",
     .type = BS_DOCUMENT_TIME,
     .required = true,
     .offset = offsetof(struct bs_session_document, start_ms),
     .unit = "",
     .sentence = "when the class begins; a session with another start is another one"},
    {.name = "end",
     .type = BS_DOCUMENT_TIME,
     .offset = offsetof(struct bs_session_document, end_ms),
     .unit = "",
     .sentence = "when it ends; without it 30 minutes after the last step, 12 hours after `start` "
                 "at the latest"},
    {.name = "phase",
     .type = BS_DOCUMENT_TEXT,
     .offset = offsetof(struct bs_session_document, phase),
     .unit = "",
     .sentence = "the drill's phase that is on; without it the timetable says, where every phase "
                 "has `duration_s`"},
};

struct bs_document_table bs_kind_session_table(void)
{
    return (struct bs_document_table)BS_KIND_TABLE(fields);
}

enum bs_status bs_kind_judge_session(const struct bs_session_document *session,
                                     struct bs_document_error *ret_error)
{
    if (session->end_ms > session->start_ms)
        return BS_OK;
    bs_document_error_set(ret_error, "/end", "must be after `start`");
    return BS_INVALID;
}
