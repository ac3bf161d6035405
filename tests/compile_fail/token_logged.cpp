// SPDX-License-Identifier: Apache-2.0
// must not compile: no matching constructor for initialization of 'const brickgate::LogField'
#include "base/log.h"
#include "oauth/types.h"

void attempt(brickgate::AccessToken const& token) {
    brickgate::log(brickgate::LogLevel::info, "event", "A sentence.", {{"token", token}});
}
