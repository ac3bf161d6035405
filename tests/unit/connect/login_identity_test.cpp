// SPDX-License-Identifier: Apache-2.0
// Who signed in: forged id_tokens, SCIM, and what happens when nobody tells.
#include <openssl/hmac.h>

#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

// ---- T17

struct Forgery {
    std::string name;
    std::function<std::string(json::object claims)> make;
    ErrorCode code;
    bool asks_for_keys = true;  // is it good enough to look for a key?
};

RsaSigner const& ours() {
    return RsaSigner::first();
}
Forgery claim(std::string name, std::string key, json::value value, ErrorCode code) {
    return {std::move(name),
            [key = std::move(key), value = std::move(value)](json::object claims) {
                claims[key] = value;
                return ours().sign(claims);
            },
            code};
}
Forgery without(std::string key, ErrorCode code) {
    return {"without " + key,
            [key](json::object claims) {
                claims.erase(key);
                return ours().sign(claims);
            },
            code};
}
Forgery later(std::string name, std::string key, std::int64_t seconds, ErrorCode code) {
    return {std::move(name),
            [key = std::move(key), seconds](json::object claims) {
                claims[key] = claims.at("iat").as_int64() + seconds;
                return ours().sign(claims);
            },
            code};
}
Forgery header(std::string name, json::object fields, ErrorCode code, bool asks_for_keys) {
    return {std::move(name),
            [fields = std::move(fields)](json::object claims) {
                auto head = ours().header();
                for (auto const& field : fields) {
                    head[field.key()] = field.value();
                }
                return ours().sign(head, claims);
            },
            code, asks_for_keys};
}

std::string hs256_with_the_public_key(json::object const& claims) {
    std::string const input = base64url_encode(R"({"alg":"HS256","kid":"key-1"})") + '.' +
                              base64url_encode(json::serialize(claims));
    std::string const key = json::serialize(ours().jwk());
    unsigned char mac[32];
    unsigned size = sizeof mac;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<unsigned char const*>(input.data()), input.size(), mac, &size);
    return input + '.' + base64url_encode({reinterpret_cast<char const*>(mac), size});
}

