// SPDX-License-Identifier: Apache-2.0
#include "oauth/oauth_error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/json.h"

namespace brickgate {

namespace {

struct Known {
    std::string_view name;
    ErrorCode code;
    std::string_view message;
};
constexpr std::array<Known, 8> known{{
    {"invalid_grant", ErrorCode::invalid_grant, "The grant is no longer valid."},
    {"invalid_client", ErrorCode::invalid_client, "Client id or secret were not accepted."},
    {"unauthorized_client", ErrorCode::unauthorized_client, "This client may not do that."},
    {"unsupported_grant_type", ErrorCode::unsupported_grant_type,
     "The server does not know this grant."},
    {"invalid_scope", ErrorCode::invalid_scope, "The client may not ask for one of the scopes."},
    {"access_denied", ErrorCode::invalid_scope,
     "The client's secret is not good for these scopes."},
    {"temporarily_unavailable", ErrorCode::temporarily_unavailable, "The server is busy."},
    {"server_error", ErrorCode::server_error, "The server failed."},
}};

// databricks-facts 3.2: servers of 2023 and 2024 said invalid_request for a dead refresh token.
constexpr std::string_view dead_refresh_token = "Refresh token is invalid";

std::optional<Error> from_oauth_body(std::string_view text) {
    auto const parsed = parse_json(text);
    if (!parsed || !parsed->is_object()) {
        return std::nullopt;
    }
    auto const& body = parsed->get_object();
    auto const name = string_at(body, "error");
    if (!name) {
        return std::nullopt;
    }
    auto const description = string_at(body, "error_description").value_or("");
    std::string detail(*name);
    detail.append(": ").append(description);
    if (*name == "invalid_request" && description == dead_refresh_token) {
        return Error(ErrorCode::invalid_grant, "The grant is no longer valid.").with_detail(detail);
    }
    auto const* const found = std::ranges::find(known, *name, &Known::name);
    if (found != known.end()) {
        return Error(found->code, std::string(found->message)).with_detail(detail);
    }
    return Error(ErrorCode::authorize_failed, "The token endpoint refused the request.")
        .with_detail(detail);
}

Error from_status(int status) {
    std::string const tail = " (status " + std::to_string(status) + ")";
    if (status >= 300 && status < 400) {
        return {ErrorCode::host_misconfigured,
                "The token endpoint redirects elsewhere" + tail + "."};
    }
    if (status == 429) {
        return {ErrorCode::rate_limited, "The token endpoint asks us to slow down."};
    }
    if (status == 503) {
        return {ErrorCode::temporarily_unavailable, "The token endpoint is busy."};
    }
    if (status >= 500) {
        return {ErrorCode::server_error, "The token endpoint failed" + tail + "."};
    }
    return {ErrorCode::host_blocked, "What answers is not an OAuth token endpoint" + tail + "."};
}

}  // namespace

Error token_endpoint_error(HttpResponse const& response, Time now) {
    Error error = from_status(response.status);
    bool const client_error =
        response.status >= 400 && response.status < 500 && response.status != 429;
    if (client_error) {
        auto oauth =
            response.body.expose([](std::string_view text) { return from_oauth_body(text); });
        if (oauth) {
            error = std::move(*oauth);
        }
    }
    if (auto const header = response.headers.get("Retry-After")) {
        if (auto const wait = parse_retry_after(*header, now)) {
            return std::move(error).with_retry_after(*wait);
        }
    }
    return error;
}

AnswerClass classify_token_answer(int status, Result<TokenSet> const& parsed) {
    if (parsed) {
        return AnswerClass::success;
    }
    switch (parsed.error().code()) {
        case ErrorCode::invalid_grant:
            return AnswerClass::grant_dead;
        case ErrorCode::invalid_client:
        case ErrorCode::unauthorized_client:
        case ErrorCode::unsupported_grant_type:
        case ErrorCode::invalid_scope:
            return AnswerClass::client_fault;
        case ErrorCode::authorize_failed:
            return AnswerClass::refused;
        case ErrorCode::rate_limited:
        case ErrorCode::temporarily_unavailable:
            return AnswerClass::not_spent;
        case ErrorCode::server_error:
            return AnswerClass::maybe_spent;
        case ErrorCode::host_misconfigured:
            return AnswerClass::host_misconfigured;
        case ErrorCode::host_blocked:
            return AnswerClass::host_blocked;
        default:
            return status >= 200 && status < 300 ? AnswerClass::protocol_error
                                                 : AnswerClass::maybe_spent;
    }
}

std::optional<Seconds> parse_retry_after(std::string_view value, Time now) {
    constexpr Seconds longest = std::chrono::hours(24);
    std::int64_t seconds = 0;
    auto const [end, failed] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (failed == std::errc() && end == value.data() + value.size() && seconds >= 0) {
        return std::min(Seconds(seconds), longest);
    }
    if (failed == std::errc::result_out_of_range && end == value.data() + value.size() &&
        value.front() != '-') {
        return longest;
    }
    std::tm date{};
    std::string const text(value);
    char const* const rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (!rest || *rest != '\0') {
        return std::nullopt;
    }
    Time const when{Seconds(timegm(&date))};
    return std::clamp(std::chrono::ceil<Seconds>(when - now), Seconds(0), longest);
}

}  // namespace brickgate
