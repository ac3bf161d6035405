// SPDX-License-Identifier: Apache-2.0
// must not compile: call to implicitly-deleted copy constructor
#include "oauth/types.h"

brickgate::TokenSet attempt(brickgate::TokenSet const& tokens) {
    return tokens;
}
