// SPDX-License-Identifier: Apache-2.0
#pragma once
// How the practice Databricks behaves until it is told otherwise: names and values of the control
// API's settings. Values; any thread. docs/sandbox.md describes each.
#include <boost/json.hpp>
#include <optional>
#include <string>

#include "base/clock.h"

namespace brickgate::sandbox {

struct Settings {
    std::string refresh_mode = "strict";  // reusable | grace | strict | revoke
    Seconds access_ttl{3600};
    Seconds refresh_ttl{7 * 24 * 3600};  // from the issue of each refresh token
    Seconds session_ttl{0};              // from the consent; 0: no absolute end
    Seconds grace{60};
    Seconds early_rejection{0};            // APIs refuse a token so long before its end
    bool legacy_paths = false;             // the tutorial's /oauth2/*
    std::string iss_in_callback = "none";  // none | right | wrong | promised (and then absent)
    std::string issue = "all";      // all | no_nonce | wrong_nonce | no_id_token | no_refresh_token
    std::string id_token = "good";  // what is wrong with it
    std::string scope = "asked";    // asked | extra | fewer
    std::string dead_token_error = "invalid_grant";  // or invalid_request, as older servers say
    std::string expired_answer = "forbidden";        // forbidden | unauthorized | bad_request
};

// All or nothing. A complaint names the setting that is unknown or the value that is not allowed.
std::optional<std::string> apply(Settings& settings, boost::json::object const& change);
boost::json::object to_json(Settings const& settings);

}  // namespace brickgate::sandbox
