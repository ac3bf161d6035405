// SPDX-License-Identifier: Apache-2.0
#pragma once
// The process itself: what it does to itself before it holds a secret (T65), and the environment it
// was given, which nobody else reads.
#include <cstddef>
#include <string>

namespace brickgate {

void harden_process();  // no core, no ptrace, no new privileges, files for nobody else

// As many descriptors as the machine's administrator allows us (the hard limit); gives how many.
std::size_t raise_descriptor_limit();
// How many connections of callers that is enough for: each may need a second one, to its workspace,
// and some are kept for refreshes, the database and this machine's commands (T51).
std::size_t connections_within(std::size_t descriptors);

std::string environment_variable(char const* name);  // empty where there is none

}  // namespace brickgate
