// SPDX-License-Identifier: Apache-2.0
// must not compile: formatt
#include <fmt/format.h>

#include "base/secret.h"

std::string attempt(brickgate::Secret const& secret) {
    return fmt::format("{}", secret);
}
