// SPDX-License-Identifier: Apache-2.0
// must not compile: overload resolution selected deleted operator '=='
#include "base/secret.h"

bool attempt(brickgate::Secret const& a, brickgate::Secret const& b) {
    return a != b;
}
