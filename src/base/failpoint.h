// SPDX-License-Identifier: Apache-2.0
#pragma once
// Places where the crash tests kill the program: compiled into test builds only
// (BRICKGATE_FAILPOINTS), empty otherwise. Armed by the environment variable
// __brickgate_failpoint=NAME:kill[@N], a name that no setting can have; N is the hit that counts.
#include <string_view>

namespace brickgate {

#ifdef BRICKGATE_FAILPOINTS
void failpoint(std::string_view name);
#else
inline void failpoint(std::string_view) {}
#endif

}  // namespace brickgate
