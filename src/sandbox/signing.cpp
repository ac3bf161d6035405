// SPDX-License-Identifier: Apache-2.0
#include "sandbox/signing.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <cstdlib>

#include "base/encoding.h"

namespace brickgate::sandbox {

namespace {

namespace json = boost::json;

constexpr std::size_t keys_published = 3;

unsigned char const* bytes_of(std::string const& text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}

std::string number_of(EVP_PKEY* key, char const* name) {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key, name, &number);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(number);
    return base64url_encode(bytes);
}

std::string part(json::object const& object) {
    return base64url_encode(json::serialize(object));
}

}  // namespace

Signer::Signer(Random& random) : random_(random) {
    rotate();
}

void Signer::rotate() {
    std::shared_ptr<EVP_PKEY> key(EVP_RSA_gen(2048), EVP_PKEY_free);
    if (!key) {
        std::abort();  // OpenSSL without a generator: there is nothing to practise with
    }
    keys_.push_back({random_.hex(32), std::move(key)});
    if (keys_.size() > keys_published) {
        keys_.erase(keys_.begin());
    }
}

std::string Signer::signature(std::string const& input) const {
    std::shared_ptr<EVP_MD_CTX> const context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr,
                          keys_.back().key.get(), nullptr);
    std::size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, bytes_of(input), input.size());
    std::string out(size, '\0');
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                   bytes_of(input), input.size());
    out.resize(size);
    return out;
}

std::string Signer::signed_as(json::object const& header, json::object const& claims) const {
    std::string const input = part(header) + "." + part(claims);
    return input + "." + base64url_encode(signature(input));
}

std::string Signer::sign(json::object const& claims, std::string const& type) const {
    return signed_as({{"typ", type}, {"alg", "RS256"}, {"kid", keys_.back().kid}}, claims);
}

std::string Signer::hmac_with_public_key(std::string const& input) const {
    std::unique_ptr<BIO, decltype(&BIO_free)> const memory(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PUBKEY(memory.get(), keys_.back().key.get());
    char* pem = nullptr;
    auto const pem_size = BIO_get_mem_data(memory.get(), &pem);
    std::array<unsigned char, 32> mac{};
    unsigned size = 0;
    HMAC(EVP_sha256(), pem, static_cast<int>(pem_size), bytes_of(input), input.size(), mac.data(),
         &size);
    return {reinterpret_cast<char const*>(mac.data()), size};
}

std::string Signer::forge(json::object const& claims, std::string const& how) const {
    std::string const& kid = keys_.back().kid;
    if (how == "malformed") {
        return "not.a-token";
    }
    if (how == "alg_none") {
        return part({{"typ", "JWT"}, {"alg", "none"}}) + "." + part(claims) + ".";
    }
    if (how == "alg_missing") {
        return signed_as({{"typ", "JWT"}, {"kid", kid}}, claims);
    }
    if (how == "es256") {
        return part({{"typ", "JWT"}, {"alg", "ES256"}, {"kid", kid}}) + "." + part(claims) + "." +
               base64url_encode(random_.bytes(64));
    }
    if (how == "hs256") {
        std::string const input =
            part({{"typ", "JWT"}, {"alg", "HS256"}, {"kid", kid}}) + "." + part(claims);
        return input + "." + base64url_encode(hmac_with_public_key(input));
    }
    if (how == "no_kid") {
        return signed_as({{"typ", "JWT"}, {"alg", "RS256"}}, claims);
    }
    if (how == "unknown_kid") {
        return signed_as({{"typ", "JWT"}, {"alg", "RS256"}, {"kid", random_.hex(32)}}, claims);
    }
    if (how == "crit") {
        return signed_as({{"typ", "JWT"},
                          {"alg", "RS256"},
                          {"kid", kid},
                          {"crit", json::array{json::value("b64")}},
                          {"b64", true}},
                         claims);
    }
    std::string token = sign(claims, "JWT");
    if (how == "bad_signature") {
        auto& changed = token[token.rfind('.') + 10];
        changed = changed == 'A' ? 'B' : 'A';
    }
    return token;
}

json::object Signer::jwks() const {
    json::array list;
    for (auto const& key : keys_) {
        list.push_back({{"kty", "RSA"},
                        {"use", "sig"},
                        {"alg", "RS256"},
                        {"kid", key.kid},
                        {"n", number_of(key.key.get(), OSSL_PKEY_PARAM_RSA_N)},
                        {"e", number_of(key.key.get(), OSSL_PKEY_PARAM_RSA_E)}});
    }
    return {{"keys", std::move(list)}};
}

}  // namespace brickgate::sandbox
