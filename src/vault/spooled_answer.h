// SPDX-License-Identifier: Apache-2.0
#pragma once
// A token endpoint's answer in the form the spool keeps: status, the few headers that decide what
// it means, and the body byte for byte. Pure. decode fails with vault_error on what encode did not
// write.

#include "base/http_message.h"
#include "base/result.h"

namespace brickgate {

Secret encode_answer(HttpResponse const& answer);
Result<HttpResponse> decode_answer(Secret const& spooled);

}  // namespace brickgate
