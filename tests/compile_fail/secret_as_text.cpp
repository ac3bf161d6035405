// SPDX-License-Identifier: Apache-2.0
// must not compile: no viable conversion
#include "base/secret.h"

std::string attempt(brickgate::Secret const& secret) {
    return secret;
}
