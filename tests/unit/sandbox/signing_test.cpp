// SPDX-License-Identifier: Apache-2.0
// Signatures are checked with OpenSSL and the published numbers alone.
#include "sandbox/signing.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <memory>
#include <set>

#include "base/encoding.h"
#include "base/json.h"
#include "support/seeded_random.h"

namespace brickgate::sandbox {
namespace {

using Key = std::shared_ptr<EVP_PKEY>;

unsigned char const* bytes(std::string const& text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}

Key key_of(json::object const& jwk) {
    auto const number = [&](char const* name) {
        std::string const raw = base64url_decode(std::string(jwk.at(name).as_string())).value();
        return std::shared_ptr<BIGNUM>(BN_bin2bn(bytes(raw), static_cast<int>(raw.size()), nullptr),
                                       BN_free);
    };
    auto const n = number("n");
    auto const e = number("e");
    std::shared_ptr<OSSL_PARAM_BLD> const builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    std::shared_ptr<OSSL_PARAM> const params(OSSL_PARAM_BLD_to_param(builder.get()),
                                             OSSL_PARAM_free);
    std::shared_ptr<EVP_PKEY_CTX> const context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr),
                                                EVP_PKEY_CTX_free);
    EVP_PKEY* key = nullptr;
    EVP_PKEY_fromdata_init(context.get());
    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get());
    return {key, EVP_PKEY_free};
}

struct Parts {
    std::string input, signature;
    json::object header, claims;
};
Parts parts_of(std::string const& token) {
    auto const first = token.find('.');
    auto const last = token.rfind('.');
    auto const object = [](std::string_view text) {
        return parse_json(base64url_decode(text).value()).value().as_object();
    };
    return {token.substr(0, last), base64url_decode(token.substr(last + 1)).value(),
            object(token.substr(0, first)), object(token.substr(first + 1, last - first - 1))};
}

bool verifies(Parts const& parts, Key const& key) {
    std::shared_ptr<EVP_MD_CTX> const context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get());
    return EVP_DigestVerify(context.get(), bytes(parts.signature), parts.signature.size(),
                            bytes(parts.input), parts.input.size()) == 1;
}

testing::SeededRandom random_;
json::object const claims{{"sub", "ada@example.com"}};

TEST(Signer, what_it_signs_is_checked_by_the_numbers_it_publishes) {
    Signer const signer(random_);
    auto const published = signer.jwks().at("keys").as_array();
    ASSERT_EQ(published.size(), 1U);
    auto const& jwk = published.front().as_object();
    auto const token = parts_of(signer.sign(claims, "at+jwt"));
    EXPECT_EQ(token.header,
              (json::object{{"typ", "at+jwt"}, {"alg", "RS256"}, {"kid", jwk.at("kid")}}));
    EXPECT_EQ(token.claims, claims);
    EXPECT_EQ(jwk.at("kid").as_string().size(), 64U);
    auto const key = key_of(jwk);
    EXPECT_EQ(EVP_PKEY_get_bits(key.get()), 2048);
    EXPECT_TRUE(verifies(token, key));
    auto changed = token;
    changed.input += "x";
    EXPECT_FALSE(verifies(changed, key));
}

TEST(Signer, T18_after_a_rotation_the_new_key_signs_and_the_old_one_stays_published) {
    Signer signer(random_);
    auto const before = parts_of(signer.sign(claims, "JWT"));
    signer.rotate();
    auto const after = parts_of(signer.sign(claims, "JWT"));
    EXPECT_NE(before.header.at("kid"), after.header.at("kid"));
    auto const published = signer.jwks().at("keys").as_array();
    ASSERT_EQ(published.size(), 2U);
    EXPECT_TRUE(verifies(before, key_of(published[0].as_object())));
    EXPECT_TRUE(verifies(after, key_of(published[1].as_object())));
    EXPECT_FALSE(verifies(before, key_of(published[1].as_object())));
    signer.rotate();
    signer.rotate();
    EXPECT_EQ(signer.jwks().at("keys").as_array().size(), 3U);
}

TEST(Signer, T17_each_forgery_is_wrong_in_the_way_it_says) {
    Signer const signer(random_);
    auto const jwk = signer.jwks().at("keys").as_array().front().as_object();
    auto const key = key_of(jwk);
    struct Row {
        std::string how;
        bool verifies;
        std::set<std::string> header;  // its members
        std::string alg;
    };
    for (Row const& row : {Row{"alg_none", false, {"typ", "alg"}, "none"},
                           Row{"alg_missing", true, {"typ", "kid"}, ""},
                           Row{"hs256", false, {"typ", "alg", "kid"}, "HS256"},
                           Row{"es256", false, {"typ", "alg", "kid"}, "ES256"},
                           Row{"bad_signature", false, {"typ", "alg", "kid"}, "RS256"},
                           Row{"no_kid", true, {"typ", "alg"}, "RS256"},
                           Row{"unknown_kid", true, {"typ", "alg", "kid"}, "RS256"},
                           Row{"crit", true, {"typ", "alg", "kid", "crit", "b64"}, "RS256"},
                           Row{"good", true, {"typ", "alg", "kid"}, "RS256"}}) {
        SCOPED_TRACE(row.how);
        auto const token = parts_of(signer.forge(claims, row.how));
        std::set<std::string> members;
        for (auto const& [name, value] : token.header) {
            members.insert(std::string(name));
        }
        EXPECT_EQ(members, row.header);
        EXPECT_EQ(string_at(token.header, "alg").value_or(""), row.alg);
        EXPECT_EQ(verifies(token, key), row.verifies);
        if (members.contains("kid")) {
            EXPECT_EQ(token.header.at("kid") == jwk.at("kid"), row.how != "unknown_kid");
        }
    }
    EXPECT_TRUE(signer.forge(claims, "alg_none").ends_with("."));
}

// A verifier that lets the header choose would take our public key for a shared secret.
TEST(Signer, T17_the_hs256_forgery_is_a_true_mac_keyed_with_the_public_key) {
    Signer const signer(random_);
    auto const key = key_of(signer.jwks().at("keys").as_array().front().as_object());
    std::shared_ptr<BIO> const memory(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PUBKEY(memory.get(), key.get());
    char* pem = nullptr;
    auto const size = BIO_get_mem_data(memory.get(), &pem);
    auto const token = parts_of(signer.forge(claims, "hs256"));
    std::string mac(32, '\0');
    HMAC(EVP_sha256(), pem, static_cast<int>(size), bytes(token.input), token.input.size(),
         reinterpret_cast<unsigned char*>(mac.data()), nullptr);
    EXPECT_EQ(mac, token.signature);
}

}  // namespace
}  // namespace brickgate::sandbox
