// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs the operator's program that prints a secret (KMS, vault, op, age). No shell; what it says on
// standard error is told as detail, cleaned and cut; what it prints is not. It and whatever it
// started are ended after the limit, and nothing is left behind (E20). Errors: root_key_invalid.
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"

namespace brickgate {

constexpr Milliseconds key_command_limit = std::chrono::seconds(10);

// `words`: the program, looked up in PATH, and its arguments.
Result<Secret> run_key_command(std::vector<std::string> const& words,
                               Milliseconds limit = key_command_limit);

}  // namespace brickgate
