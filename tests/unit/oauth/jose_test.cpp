// SPDX-License-Identifier: Apache-2.0
// Signed tokens and published keys: the vectors of the RFCs, and what nobody should be able to do.
#include "oauth/jose.h"

#include <gtest/gtest.h>

#include "support/data_file.h"
#include "support/rsa_signer.h"

namespace brickgate::testing {
namespace {

RsaSigner const& first() {
    return RsaSigner::first();
}
RsaSigner const& second() {
    return RsaSigner::second();
}

Result<JwkSet> set_of(json::array keys) {
    return JwkSet::parse(json::serialize(json::object{{"keys", std::move(keys)}}));
}

json::object changed(json::object jwk, std::string_view key, auto const& value) {
    jwk[key] = json::value_from(value);
    return jwk;
}
json::object without(json::object jwk, std::string_view key) {
    jwk.erase(key);
    return jwk;
}

json::object const claims{{"sub", "x"}};

std::string verdict(std::string_view token, JwkSet const& keys) {
    auto const jws = parse_jws(token);
    if (!jws) {
        return std::string(jws.error().name());
    }
    auto const verified = verify_jws(*jws, keys);
    return verified ? "" : std::string(verified.error().name());
}

TEST(Jws, vector_of_RFC_7515_appendix_A2) {
    auto const vector = read_data_file("rfc7515_a2.json").as_object();
    auto const keys = set_of({vector.at("jwk")});
    ASSERT_TRUE(keys) << keys.error().message();
    auto const jws = parse_jws(text_at(vector, "jws"));
    ASSERT_TRUE(jws);
    EXPECT_EQ(jws->kid, std::nullopt);
    EXPECT_EQ(jws->payload, text_at(vector, "payload"));
    auto const verified = verify_jws(*jws, *keys);
    ASSERT_TRUE(verified) << verified.error().message();
    EXPECT_EQ(string_at(*verified, "iss"), "joe");
}

TEST(JwkSet, vector_of_RFC_7517_appendix_A1) {
    auto const document = read_data_file("rfc7517_a1.json");
    auto const keys = JwkSet::parse(json::serialize(document));
    ASSERT_TRUE(keys) << keys.error().message();
    EXPECT_EQ(keys->size(), 1U);  // the elliptic one is for encryption
    EXPECT_EQ(keys->candidates("2011-04-29").size(), 1U);
    EXPECT_TRUE(keys->candidates("1").empty());
}

TEST(Jws, T17_no_bit_of_a_signed_token_can_be_changed) {
    auto const keys = set_of({first().jwk()});
    auto const token = first().sign(claims);
    EXPECT_EQ(verdict(token, *keys), "");
    for (std::size_t at = 0; at < token.size(); ++at) {
        auto copy = token;
        copy[at] = copy[at] == 'A' ? 'B' : 'A';
        EXPECT_NE(verdict(copy, *keys), "") << at;
    }
    for (std::size_t size = 0; size < token.size(); ++size) {
        EXPECT_NE(verdict(token.substr(0, size), *keys), "") << size;
    }
}

TEST(Jws, T17_the_algorithm_is_ours_and_not_the_headers) {
    auto const keys = set_of({first().jwk()});
    for (auto const* const algorithm : {"none", "None", "", "HS256", "rs256", "RS384", "RS512",
                                        "PS256", "ES256", "EdDSA", "RS256 "}) {
        auto header = first().header();
        header["alg"] = algorithm;
        EXPECT_EQ(verdict(first().sign(header, claims), *keys), "id_token_alg") << algorithm;
    }
    for (auto const& header : {json::object{{"kid", "key-1"}}, json::object{{"alg", nullptr}},
                               json::object{{"alg", json::array{"RS256"}}}}) {
        EXPECT_EQ(verdict(first().sign(header, claims), *keys), "id_token_alg");
    }
    auto const none = base64url_encode(R"({"alg":"none"})") + "." +
                      base64url_encode(json::serialize(claims)) + ".";
    EXPECT_EQ(verdict(none, *keys), "id_token_alg");
}

TEST(Jws, T17_headers_that_demand_or_confuse_are_refused) {
    auto const keys = set_of({first().jwk()});
    auto const claims_text = json::serialize(claims);
    struct Row {
        std::string header;
        std::string code;
    };
    for (auto const& [header, code] : std::vector<Row>{
             {R"({"alg":"RS256","kid":"key-1","crit":["exp"],"exp":1})", "id_token_malformed"},
             {R"({"alg":"RS256","kid":"key-1","crit":[]})", "id_token_malformed"},
             {R"({"alg":"RS256","kid":"key-1","crit":null})", "id_token_malformed"},
             {R"({"alg":"none","alg":"RS256"})", "id_token_malformed"},
             {R"({"alg":"RS256","alg":"none"})", "id_token_malformed"},
             {R"({"alg":"RS256","kid":7})", "id_token_malformed"},
             {R"({"alg":"RS256","kid":null})", "id_token_malformed"},
             {R"(["RS256"])", "id_token_malformed"},
             {R"("RS256")", "id_token_malformed"},
             {"", "id_token_malformed"},
             {"{", "id_token_malformed"}}) {
        EXPECT_EQ(verdict(first().sign(header, claims_text), *keys), code) << header;
    }
}

TEST(Jws, T18_keys_and_addresses_in_the_header_are_not_looked_at) {
    auto const keys = set_of({first().jwk()});
    auto header = second().header();
    header["kid"] = "key-1";
    header["jwk"] = second().jwk();
    header["jku"] = "https://evil.test/jwks";
    header["x5u"] = "https://evil.test/cert";
    header["x5c"] = json::array{"AAAA"};
    EXPECT_EQ(verdict(second().sign(header, claims), *keys), "id_token_signature");
    header.erase("kid");
    EXPECT_EQ(verdict(second().sign(header, claims), *keys), "id_token_signature");
    auto ours = first().header();
    ours["jku"] = "https://evil.test/jwks";
    EXPECT_EQ(verdict(first().sign(ours, claims), *keys), "");
}

TEST(Jws, T17_forms_that_are_no_compact_JWS_are_refused) {
    auto const keys = set_of({first().jwk()});
    auto const token = first().sign(claims);
    auto const dot = token.find('.');
    for (auto const& text :
         {std::string(), std::string("."), std::string(".."), std::string("..."), token + ".",
          "." + token, token + ".x", token + "=", token + "\n", " " + token,
          token.substr(0, dot) + "=" + token.substr(dot), token + "+", token + "/",
          std::string(R"({"payload":"","signatures":[]})")}) {
        EXPECT_EQ(verdict(text, *keys), "id_token_malformed") << text;
    }
    json::object const long_claims{{"sub", std::string(16 * 1024, 'x')}};
    EXPECT_EQ(verdict(first().sign(long_claims), *keys), "id_token_malformed");
}

TEST(Jws, T17_signed_claims_must_be_an_object_without_double_meaning) {
    auto const keys = set_of({first().jwk()});
    auto const header = json::serialize(first().header());
    for (auto const* const text : {"", "[]", "null", "\"x\"", R"({"sub":"a","sub":"b"})", "{}x"}) {
        EXPECT_EQ(verdict(first().sign(header, text), *keys), "id_token_malformed") << text;
    }
    // Claims that nobody signed are not even read.
    EXPECT_EQ(verdict(second().sign(header, "[]"), *keys), "id_token_signature");
}

TEST(JwkSet, T18_the_kid_chooses_and_its_absence_only_where_there_is_no_choice) {
    auto const one = set_of({first().jwk()});
    auto const both = set_of({first().jwk(), second().jwk()});
    auto const mixed =
        set_of({first().jwk(), json::object{{"kty", "oct"}, {"k", "AAAA"}, {"kid", "symmetric"}}});
    json::object const no_kid{{"alg", "RS256"}};
    EXPECT_EQ(verdict(first().sign(no_kid, claims), *one), "");
    EXPECT_EQ(verdict(first().sign(no_kid, claims), *mixed), "");
    EXPECT_EQ(verdict(first().sign(no_kid, claims), *both), "id_token_key_unknown");
    EXPECT_EQ(verdict(first().sign(claims), *both), "");
    EXPECT_EQ(verdict(second().sign(claims), *both), "");
    EXPECT_EQ(verdict(second().sign(claims), *one), "id_token_key_unknown");
    json::object const wrong{{"alg", "RS256"}, {"kid", "key-2"}};
    EXPECT_EQ(verdict(first().sign(wrong, claims), *both), "id_token_signature");
    EXPECT_EQ(verdict(first().sign(claims), *set_of({})), "id_token_key_unknown");
}

TEST(JwkSet, T18_keys_of_one_kid_are_all_tried_but_not_more_than_four) {
    auto const impostor = changed(second().jwk(), "kid", "key-1");
    EXPECT_EQ(verdict(first().sign(claims), *set_of({impostor, first().jwk()})), "");
    EXPECT_EQ(verdict(first().sign(claims), *set_of({impostor, impostor, impostor, first().jwk()})),
              "");
    auto const crowded = set_of({impostor, impostor, impostor, impostor, first().jwk()});
    EXPECT_EQ(verdict(first().sign(claims), *crowded), "id_token_signature");
    EXPECT_EQ(crowded->candidates("key-1").size(), 4U);
}

TEST(JwkSet, T18_keys_for_other_purposes_are_passed_over) {
    auto const jwk = first().jwk();
    auto const others = set_of({changed(jwk, "use", "enc"), changed(jwk, "alg", "RS512"),
                                changed(jwk, "alg", "HS256"), changed(jwk, "kty", "EC"),
                                json::object{{"kty", "oct"}, {"k", "AAAA"}},
                                json::object{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "AA"}}});
    ASSERT_TRUE(others);
    EXPECT_EQ(others->size(), 0U);
    auto const plain = set_of({without(without(jwk, "use"), "alg")});
    EXPECT_EQ(plain->size(), 1U);
    auto const decorated = set_of({changed(changed(jwk, "x5c", json::array{"junk"}), "new", 7)});
    EXPECT_EQ(decorated->size(), 1U);
}

// A modulus of so many bits, which is all that the limits look at.
std::string modulus_of(std::size_t bits) {
    std::string bytes((bits + 7) / 8, '\xFF');
    bytes.front() = static_cast<char>(0xFF >> ((8 - bits % 8) % 8));
    return base64url_encode(bytes);
}

TEST(JwkSet, T18_weak_and_huge_keys_spoil_the_set) {
    auto const jwk = first().jwk();
    for (std::size_t const bits : {1U, 512U, 1024U, 2047U, 8193U, 16384U}) {
        auto const keys = set_of({jwk, changed(jwk, "n", modulus_of(bits))});
        ASSERT_FALSE(keys) << bits;
        EXPECT_EQ(keys.error().code(), ErrorCode::jwks_invalid);
    }
    for (std::size_t const bits : {2048U, 3072U, 4096U, 8192U}) {
        EXPECT_TRUE(set_of({changed(jwk, "n", modulus_of(bits))})) << bits;
    }
}

TEST(JwkSet, T18_exponents_are_odd_and_at_least_three) {
    auto const jwk = first().jwk();
    struct Row {
        std::string bytes;
        bool good;
    };
    for (auto const& [bytes, good] : std::vector<Row>{{std::string("\0", 1), false},
                                                      {"\1", false},
                                                      {"\2", false},
                                                      {"\3", true},
                                                      {"\4", false},
                                                      {std::string("\1\0\0", 3), false},
                                                      {std::string("\1\0\1", 3), true},
                                                      {std::string(9, '\xFF'), false}}) {
        EXPECT_EQ(set_of({changed(jwk, "e", base64url_encode(bytes))}).has_value(), good)
            << hex_encode(bytes);
    }
}

TEST(JwkSet, T18_malformed_keys_and_sets_are_refused) {
    auto const jwk = first().jwk();
    for (auto const* const key : {"n", "e"}) {
        EXPECT_FALSE(set_of({without(jwk, key)})) << key;
        for (auto const& value : {json::value(""), json::value("!!!"), json::value("AQAB="),
                                  json::value(65537), json::value(nullptr)}) {
            EXPECT_FALSE(set_of({changed(jwk, key, value)})) << key << value;
        }
    }
    EXPECT_FALSE(set_of({without(jwk, "kty")}));
    EXPECT_FALSE(set_of({"key"}));
    EXPECT_FALSE(set_of({nullptr}));
    for (auto const* const text : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":null})", "<html>",
                                   R"({"keys":[],"keys":[]})"}) {
        auto const keys = JwkSet::parse(text);
        ASSERT_FALSE(keys) << text;
        EXPECT_EQ(keys.error().code(), ErrorCode::jwks_invalid);
    }
}

TEST(JwkSet, T18_has_at_most_32_keys) {
    json::array keys;
    for (int i = 0; i < 32; ++i) {
        keys.push_back(json::object{{"kty", "EC"}});
    }
    EXPECT_TRUE(set_of(keys));
    keys.push_back(json::object{{"kty", "EC"}});
    EXPECT_FALSE(set_of(keys));
}

}  // namespace
}  // namespace brickgate::testing
