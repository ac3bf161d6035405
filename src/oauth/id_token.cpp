// SPDX-License-Identifier: Apache-2.0
#include "oauth/id_token.h"

#include "base/encoding.h"
#include "base/json.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Seconds skew_ahead = 10s;         // FAPI 2.0 section 5.3.2.1
constexpr Seconds oldest = 600s;            // as long as a sign-in may take
constexpr std::size_t sub_bytes_max = 255;  // OpenID Connect Core section 2

bool is_for_us(json::object const& claims, std::string const& client_id) {
    auto const* const audience = claims.if_contains("aud");
    if (!audience) {
        return false;
    }
    if (auto const* one = audience->if_string()) {
        return std::string_view(*one) == client_id;
    }
    auto const* const list = audience->if_array();
    // A second audience would be somebody we do not know, who could replay the token.
    return list && list->size() == 1 && list->front().is_string() &&
           std::string_view(list->front().get_string()) == client_id;
}

Result<void> check_times(json::object const& claims, Time now) {
    auto const expires = integer_at(claims, "exp");
    auto const issued = integer_at(claims, "iat");
    if (!expires || !issued) {
        return fail(ErrorCode::id_token_time,
                    "The id_token does not say when it was made or ends.");
    }
    constexpr std::int64_t year_9999 = 253'402'300'799;
    if (*expires < 0 || *expires > year_9999 || *issued < 0 || *issued > year_9999) {
        return fail(ErrorCode::id_token_time, "The id_token's times are out of range.");
    }
    if (Time(Seconds(*expires)) <= now) {
        return fail(ErrorCode::id_token_expired, "The id_token has expired.");
    }
    if (Time(Seconds(*issued)) > now + skew_ahead || Time(Seconds(*issued)) < now - oldest) {
        return fail(ErrorCode::id_token_time, "The id_token was not made just now.");
    }
    auto const not_before = integer_at(claims, "nbf");
    if (not_before && (*not_before > year_9999 || Time(Seconds(*not_before)) > now + skew_ahead)) {
        return fail(ErrorCode::id_token_time, "The id_token is not valid yet.");
    }
    return {};
}

Result<void> check_nonce(json::object const& claims, IdTokenExpectations const& expected) {
    if (!expected.nonce) {
        return {};
    }
    auto const nonce = string_at(claims, "nonce");
    if (!nonce && !claims.contains("nonce") && !expected.nonce_required) {
        return {};
    }
    if (!nonce || *nonce != expected.nonce->value()) {
        return fail(ErrorCode::id_token_nonce,
                    "The id_token does not carry the nonce of this sign-in.");
    }
    return {};
}

std::string text_at(json::object const& claims, std::string_view name) {
    return clean_text(string_at(claims, name).value_or(""));
}

}  // namespace

Result<IdTokenClaims> check_claims(json::object const& claims,
                                   IdTokenExpectations const& expected) {
    if (string_at(claims, "iss").value_or("") != expected.issuer.value()) {
        return fail(ErrorCode::id_token_issuer, "The id_token comes from another issuer.");
    }
    if (!is_for_us(claims, expected.client_id.value())) {
        return fail(ErrorCode::id_token_audience, "The id_token was made for another client.");
    }
    if (claims.contains("azp") &&
        string_at(claims, "azp").value_or("") != expected.client_id.value()) {
        return fail(ErrorCode::id_token_audience, "The id_token was handed to another client.");
    }
    if (auto const checked = check_times(claims, expected.now); !checked) {
        return fail(checked.error());
    }
    if (auto const checked = check_nonce(claims, expected); !checked) {
        return fail(checked.error());
    }
    auto const sub = string_at(claims, "sub");
    if (!sub || sub->empty() || sub->size() > sub_bytes_max) {
        return fail(ErrorCode::id_token_malformed, "The id_token does not say who signed in.");
    }
    return IdTokenClaims{std::string(*sub), text_at(claims, "name"), text_at(claims, "email"),
                         text_at(claims, "preferred_username")};
}

Result<IdTokenClaims> verify_id_token(UnverifiedJws const& token, JwkSet const& keys,
                                      IdTokenExpectations const& expected) {
    auto const claims = verify_jws(token, keys);
    if (!claims) {
        return fail(claims.error());
    }
    return check_claims(*claims, expected);
}

}  // namespace brickgate
