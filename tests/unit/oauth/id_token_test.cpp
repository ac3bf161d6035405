// SPDX-License-Identifier: Apache-2.0
// T17: who signed in, and the forged, foreign and stale tokens that say it wrongly.
#include "oauth/id_token.h"

#include <openssl/hmac.h>

#include <gtest/gtest.h>

#include "support/rsa_signer.h"

namespace brickgate::testing {
namespace {

constexpr std::int64_t seconds_now = 1'800'000'000;
std::string const nonce(43, 'N');

json::object good_claims() {
    return {{"iss", "https://dbc-a.cloud.databricks.com/oidc"},
            {"sub", "ada@example.com"},
            {"aud", "client-1"},
            {"exp", seconds_now + 3600},
            {"iat", seconds_now},
            {"nonce", nonce},
            {"name", "Ada"},
            {"email", "ada@example.com"},
            {"preferred_username", "ada"}};
}

IdTokenExpectations expectations() {
    return {Issuer("https://dbc-a.cloud.databricks.com/oidc"), ClientId("client-1"), Nonce(nonce),
            false, Time(Seconds(seconds_now))};
}

JwkSet const& keys() {
    static JwkSet const set = JwkSet::parse(jwk_set({&RsaSigner::first()})).value();
    return set;
}

Result<IdTokenClaims> verify(std::string const& token,
                             IdTokenExpectations const& expected = expectations()) {
    auto const jws = parse_jws(token);
    if (!jws) {
        return fail(jws.error());
    }
    return verify_id_token(*jws, keys(), expected);
}

std::string verdict(json::object const& claims,
                    IdTokenExpectations const& expected = expectations()) {
    auto const verified = verify(RsaSigner::first().sign(claims), expected);
    return verified ? "" : std::string(verified.error().name());
}

std::string with(std::string_view key, auto const& value,
                 IdTokenExpectations const& expected = expectations()) {
    auto claims = good_claims();
    claims[key] = json::value_from(value);
    return verdict(claims, expected);
}

std::string without(std::string_view key, IdTokenExpectations const& expected = expectations()) {
    auto claims = good_claims();
    claims.erase(key);
    return verdict(claims, expected);
}

TEST(IdToken, tells_who_signed_in) {
    auto const verified = verify(RsaSigner::first().sign(good_claims()));
    ASSERT_TRUE(verified) << verified.error().message();
    EXPECT_EQ(verified->sub, "ada@example.com");
    EXPECT_EQ(verified->name, "Ada");
    EXPECT_EQ(verified->email, "ada@example.com");
    EXPECT_EQ(verified->preferred_username, "ada");
}

// HMAC with the text of the public key as its secret: the oldest trick of them.
std::string hs256_with_the_public_key() {
    std::string const input = base64url_encode(R"({"alg":"HS256","kid":"key-1"})") + '.' +
                              base64url_encode(json::serialize(good_claims()));
    auto const key = json::serialize(RsaSigner::first().jwk());
    std::string mac(32, '\0');
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<unsigned char const*>(input.data()), input.size(),
         reinterpret_cast<unsigned char*>(mac.data()), &size);
    return input + '.' + base64url_encode(mac);
}

TEST(IdToken, T17_forged_signatures_are_refused) {
    auto const code = [](std::string const& token) {
        auto const verified = verify(token);
        return verified ? "" : std::string(verified.error().name());
    };
    auto header = RsaSigner::second().header();
    EXPECT_EQ(code(RsaSigner::second().sign(header, good_claims())), "id_token_key_unknown");
    header["kid"] = "key-1";
    EXPECT_EQ(code(RsaSigner::second().sign(header, good_claims())), "id_token_signature");
    EXPECT_EQ(code(hs256_with_the_public_key()), "id_token_alg");
    EXPECT_EQ(code(base64url_encode(R"({"alg":"none"})") + '.' +
                   base64url_encode(json::serialize(good_claims())) + '.'),
              "id_token_alg");
    // A genuine signature under other claims.
    auto const genuine = RsaSigner::first().sign(good_claims());
    auto other = good_claims();
    other["sub"] = "eve@example.com";
    auto const eve = RsaSigner::first().sign(other);
    EXPECT_EQ(code(eve.substr(0, eve.rfind('.')) + genuine.substr(genuine.rfind('.'))),
              "id_token_signature");
}

TEST(IdToken, T17_every_claim_that_identifies_must_be_there_and_right) {
    EXPECT_EQ(without("iss"), "id_token_issuer");
    EXPECT_EQ(without("aud"), "id_token_audience");
    EXPECT_EQ(without("exp"), "id_token_time");
    EXPECT_EQ(without("iat"), "id_token_time");
    EXPECT_EQ(without("sub"), "id_token_malformed");
    for (auto const* const issuer :
         {"", "https://dbc-b.cloud.databricks.com/oidc", "https://dbc-a.cloud.databricks.com/oidc/",
          "https://dbc-a.cloud.databricks.com", "https://DBC-A.cloud.databricks.com/oidc"}) {
        EXPECT_EQ(with("iss", issuer), "id_token_issuer") << issuer;
    }
    EXPECT_EQ(with("iss", json::array{"https://dbc-a.cloud.databricks.com/oidc"}),
              "id_token_issuer");
    EXPECT_EQ(with("sub", ""), "id_token_malformed");
    EXPECT_EQ(with("sub", 7), "id_token_malformed");
    EXPECT_EQ(with("sub", std::string(256, 's')), "id_token_malformed");
    EXPECT_EQ(with("sub", std::string(255, 's')), "");
}

TEST(IdToken, T17_the_audience_is_we_and_nobody_else) {
    EXPECT_EQ(with("aud", json::array{"client-1"}), "");
    for (auto const& audience :
         {json::value("client-2"), json::value(""), json::value("CLIENT-1"), json::value(nullptr),
          json::value(1), json::value(json::array()), json::value({"client-1", "client-2"}),
          json::value({"client-2", "client-1"}), json::value({"client-1", "client-1"}),
          json::value(json::array{7}), json::value(json::object{{"client-1", true}})}) {
        EXPECT_EQ(with("aud", audience), "id_token_audience") << audience;
    }
    EXPECT_EQ(with("azp", "client-1"), "");
    EXPECT_EQ(with("azp", "client-2"), "id_token_audience");
    EXPECT_EQ(with("azp", nullptr), "id_token_audience");
}

TEST(IdToken, T17_is_made_just_now_and_has_not_ended) {
    EXPECT_EQ(with("exp", seconds_now + 1), "");
    EXPECT_EQ(with("exp", seconds_now), "id_token_expired");
    EXPECT_EQ(with("exp", seconds_now - 1), "id_token_expired");
    EXPECT_EQ(with("iat", seconds_now + 10), "");
    EXPECT_EQ(with("iat", seconds_now + 11), "id_token_time");
    EXPECT_EQ(with("iat", seconds_now - 600), "");
    EXPECT_EQ(with("iat", seconds_now - 601), "id_token_time");
    EXPECT_EQ(with("nbf", seconds_now + 10), "");
    EXPECT_EQ(with("nbf", seconds_now + 11), "id_token_time");
    EXPECT_EQ(with("nbf", INT64_MAX), "id_token_time");
    for (auto const* const key : {"exp", "iat"}) {
        for (auto const& value :
             {json::value(std::to_string(seconds_now + 5)), json::value(1.8e9),
              json::value(nullptr), json::value(-1), json::value(INT64_MAX), json::value(INT64_MIN),
              json::value(UINT64_MAX), json::value(true)}) {
            EXPECT_EQ(with(key, value), "id_token_time") << key << value;
        }
    }
}

TEST(IdToken, T17_a_wrong_nonce_is_always_refused_an_absent_one_where_the_issuer_sends_it) {
    auto lenient = expectations();
    auto strict = expectations();
    strict.nonce_required = true;
    for (auto const& expected : {lenient, strict}) {
        EXPECT_EQ(with("nonce", nonce, expected), "");
        for (auto const& value :
             {json::value(std::string(43, 'M')), json::value(""), json::value(nullptr),
              json::value(7), json::value(json::array{nonce}), json::value(nonce + "N")}) {
            EXPECT_EQ(with("nonce", value, expected), "id_token_nonce") << value;
        }
    }
    EXPECT_EQ(without("nonce", lenient), "");
    EXPECT_EQ(without("nonce", strict), "id_token_nonce");
}

TEST(IdToken, without_a_nonce_of_ours_none_is_compared) {
    auto expected = expectations();
    expected.nonce.reset();
    EXPECT_EQ(with("nonce", "anything", expected), "");
    EXPECT_EQ(without("nonce", expected), "");
}

TEST(IdToken, T24_names_are_cleaned_and_may_be_absent_or_nonsense) {
    auto claims = good_claims();
    claims["name"] = "Ada\r\n\xE2\x80\xAE<b>";
    claims["email"] = 7;
    claims.erase("preferred_username");
    auto const verified = verify(RsaSigner::first().sign(claims));
    ASSERT_TRUE(verified);
    EXPECT_EQ(verified->name, "Ada<b>");
    EXPECT_EQ(verified->email, "");
    EXPECT_EQ(verified->preferred_username, "");
}

}  // namespace
}  // namespace brickgate::testing