std::vector<Forgery> forgeries() {
    using enum ErrorCode;
    return {
        // the signature
        {"alg none",
         [](json::object claims) {
             return base64url_encode(R"({"alg":"none"})") + '.' +
                    base64url_encode(json::serialize(claims)) + '.';
         },
         id_token_alg, false},
        {"HS256 with the public key", hs256_with_the_public_key, id_token_alg, false},
        header("ES256", {{"alg", "ES256"}}, id_token_alg, false),
        header("RS512", {{"alg", "RS512"}}, id_token_alg, false),
        header("alg null", {{"alg", nullptr}}, id_token_alg, false),
        header("alg in capitals only", {{"alg", "rs256"}}, id_token_alg, false),
        {"signed by another key of the same name",
         [](json::object claims) { return RsaSigner::second().sign(ours().header(), claims); },
         id_token_signature},
        {"claims changed after signing",
         [](json::object claims) {
             auto token = ours().sign(claims);
             claims["sub"] = "eve@example.com";
             auto const other = ours().sign(claims);
             return other.substr(0, other.rfind('.')) + token.substr(token.rfind('.'));
         },
         id_token_signature},
        {"signature cut off",
         [](json::object claims) {
             auto const token = ours().sign(claims);
             return token.substr(0, token.rfind('.') + 1);
         },
         id_token_signature},
        header("a key nobody published", {{"kid", "key-9"}}, id_token_key_unknown, true),
        header("a key of the token's own", {{"kid", "key-9"}, {"jwk", RsaSigner::second().jwk()}},
               id_token_key_unknown, true),
        header("crit", {{"crit", json::array{"exp"}}}, id_token_malformed, false),
        header("kid is a number", {{"kid", 1}}, id_token_malformed, false),
        // the form
        {"two parts", [](json::object) { return std::string("a.b"); }, id_token_malformed, false},
        {"not base64url", [](json::object) { return std::string("a$.b.c"); }, id_token_malformed,
         false},
        {"longer than 16 KiB",
         [](json::object claims) {
             claims["padding"] = std::string(17'000, 'x');
             return ours().sign(claims);
         },
         token_too_large, false},
        {"a claim twice",
         [](json::object claims) {
             auto text = json::serialize(claims);
             text.insert(1, R"("sub":"eve@example.com",)");
             return ours().sign(json::serialize(ours().header()), text);
         },
         id_token_malformed},
        {"claims are no object",
         [](json::object) { return ours().sign(json::serialize(ours().header()), "[]"); },
         id_token_malformed},
        // who made it, for whom
        claim("another issuer", "iss", json::string(origin_b + "/oidc"), id_token_issuer),
        claim("issuer with a slash", "iss", json::string(origin_a + "/oidc/"), id_token_issuer),
        without("iss", id_token_issuer),
        claim("another audience", "aud", "client-2", id_token_audience),
        claim("a second audience", "aud", json::array{client_id, "client-2"}, id_token_audience),
        claim("no audience in the list", "aud", json::array{}, id_token_audience),
        without("aud", id_token_audience),
        claim("handed to another party", "azp", "client-2", id_token_audience),
        claim("azp is null", "azp", nullptr, id_token_audience),
        // when, in answer to what
        claim("another nonce", "nonce", "another", id_token_nonce),
        claim("nonce is a number", "nonce", 7, id_token_nonce),
        claim("nonce is null", "nonce", nullptr, id_token_nonce),
        later("expired now", "exp", 0, id_token_expired),
        later("expired an hour ago", "exp", -3600, id_token_expired),
        without("exp", id_token_time),
        claim("exp is text", "exp", "1900000000", id_token_time),
        claim("exp beyond all calendars", "exp", 1'000'000'000'000'000, id_token_time),
        without("iat", id_token_time),
        later("made in the future", "iat", 11, id_token_time),
        later("made before the sign-in began", "iat", -601, id_token_time),
        later("not valid yet", "nbf", 60, id_token_time),
        // about whom
        without("sub", id_token_malformed),
        claim("sub is empty", "sub", "", id_token_malformed),
        claim("sub is a list", "sub", json::array{"ann@example.com"}, id_token_malformed),
        claim("of another access token", "at_hash", "AAAAAAAAAAAAAAAAAAAAAA", id_token_malformed),
        claim("at_hash is null", "at_hash", nullptr, id_token_malformed),
    };
}

TEST(LoginIdentity, T17_each_forged_id_token_is_refused_and_no_token_is_kept_or_used) {
    auto const all = forgeries();
    EXPECT_GE(all.size(), 20U);
    for (auto const& forgery : all) {
        SCOPED_TRACE(forgery.name);
        World world;
        world.expect_discovery();
        Jar jar;
        auto const attempt = world.visit_auth(jar);
        world.expect_tokens(World::tokens(forgery.make(world.claims(attempt.nonce()))));
        if (forgery.asks_for_keys) {
            world.expect_keys();
        }
        auto const outcome = world.callback(jar, attempt.answer());
        expect_failed(outcome, forgery.code);
        world.expect_nothing_left();
        EXPECT_TRUE(world.event_types().empty());
        EXPECT_EQ(outcome ? 0 : outcome.error().error.http_status(), 502);
        world.http.verify();
    }
}

TEST(LoginIdentity, T17_good_id_tokens_of_every_legal_form_are_accepted) {
    std::vector<std::pair<std::string, std::function<std::string(json::object)>>> const good{
        {"aud is a list of one",
         [](json::object claims) {
             claims["aud"] = json::array{client_id};
             return ours().sign(claims);
         }},
        {"azp is us",
         [](json::object claims) {
             claims["azp"] = client_id;
             return ours().sign(claims);
         }},
        {"no kid, one key",
         [](json::object claims) {
             auto head = ours().header();
             head.erase("kid");
             return ours().sign(head, claims);
         }},
        {"no nonce, as Databricks may do",
         [](json::object claims) {
             claims.erase("nonce");
             return ours().sign(claims);
         }},
        {"the right at_hash",
         [](json::object claims) {
             claims["at_hash"] = base64url_encode(sha256(access_text).substr(0, 16));
             return ours().sign(claims);
         }},
        {"jku and x5u are passed over", [](json::object claims) {
             auto head = ours().header();
             head["jku"] = "https://evil.test/keys";
             head["x5u"] = "https://evil.test/cert";
             return ours().sign(head, claims);
         }}};
    for (auto const& [name, make] : good) {
        SCOPED_TRACE(name);
        World world;
        world.expect_discovery();
        Jar jar;
        auto const attempt = world.visit_auth(jar);
        world.expect_tokens(World::tokens(make(world.claims(attempt.nonce()))));
        world.expect_keys();
        auto const outcome = world.callback(jar, attempt.answer());
        EXPECT_TRUE(outcome) << outcome.error().error.name();
    }
}

TEST(LoginIdentity, T17_where_the_issuer_is_known_to_return_the_nonce_its_absence_is_refused) {
    World world;
    world.registration.nonce_required = true;
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    world.expect_tokens(World::tokens(ours().sign(world.claims(""))));
    world.expect_keys();
    expect_failed(world.callback(jar, attempt.answer()), ErrorCode::id_token_nonce);
    world.expect_nothing_left();
}

TEST(LoginIdentity, T17_an_id_token_that_was_asked_for_must_come) {
    World world;
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    world.expect_tokens(World::tokens(""));
    expect_failed(world.callback(jar, attempt.answer()), ErrorCode::id_token_missing);
    world.expect_nothing_left();
}

TEST(LoginIdentity, T17_the_operator_may_do_without_it_but_never_with_a_bad_one) {
    World world;
    world.registration.id_token_required = false;
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    world.expect_tokens(World::tokens(""));
    world.http.expect("GET", me_of(origin_a), 200, R"({"id":"42","userName":"ann@example.com"})");
    auto const outcome = world.callback(jar, attempt.answer());
    ASSERT_TRUE(outcome) << outcome.error().error.name();
    EXPECT_EQ(outcome->connection.principal.sub, "scim:42");

    auto const forged = world.visit_auth(jar);
    world.expect_tokens(
        World::tokens(RsaSigner::second().sign(ours().header(), world.claims(forged.nonce()))));
    world.expect_keys();
    expect_failed(world.callback(jar, forged.answer()), ErrorCode::id_token_signature);
}

TEST(LoginIdentity, keys_that_cannot_be_fetched_end_the_sign_in) {
    World world;
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    world.expect_good_tokens(attempt);
    world.http.expect_failure("GET", jwks_address, ErrorCode::upstream_timeout, Sent::maybe_sent);
    expect_failed(world.callback(jar, attempt.answer()), ErrorCode::upstream_timeout);
    world.expect_nothing_left();
}

TEST(LoginIdentity, T18_two_keys_and_no_kid_are_refused) {
    World world;
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    auto head = ours().header();
    head.erase("kid");
    world.expect_tokens(World::tokens(ours().sign(head, world.claims(attempt.nonce()))));
    world.http.expect("GET", jwks_address, 200, jwk_set({&ours(), &RsaSigner::second()}));
    expect_failed(world.callback(jar, attempt.answer()), ErrorCode::id_token_key_unknown);
}

TEST(LoginIdentity, T18_a_key_changed_just_before_signing_is_fetched_once) {
    World world;
    ASSERT_TRUE(world.sign_in());
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    world.expect_tokens(World::tokens(RsaSigner::second().sign(world.claims(attempt.nonce()))));
    world.http.expect("GET", jwks_address, 200, jwk_set({&ours(), &RsaSigner::second()}));
    auto const outcome = world.callback(jar, attempt.answer());
    EXPECT_TRUE(outcome) << outcome.error().error.name();
}

// ---- SCIM: where no id_token is asked for, as brickgate login does

class WithoutOpenid : public ::testing::Test, public World {
 protected:
    WithoutOpenid() { registration.scopes = {"all-apis", "offline_access"}; }

    Attempt redeemed(Jar& jar, std::string const& access = access_text,
                     std::string const& subject = "") {
        if (http.calls().empty()) {
            expect_discovery();
        }
        auto attempt = visit_auth(jar, origin_a, subject);
        auto body = tokens("");
        body["access_token"] = access;
        body["scope"] = "all-apis offline_access";
        expect_tokens(body);
        return attempt;
    }
    Outcome with_me(int status, std::string const& body, std::string const& access = access_text,
                    std::string const& subject = "") {
        Jar jar;
        auto const attempt = redeemed(jar, access, subject);
        http.expect("GET", me_of(origin_a), status, body);
        return callback(jar, attempt.answer());
    }
    static std::string jwt_of(std::string const& sub) {
        return ours().sign(json::object{{"sub", sub}, {"client_id", client_id}});
    }
};

TEST_F(WithoutOpenid, scim_says_who_signed_in) {
    auto const outcome =
        with_me(200, R"({"id":"42","userName":"ann@example.com","displayName":"Ann\u202e\n"})");
    ASSERT_TRUE(outcome) << outcome.error().error.name();
    EXPECT_EQ(outcome->connection.principal.sub, "scim:42");
    EXPECT_EQ(outcome->connection.principal.user_name, "ann@example.com");
    EXPECT_EQ(outcome->connection.principal.display_name, "Ann");
    auto const& call = http.calls().back();
    EXPECT_EQ(call.url, me_of(origin_a));
    EXPECT_EQ(call.authorization, "Bearer " + access_text);
    EXPECT_EQ(call.body, "");
}

TEST_F(WithoutOpenid, the_same_person_keeps_the_connection_and_another_gets_another) {
    auto const ann = with_me(200, R"({"id":"42","userName":"ann@example.com"})");
    auto const ann_again = with_me(200, R"({"id":"42","userName":"ann@new.example"})");
    auto const bob = with_me(200, R"({"id":"43","userName":"ann@example.com"})");
    ASSERT_TRUE(ann && ann_again && bob);
    EXPECT_EQ(ann->connection.id, ann_again->connection.id);
    EXPECT_NE(ann->connection.id, bob->connection.id);
}

TEST_F(WithoutOpenid, where_scim_refuses_the_access_token_itself_names_its_person) {
    for (int const status : {401, 403, 404, 302}) {
        auto const outcome = with_me(status, "", jwt_of("ann@example.com"));
        ASSERT_TRUE(outcome) << status;
        EXPECT_EQ(outcome->connection.principal.sub, "token:ann@example.com");
        EXPECT_EQ(outcome->connection.principal.user_name, "ann@example.com");
    }
    EXPECT_EQ(connections(), 1U);
}

TEST_F(WithoutOpenid, where_nobody_tells_no_two_sign_ins_are_taken_for_one_person) {
    for (std::string const& body :
         {std::string("<html>"), std::string("[]"), std::string("{}"), std::string(R"({"id":""})"),
          std::string(R"({"id":7})"), std::string(R"({"id":"a\nb"})"),
          R"({"id":")" + std::string(300, 'x') + R"("})"}) {
        auto const outcome = with_me(200, body, access_text, "user-7");
        ASSERT_TRUE(outcome) << body;
        EXPECT_EQ(outcome->connection.principal.user_name, "");
        EXPECT_TRUE(outcome->connection.principal.sub.starts_with("unknown:"));
        EXPECT_FALSE(outcome->reconnected) << body;
    }
    EXPECT_EQ(connections(), 7U);
}

TEST_F(WithoutOpenid, a_hiccup_of_scim_is_waited_out) {
    Jar jar;
    auto const attempt = redeemed(jar);
    http.expect("GET", me_of(origin_a), 503, "");
    http.expect_failure("GET", me_of(origin_a), ErrorCode::upstream_timeout, Sent::maybe_sent);
    http.expect("GET", me_of(origin_a), 200, R"({"id":"42"})");
    auto const outcome = callback(jar, attempt.answer());
    ASSERT_TRUE(outcome) << outcome.error().error.name();
    EXPECT_EQ(outcome->connection.principal.sub, "scim:42");
    EXPECT_EQ(timers.slept(), 600ms);
}

TEST_F(WithoutOpenid, scim_that_stays_away_ends_the_sign_in_instead_of_making_a_second_identity) {
    Jar jar;
    auto const attempt = redeemed(jar, jwt_of("ann@example.com"));
    for (int i = 0; i < 3; ++i) {
        http.expect("GET", me_of(origin_a), 500, "");
    }
    expect_failed(callback(jar, attempt.answer()), ErrorCode::temporarily_unavailable);
    EXPECT_EQ(connections(), 0U);
    EXPECT_TRUE(spool.take_unresolved().empty());
}

TEST_F(WithoutOpenid, an_id_token_that_nobody_asked_for_is_not_believed) {
    Jar jar;
    expect_discovery();
    auto const attempt = visit_auth(jar);
    auto body = tokens(RsaSigner::second().sign(claims("")));
    body["scope"] = "all-apis offline_access";
    expect_tokens(body);
    http.expect("GET", me_of(origin_a), 200, R"({"id":"42","userName":"real@example.com"})");
    auto const outcome = callback(jar, attempt.answer());
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->connection.principal.user_name, "real@example.com");
}

}  // namespace
}  // namespace brickgate::testing
