/* Any bytes as a document of the kind `session`. */
#include "kind_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_bytes(BS_KIND_SESSION, data, size);
    return 0;
}
