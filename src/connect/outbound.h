// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a request of the sign-in may connect to. Pure.
#include <string_view>

#include "databricks/registration.h"
#include "net/http_client.h"

namespace brickgate {

// For an address on a host that the registration admitted: one that the operator wrote down by name
// may lie anywhere; Databricks' own, and hosts below a listed suffix, must be public (T28).
HttpLimits limits_for(Registration const& registration, std::string_view url);

// Is it one of the endpoints that the operator configured for this registration?
bool is_configured_endpoint(Registration const& registration, std::string_view url);

}  // namespace brickgate
