/* Any bytes as a document of the kind `member`. */
#include "kind_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_bytes(BS_KIND_MEMBER, data, size);
    return 0;
}
