// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who signed in, as OpenID Connect Core section 3.1.3.7 wants it checked (T17). Until this succeeds
// no token of the answer is stored or used. Pure.
#include <optional>
#include <string>

#include "base/result.h"
#include "oauth/jose.h"
#include "oauth/types.h"

namespace brickgate {

struct IdTokenExpectations {
    Issuer issuer;
    ClientId client_id;
    std::optional<Nonce> nonce;   // what we sent
    bool nonce_required = false;  // a wrong one is refused always, an absent one only then
    Time now{};
};

struct IdTokenClaims {
    std::string sub;
    std::string name;
    std::string email;
    std::string preferred_username;
};

Result<IdTokenClaims> check_claims(boost::json::object const& claims,
                                   IdTokenExpectations const& expected);
Result<IdTokenClaims> verify_id_token(UnverifiedJws const& token, JwkSet const& keys,
                                      IdTokenExpectations const& expected);

}  // namespace brickgate
