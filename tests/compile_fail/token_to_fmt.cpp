// SPDX-License-Identifier: Apache-2.0
// must not compile: formatt
#include <fmt/format.h>

#include "oauth/types.h"

std::string attempt(brickgate::AccessToken const& token) {
    return fmt::format("{}", token);
}
