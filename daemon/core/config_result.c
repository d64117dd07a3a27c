/* The answers to documents, as JSON. Must name nothing of a document but its revision and digest:
 * pointer and message come of the judgement, which quotes no text. */
#include "config_parts.h"

static void write_revision(struct bs_buffer *b, struct bs_document_rev rev)
{
    bs_buffer_add_text(b, "\"rev\":");
    if (rev.known)
        bs_buffer_add_u64(b, rev.number);
    else
        bs_buffer_add_text(b, "null");
}

static void write_finding(struct bs_buffer *b, const char *name,
                          const struct bs_document_error *finding)
{
    bs_buffer_add_format(b, ",\"%s\":{\"pointer\":", name);
    bs_buffer_add_json_string(b, bs_slice_text(finding->pointer));
    bs_buffer_add_text(b, ",\"message\":");
    bs_buffer_add_json_string(b, bs_slice_text(finding->message));
    bs_buffer_add_char(b, '}');
}

static void write_head(struct bs_buffer *b, bool ok, const struct judgement *j)
{
    bs_buffer_reset(b);
    bs_buffer_add_text(b, ok ? "{\"ok\":true," : "{\"ok\":false,");
    write_revision(b, j->rev);
    bs_buffer_add_format(b, ",\"sha256\":\"%s\",\"at\":\"", j->sha256);
    bs_buffer_add_iso_time(b, j->arrival->at.ms);
    bs_buffer_add_char(b, '"');
}

void bs_config_write_accepted(struct bs_config *config, const struct judgement *j,
                              const struct bs_document_error *warning)
{
    struct bs_buffer *b = &config->result;
    write_head(b, true, j);
    if (warning)
        write_finding(b, "warning", warning);
    bs_buffer_add_char(b, '}');
}

void bs_config_write_rejected(struct bs_config *config, const struct judgement *j)
{
    struct bs_buffer *b = &config->result;
    write_head(b, false, j);
    write_finding(b, "error", &j->error);
    if (j->document && j->document->in_force) {
        bs_buffer_add_text(b, ",\"in_force\":{");
        write_revision(b, j->document->rev);
        bs_buffer_add_format(b, ",\"sha256\":\"%s\"}}", j->document->sha256);
    } else {
        bs_buffer_add_text(b, ",\"in_force\":null}");
    }
}
