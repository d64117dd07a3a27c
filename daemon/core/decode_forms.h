/* The two readers behind bs_decode, which has looked at the length and the first byte already. */
#ifndef BACKSTEP_CORE_DECODE_FORMS_H
#define BACKSTEP_CORE_DECODE_FORMS_H

#include "backstep/core/decode.h"

enum bs_decode_result bs_decode_json(struct bs_slice payload, struct bs_message *ret);
enum bs_decode_result bs_decode_binary(struct bs_slice payload, struct bs_message *ret);

#endif
