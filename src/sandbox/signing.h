// SPDX-License-Identifier: Apache-2.0
#pragma once
// The practice Databricks' signing key: RS256 tokens and the key set that checks them. Written
// against OpenSSL on its own, so that the gateway's verifier is judged by other code than its own.
// One thread.
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
    void rotate(Random& random);  // a new key; the old one stays published
    std::string sign(boost::json::object claims, std::string const& type) const;
    std::string forge(boost::json::object claims,
                      std::string const& how) const;  // alg_none, hs256, bad_signature
    boost::json::object jwks() const;

 private:
    struct Key {
        std::string kid;
        std::shared_ptr<evp_pkey_st> key;
    };
    std::string signature(std::string const& input) const;
    std::vector<Key> keys_;
};

}  // namespace brickgate::sandbox
