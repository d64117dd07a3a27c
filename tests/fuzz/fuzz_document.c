/* Any bytes as a document of no kind: what is JSON is read as what it says, what is not has a
 * pointer and a sentence. */
#include "backstep/base/check.h"
#include "backstep/core/document.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Printed, it is read again as the same (unless escapes made it too long). */
static void check_tree(cJSON *root)
{
    char *text = cJSON_PrintUnformatted(root);
    bs_check(text);
    struct bs_document_error error;
    struct bs_document_rev rev;
    cJSON *again = NULL;
    if (strlen(text) <= BS_DOCUMENT_BYTES_MAX) {
        bs_check(bs_document_parse(bs_slice_text(text), &again, &rev, &error) == BS_OK);
        bs_check(cJSON_Compare(root, again, true));
        cJSON_Delete(again);
    }
    cJSON_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_document_error error = {.pointer = "?"};
    struct bs_document_rev rev;
    cJSON *root = NULL;
    if (bs_document_parse(bs_slice_of(data, size), &root, &rev, &error) == BS_OK) {
        bs_check(cJSON_IsObject(root) && bs_slice_is_utf8(bs_slice_of(data, size)));
        check_tree(root);
    } else {
        bs_check(!root);
        bs_check(error.pointer[0] == 0 || error.pointer[0] == '/');
        bs_check(bs_slice_is_utf8(bs_slice_text(error.pointer)));
        bs_check(error.message[0]);
    }
    cJSON_Delete(root);
    return 0;
}
