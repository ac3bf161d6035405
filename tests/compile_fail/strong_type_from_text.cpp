// SPDX-License-Identifier: Apache-2.0
// must not compile: no viable conversion
#include "oauth/types.h"

brickgate::State attempt(std::string const& text) {
    return text;
}
