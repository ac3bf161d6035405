// SPDX-License-Identifier: Apache-2.0
// must not compile: no viable conversion
#include "oauth/types.h"

brickgate::Issuer attempt(brickgate::ClientId const& id) {
    return id;
}
