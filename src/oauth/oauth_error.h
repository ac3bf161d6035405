// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a token endpoint's answer means for the grant (security design D.7). Decided on status and
// error code; the one sentence compared is Databricks' older form of invalid_grant. Pure.
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/http_message.h"
#include "base/result.h"
#include "oauth/types.h"

namespace brickgate {

enum class AnswerClass : std::uint8_t {
    success,
    grant_dead,          // definite: this refresh token or code will never work again
    client_fault,        // our registration is refused; the grant was not looked at
    refused,             // another OAuth error, e.g. invalid_request: what it means, nobody knows
    not_spent,           // 429, 503: refused at the door
    maybe_spent,         // 500, 502, 504: it may have been used
    host_blocked,        // not an OAuth answer: IP list, proxy, login page
    host_misconfigured,  // a redirect
    protocol_error,      // 200 that we cannot read
};
AnswerClass classify_token_answer(int status, Result<TokenSet> const& parsed);

// The error that a non-2xx answer stands for; `now` dates a Retry-After that is an HTTP date.
Error token_endpoint_error(HttpResponse const& response, Time now);
// Retry-After: seconds or HTTP date (RFC 9110 section 10.2.3); nullopt if neither.
std::optional<Seconds> parse_retry_after(std::string_view value, Time now);

}  // namespace brickgate
