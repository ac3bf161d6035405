// SPDX-License-Identifier: Apache-2.0
// must not compile: overload resolution selected deleted operator '='
#include "base/secret.h"

void attempt(brickgate::Secret& to, brickgate::Secret const& from) {
    to = from;
}
