// SPDX-License-Identifier: Apache-2.0
// must not compile: overload resolution selected deleted operator
#include <iostream>

#include "base/secret.h"

void attempt(brickgate::Secret const& secret) {
    std::cout << secret;
}
