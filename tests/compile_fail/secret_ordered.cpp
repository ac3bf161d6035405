// SPDX-License-Identifier: Apache-2.0
// must not compile: invalid operands to binary expression
#include "base/secret.h"

bool attempt(brickgate::Secret const& a, brickgate::Secret const& b) {
    return a < b;
}
