// SPDX-License-Identifier: Apache-2.0
#pragma once
// The practice Databricks' signing keys: RS256 tokens (RFC 7515) and the key set that checks them
// (RFC 7517). Written against OpenSSL on its own, so that the gateway's verifier is judged by other
// code than its own. One thread.
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"

struct evp_pkey_st;

namespace brickgate::sandbox {

class Signer {
 public:
    explicit Signer(Random& random);
    void rotate();  // a new RSA-2048 key signs; the old one stays published
    std::string sign(boost::json::object const& claims, std::string const& type) const;
    // A token that no client may accept: alg_none, alg_missing, hs256 (keyed with our public key),
    // es256, bad_signature, no_kid, unknown_kid, crit, malformed. Anything else is signed well.
    std::string forge(boost::json::object const& claims, std::string const& how) const;
    boost::json::object jwks() const;

 private:
    struct Key {
        std::string kid;
        std::shared_ptr<evp_pkey_st> key;
    };
    std::string signature(std::string const& input) const;
    std::string signed_as(boost::json::object const& header,
                          boost::json::object const& claims) const;
    std::string hmac_with_public_key(std::string const& input) const;

    Random& random_;
    std::vector<Key> keys_;
};

}  // namespace brickgate::sandbox
