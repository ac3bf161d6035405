// SPDX-License-Identifier: Apache-2.0
#pragma once
// An authorization server's signing key: makes id_tokens, good ones and every kind of bad one, and
// publishes itself as a JWK. Keys are made once per process, because that takes long.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "base/json.h"

namespace brickgate::testing {

class RsaSigner {
 public:
    explicit RsaSigner(std::string kid) : kid_(std::move(kid)), key_(EVP_RSA_gen(2048)) {}
    ~RsaSigner() { EVP_PKEY_free(key_); }
    RsaSigner(RsaSigner const&) = delete;
    RsaSigner& operator=(RsaSigner const&) = delete;

    static RsaSigner const& first() {
        static RsaSigner const signer("key-1");
        return signer;
    }
    static RsaSigner const& second() {
        static RsaSigner const signer("key-2");
        return signer;
    }

    std::string const& kid() const { return kid_; }
    json::object jwk() const {
        return {{"kty", "RSA"},
                {"use", "sig"},
                {"alg", "RS256"},
                {"kid", kid_},
                {"n", base64url_encode(number(OSSL_PKEY_PARAM_RSA_N))},
                {"e", base64url_encode(number(OSSL_PKEY_PARAM_RSA_E))}};
    }
    json::object header() const { return {{"alg", "RS256"}, {"typ", "JWT"}, {"kid", kid_}}; }

    std::string sign(json::object const& header, json::object const& claims) const {
        return sign(json::serialize(header), json::serialize(claims));
    }
    std::string sign(json::object const& claims) const { return sign(header(), claims); }
    // Texts as they are: for headers and claims that no JSON writer would write.
    std::string sign(std::string_view header, std::string_view claims) const {
        std::string const input = base64url_encode(header) + '.' + base64url_encode(claims);
        return input + '.' + base64url_encode(signature(input));
    }

 private:
    std::string number(char const* name) const {
        BIGNUM* value = nullptr;
        EVP_PKEY_get_bn_param(key_, name, &value);
        std::string bytes(static_cast<std::size_t>(BN_num_bytes(value)), '\0');
        BN_bn2bin(value, reinterpret_cast<unsigned char*>(bytes.data()));
        BN_free(value);
        return bytes;
    }
    std::string signature(std::string_view input) const {
        EVP_MD_CTX* const context = EVP_MD_CTX_new();
        EVP_DigestSignInit_ex(context, nullptr, "SHA256", nullptr, nullptr, key_, nullptr);
        std::size_t size = 0;
        auto const* const bytes = reinterpret_cast<unsigned char const*>(input.data());
        EVP_DigestSign(context, nullptr, &size, bytes, input.size());
        std::string out(size, '\0');
        EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size, bytes,
                       input.size());
        EVP_MD_CTX_free(context);
        return out;
    }

    std::string kid_;
    EVP_PKEY* key_;
};

inline std::string jwk_set(std::initializer_list<RsaSigner const*> signers) {
    json::array keys;
    for (auto const* signer : signers) {
        keys.push_back(signer->jwk());
    }
    return json::serialize(json::object{{"keys", std::move(keys)}});
}

}  // namespace brickgate::testing
