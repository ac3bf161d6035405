// SPDX-License-Identifier: Apache-2.0
// must not compile: calling a private constructor of class 'brickgate::PkceVerifier'
#include "oauth/pkce.h"

brickgate::PkceVerifier attempt(brickgate::Secret text) {
    return brickgate::PkceVerifier(std::move(text));
}
