// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a request of the sign-in may connect to. Pure.
#include <string>

#include "databricks/registration.h"
#include "net/http_client.h"

namespace brickgate {

// For a host that was admitted by the registration: one that is not Databricks' own by name was
// listed by the operator, whose word counts for its address too.
HttpLimits limits_for(Registration const& registration, std::string const& origin);

}  // namespace brickgate
