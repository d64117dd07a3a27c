/* Any bytes as a document of the kind `drill`. */
#include "kind_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_bytes(BS_KIND_DRILL, data, size);
    return 0;
}
