// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the demo invites to try, the same on its success page and in its terminal. Pure.
#include <string>
#include <vector>

#include "server/settings.h"

namespace brickgate {

struct DemoStep {
    std::string text;
    std::vector<std::string> commands;  // to copy, each as it is
};

// Empty where this is no demo. The first is how to take a token, the others are to be numbered.
std::vector<DemoStep> demo_steps(ServerSettings const& settings, std::string const& connection);

}  // namespace brickgate
