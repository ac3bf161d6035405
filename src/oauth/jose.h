// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signed tokens and the keys to check them: JWS compact form (RFC 7515), JWK sets (RFC 7517), RS256
// only and by our choice, never the header's (T17, T18). OpenSSL does the arithmetic. Pure; any
// thread.
#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_pkey_st;

namespace brickgate {

struct VerificationKey {
    std::string kid;  // may be empty
    std::shared_ptr<evp_pkey_st> key;
};

class JwkSet {
 public:
    // Keys that are not for checking RS256 signatures are passed over; a key that pretends to be
    // and is weak or malformed spoils the set. Errors: jwks_invalid.
    static Result<JwkSet> parse(std::string_view text);
    // All keys of this kid (four at most are tried); an absent kid fits only if there is exactly
    // one key.
    std::vector<VerificationKey const*> candidates(std::optional<std::string> const& kid) const;
    std::size_t size() const { return keys_.size(); }

 private:
    std::vector<VerificationKey> keys_;
};

// A JWS whose signature was not looked at yet: good for nothing but choosing the key.
struct UnverifiedJws {
    std::optional<std::string> kid;
    std::string signing_input;
    std::string signature;
    std::string payload;
};
// Errors: id_token_malformed, id_token_alg.
Result<UnverifiedJws> parse_jws(std::string_view compact);
// The payload, once a key fits. Errors: id_token_key_unknown, id_token_signature,
// id_token_malformed.
Result<boost::json::object> verify_jws(UnverifiedJws const& jws, JwkSet const& keys);

}  // namespace brickgate
