// SPDX-License-Identifier: Apache-2.0
#include "sandbox/signing.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/encoding.h"

namespace brickgate::sandbox {

namespace {

namespace json = boost::json;

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

Signer::Signer(Random& random) {
    rotate(random);
}

void Signer::rotate(Random& random) {
    keys_.push_back({random.hex(32), std::shared_ptr<EVP_PKEY>(EVP_RSA_gen(2048), EVP_PKEY_free)});
    if (keys_.size() > 3) {
        keys_.erase(keys_.begin());
    }
}

std::string Signer::signature(std::string const& input) const {
    std::shared_ptr<EVP_MD_CTX> const context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr,
                          keys_.back().key.get(), nullptr);
    std::size_t size = 0;
    auto const* const bytes = reinterpret_cast<unsigned char const*>(input.data());
    EVP_DigestSign(context.get(), nullptr, &size, bytes, input.size());
    std::string out(size, '\0');
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes,
                   input.size());
    out.resize(size);
    return out;
}

std::string Signer::sign(json::object claims, std::string const& type) const {
    std::string const input =
        part({{"typ", type}, {"alg", "RS256"}, {"kid", keys_.back().kid}}) + "." + part(claims);
    return input + "." + base64url_encode(signature(input));
}

std::string Signer::forge(json::object claims, std::string const& how) const {
    if (how == "alg_none") {
        return part({{"typ", "JWT"}, {"alg", "none"}}) + "." + part(claims) + ".";
    }
    if (how == "hs256") {
        std::string const input =
            part({{"typ", "JWT"}, {"alg", "HS256"}, {"kid", keys_.back().kid}}) + "." +
            part(claims);
        return input + "." + base64url_encode(sha256(input));
    }
    std::string token = sign(std::move(claims), "JWT");
    token[token.rfind('.') + 10] = token[token.rfind('.') + 10] == 'A' ? 'B' : 'A';
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
