// SPDX-License-Identifier: Apache-2.0
// must not compile: no matching constructor for initialization of 'const brickgate::LogField'
#include "base/log.h"
#include "base/secret.h"

void attempt(brickgate::Secret const& secret) {
    brickgate::log(brickgate::LogLevel::info, "event", "A sentence.", {{"secret", secret}});
}
