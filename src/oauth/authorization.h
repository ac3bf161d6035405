// SPDX-License-Identifier: Apache-2.0
#pragma once
// The front channel: the URL that a browser is sent to, and what it brings back (RFC 6749
// section 4.1, RFC 9207). Nothing it brings back names an endpoint that we use. Pure.
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "oauth/metadata.h"
#include "oauth/pkce.h"
#include "oauth/types.h"

namespace brickgate {

struct AuthorizationRequest {
    ClientId client_id;
    RedirectUri redirect_uri;
    Scopes scopes;
    State state;
    std::optional<Nonce> nonce;
    PkceChallenge challenge;
};
std::string authorize_url(ServerMetadata const& server, AuthorizationRequest const& request);

// What the callback's query says, checked for form only (T05, T06). Errors: uri_too_long,
// param_duplicate, param_invalid, state_missing.
struct CallbackParameters {
    State state;                            // 43 characters of base64url
    std::optional<AuthorizationCode> code;  // or else error
    std::string error;
    std::string error_description;  // theirs, cleaned
    std::optional<std::string> iss;

    static Result<CallbackParameters> parse(std::string_view raw_query);
};

// What the row of this sign-in remembers of the question.
struct PendingLogin {
    Issuer issuer;
    bool iss_required = false;
    Time expires_at{};
};

// A code that answers our question. Only validate_callback makes one, so an unchecked code cannot
// be sent.
class ValidatedCode {
 public:
    decltype(auto) expose(auto&& use) const {
        return code_.expose(std::forward<decltype(use)>(use));
    }

 private:
    explicit ValidatedCode(AuthorizationCode code) : code_(std::move(code)) {}
    friend Result<ValidatedCode> validate_callback(CallbackParameters&&, PendingLogin const&, Time);
    AuthorizationCode code_;
};
// Errors: login_expired, iss_mismatch, iss_missing, access_denied, and the server's other refusals
// as unauthorized_client, invalid_scope, server_error, temporarily_unavailable, authorize_failed.
Result<ValidatedCode> validate_callback(CallbackParameters&& parameters, PendingLogin const& login,
                                        Time now);

}  // namespace brickgate
