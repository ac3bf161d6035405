// SPDX-License-Identifier: Apache-2.0
#pragma once
// The process itself: what it does to itself before it holds a secret (T65), and the environment it
// was given, which nobody else reads.
#include <string>

namespace brickgate {

void harden_process();  // no core, no ptrace, no new privileges, files for nobody else

std::string environment_variable(char const* name);  // empty where there is none

}  // namespace brickgate
