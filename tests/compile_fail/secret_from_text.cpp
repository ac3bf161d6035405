// SPDX-License-Identifier: Apache-2.0
// must not compile: no viable conversion
#include "base/secret.h"

brickgate::Secret attempt(std::string const& text) {
    return text;
}
