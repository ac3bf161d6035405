// SPDX-License-Identifier: Apache-2.0
#pragma once
// The token endpoint in its four modes (security design D.6).

#include <vector>

#include "model/state.h"

namespace brickgate::model {

struct Answer {
    Server server;
    Byte answer;
};
// All that it may answer to a token, and what that makes of it.
std::vector<Answer> answers(Server const& server, Mode mode, Byte token);

}  // namespace brickgate::model
