// SPDX-License-Identifier: Apache-2.0
#pragma once
// Places where the crash tests kill the program: compiled into test builds only
// (BRICKGATE_FAILPOINTS), empty otherwise. Armed by the environment variable
// __brickgate_failpoint=NAME:kill[@N] (or stop, or error), a name that no setting can have; N is
// the hit that counts.
#include <string_view>

namespace brickgate {

#ifdef BRICKGATE_FAILPOINTS
void failpoint(std::string_view name);
bool fails_here(std::string_view name);  // NAME:error: the call that follows is to fail
#else
inline void failpoint(std::string_view) {}
inline bool fails_here(std::string_view) {
    return false;
}
#endif

}  // namespace brickgate
