// SPDX-License-Identifier: Apache-2.0
// must not compile: invalid operands to binary expression
#include <iostream>

#include "oauth/types.h"

void attempt(brickgate::RefreshToken const& token) {
    std::cout << token;
}
