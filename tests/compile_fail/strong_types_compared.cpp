// SPDX-License-Identifier: Apache-2.0
// must not compile: invalid operands to binary expression
#include "oauth/types.h"

bool attempt(brickgate::State const& state, brickgate::Nonce const& nonce) {
    return state == nonce;
}
