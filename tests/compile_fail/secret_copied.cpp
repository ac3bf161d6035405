// SPDX-License-Identifier: Apache-2.0
// must not compile: call to deleted constructor
#include "base/secret.h"

brickgate::Secret attempt(brickgate::Secret const& secret) {
    return secret;
}
