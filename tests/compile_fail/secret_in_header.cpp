// SPDX-License-Identifier: Apache-2.0
// must not compile: no viable conversion
#include "base/http_message.h"

void attempt(brickgate::HeaderMap& headers, brickgate::Secret const& secret) {
    headers.add("Authorization", secret);
}
