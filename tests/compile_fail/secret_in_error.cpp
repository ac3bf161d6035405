// SPDX-License-Identifier: Apache-2.0
// must not compile: no matching constructor for initialization of 'brickgate::Error'
#include "base/error.h"
#include "base/secret.h"

brickgate::Error attempt(brickgate::Secret const& secret) {
    return brickgate::Error(brickgate::ErrorCode::internal, secret);
}
