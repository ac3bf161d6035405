// SPDX-License-Identifier: Apache-2.0
// must not compile: calling a private constructor of class 'brickgate::ValidatedCode'
#include "oauth/authorization.h"

brickgate::ValidatedCode attempt(brickgate::AuthorizationCode code) {
    return brickgate::ValidatedCode(std::move(code));
}
