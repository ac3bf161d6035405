// SPDX-License-Identifier: Apache-2.0
#pragma once
// The cookies that bind a sign-in to the browser it was begun in (T01, T08, T09). One a sign-in,
// eight at most; the time of making stands in the value, so that the oldest can go. Pure.
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "net/server_message.h"
#include "server/settings.h"

namespace brickgate {

struct LoginCookie {
    std::string suffix;  // 8 hex digits of the state's hash
    std::string value;
    Time made_at{};  // whole seconds
};

// All of ours in this request; cookies without the prefix count only where there is none
// (plain_cookies). Errors: cookie_duplicate.
Result<std::vector<LoginCookie>> login_cookies(ServerRequest const& request,
                                               ServerSettings const& settings);
// Set-Cookie values: the new one, and the removal of the oldest beyond seven others.
std::vector<std::string> set_login_cookie(ServerSettings const& settings,
                                          std::vector<LoginCookie> const& held,
                                          std::string const& suffix, Secret const& value, Time now);
std::string clear_login_cookie(ServerSettings const& settings, std::string const& suffix);

}  // namespace brickgate
