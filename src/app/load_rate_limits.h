// SPDX-License-Identifier: Apache-2.0
#pragma once
// Databricks' limits as the proxy's governor wants them: the shipped table
// (assets/rate_limits.toml) and, in front of it, the operator's own file (proxy.rate_limits_file,
// same form). A family of a shipped name takes the place of the shipped one, and what it does not
// say is the shipped one's; a new one is asked before all shipped. Errors: config_invalid, with
// file, line and family.
#include <string>
#include <string_view>

#include "base/result.h"
#include "proxy/route_families.h"

namespace brickgate {

struct RateLimitsText {
    std::string_view text = {};
    std::string name = {};  // of the file, for errors
};

// `own` without a name: there is none.
Result<RouteFamilies> parse_rate_limits(RateLimitsText const& shipped, RateLimitsText const& own);

// `own_file` empty: the shipped table alone.
Result<RouteFamilies> load_rate_limits(std::string_view shipped, std::string const& own_file);

}  // namespace brickgate
