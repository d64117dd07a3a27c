/* Reading answers. Must take anything that comes on such a topic, and print none of it raw. */
#include "answer.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <string.h>

/* A text for a terminal: control characters are no part of any sentence of the daemon's. */
static void copy_text(const cJSON *text, char *ret, size_t size)
{
    const char *from = cJSON_GetStringValue(text);
    snprintf(ret, size, "%s", from ? from : "");
    for (char *c = ret; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

static struct bs_document_rev read_rev(const cJSON *object)
{
    const cJSON *rev = cJSON_GetObjectItemCaseSensitive(object, "rev");
    if (!cJSON_IsNumber(rev) || rev->valuedouble < 0 || rev->valuedouble > UINT32_MAX)
        return (struct bs_document_rev){0};
    return (struct bs_document_rev){.known = true, .number = (uint32_t)rev->valuedouble};
}

static void read_finding(const cJSON *finding, struct bs_answer *ret)
{
    ret->has_finding = cJSON_IsObject(finding);
    if (!ret->has_finding)
        return;
    copy_text(cJSON_GetObjectItemCaseSensitive(finding, "pointer"), ret->finding.pointer,
              sizeof ret->finding.pointer);
    copy_text(cJSON_GetObjectItemCaseSensitive(finding, "message"), ret->finding.message,
              sizeof ret->finding.message);
}

bool bs_answer_read(struct bs_slice text, struct bs_answer *ret)
{
    cJSON *root = cJSON_ParseWithLength(text.at, text.length);
    const cJSON *ok = cJSON_GetObjectItemCaseSensitive(root, "ok");
    bool is_answer = cJSON_IsBool(ok);
    if (is_answer) {
        *ret = (struct bs_answer){.ok = cJSON_IsTrue(ok), .rev = read_rev(root)};
        copy_text(cJSON_GetObjectItemCaseSensitive(root, "sha256"), ret->sha256,
                  sizeof ret->sha256);
        read_finding(cJSON_GetObjectItemCaseSensitive(root, ret->ok ? "warning" : "error"), ret);
        const cJSON *in_force = cJSON_GetObjectItemCaseSensitive(root, "in_force");
        ret->has_in_force = cJSON_IsObject(in_force);
        ret->in_force = read_rev(in_force);
    }
    cJSON_Delete(root);
    return is_answer;
}

void bs_answer_write_finding(const struct bs_answer *answer, const char *path, FILE *to)
{
    if (answer->has_finding)
        fprintf(to, "%s:%s: %s%s\n", path, answer->finding.pointer, answer->ok ? "warning: " : "",
                answer->finding.message);
}
