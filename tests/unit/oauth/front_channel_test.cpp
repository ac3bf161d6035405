// SPDX-License-Identifier: Apache-2.0
// What the browser carries: scopes, PKCE, the authorize URL, the callback.
#include <gtest/gtest.h>

#include <set>

#include "oauth/authorization.h"
#include "support/data_file.h"
#include "support/seeded_random.h"

namespace brickgate::testing {
namespace {

std::string plain(auto const& secret) {
    return secret.expose([](std::string_view text) { return std::string(text); });
}

// ---- scopes

TEST(Scopes, words_keep_their_order_and_count_once) {
    auto const scopes = Scopes::parse("  all-apis openid  all-apis offline_access ");
    ASSERT_TRUE(scopes);
    EXPECT_EQ(scopes->to_string(), "all-apis openid offline_access");
    EXPECT_TRUE(scopes->contains("openid"));
    EXPECT_FALSE(scopes->contains("open"));
    EXPECT_EQ(*scopes, Scopes({"openid", "offline_access", "all-apis"}));
    EXPECT_TRUE(Scopes::parse("")->empty());
}

TEST(Scopes, T20_a_subset_is_told_from_more) {
    Scopes const allowed{"all-apis", "offline_access", "sql"};
    EXPECT_TRUE(Scopes({"sql"}).is_subset_of(allowed));
    EXPECT_TRUE(Scopes().is_subset_of(allowed));
    EXPECT_TRUE(allowed.is_subset_of(allowed));
    EXPECT_FALSE(Scopes({"sql", "openid"}).is_subset_of(allowed));
    EXPECT_FALSE(Scopes({"SQL"}).is_subset_of(allowed));
    EXPECT_FALSE(Scopes({"sql"}).is_subset_of(Scopes()));
    EXPECT_NE(Scopes({"sql"}), allowed);
}

TEST(Scopes, have_the_characters_of_RFC_6749_only) {
    EXPECT_TRUE(Scopes::parse("!#[]~ https://a.test/x:y"));
    for (auto const* const text : {"a\"b", "a\\b", "a\tb", "a\nb", "a\x7F", "\xC3\xA4"}) {
        EXPECT_FALSE(Scopes::parse(text)) << text;
    }
    EXPECT_FALSE(Scopes::parse(std::string("a\0b", 3)));
}

// ---- PKCE

TEST(Pkce, vector_of_RFC_7636_appendix_B) {
    auto const vector = read_data_file("rfc7636_appendix_b.json").as_object();
    auto const verifier = PkceVerifier::from(Secret::from(text_at(vector, "verifier")));
    ASSERT_TRUE(verifier);
    EXPECT_EQ(verifier->challenge().value(), text_at(vector, "challenge"));
    EXPECT_EQ(base64url_encode(hex_decode(text_at(vector, "octets")).value()),
              text_at(vector, "verifier"));
}

TEST(Pkce, T15_a_verifier_is_32_random_bytes_and_never_the_same) {
    SeededRandom random(3);
    std::set<std::string> verifiers;
    std::set<std::string> challenges;
    for (int i = 0; i < 100; ++i) {
        auto const verifier = PkceVerifier::generate(random);
        EXPECT_EQ(base64url_decode(plain(verifier.secret())).value().size(), 32U);
        EXPECT_EQ(verifier.challenge().value(), base64url_encode(sha256(plain(verifier.secret()))));
        verifiers.insert(plain(verifier.secret()));
        challenges.insert(verifier.challenge().value());
    }
    EXPECT_EQ(verifiers.size(), 100U);
    EXPECT_EQ(challenges.size(), 100U);
}

TEST(Pkce, verifiers_have_43_to_128_unreserved_characters) {
    auto const accepted = [](std::string text) {
        return PkceVerifier::from(Secret::from(std::move(text))).has_value();
    };
    EXPECT_TRUE(accepted(std::string(43, 'a')));
    EXPECT_TRUE(accepted(std::string(128, '~')));
    EXPECT_TRUE(accepted("-._~" + std::string(40, '9')));
    EXPECT_FALSE(accepted(std::string(42, 'a')));
    EXPECT_FALSE(accepted(std::string(129, 'a')));
    EXPECT_FALSE(accepted(""));
    for (char const c : {'+', '/', '=', ' ', '%', '\0', '\n', '\xE4'}) {
        EXPECT_FALSE(accepted(std::string(43, 'a') + c)) << static_cast<int>(c);
    }
}

// ---- the authorize URL

AuthorizationRequest a_request() {
    SeededRandom random(4);
    return {ClientId("client id&x"),        RedirectUri("http://localhost:3000/callback?a=b"),
            {"all-apis", "offline_access"}, State(random.token()),
            Nonce(random.token()),          PkceVerifier::generate(random).challenge()};
}

TEST(AuthorizeUrl, T16_carries_every_parameter_once_and_S256) {
    ServerMetadata server;
    server.authorization_endpoint = "https://dbc-a.cloud.databricks.com/oidc/v1/authorize";
    auto const request = a_request();
    auto const url = authorize_url(server, request);
    ASSERT_TRUE(url.starts_with(server.authorization_endpoint + "?"));
    FormFields const expected{{"response_type", "code"},
                              {"client_id", "client id&x"},
                              {"redirect_uri", "http://localhost:3000/callback?a=b"},
                              {"scope", "all-apis offline_access"},
                              {"state", request.state.value()},
                              {"nonce", request.nonce->value()},
                              {"code_challenge", request.challenge.value()},
                              {"code_challenge_method", "S256"}};
    EXPECT_EQ(form_decode(url.substr(url.find('?') + 1)), expected);
}

TEST(AuthorizeUrl, keeps_the_query_that_an_endpoint_has_and_sends_no_empty_nonce) {
    ServerMetadata server;
    server.authorization_endpoint = "https://a.test/oauth2/authorize?tenant=7";
    auto request = a_request();
    request.nonce.reset();
    auto const url = authorize_url(server, request);
    EXPECT_TRUE(url.starts_with("https://a.test/oauth2/authorize?tenant=7&response_type=code&"));
    EXPECT_EQ(url.find("nonce"), std::string::npos);
}

// ---- the callback

std::string const state_text(43, 'A');

TEST(Callback, T05_T06_what_it_may_say) {
    for (auto const& row : read_table("callback_queries.json", 50)) {
        auto const& object = row.as_object();
        auto const parsed = CallbackParameters::parse(text_at(object, "query"));
        auto const code = parsed ? "" : std::string(parsed.error().name());
        EXPECT_EQ(code, text_at(object, "code")) << text_at(object, "name");
        if (!parsed) {
            // The code of an answer is a secret, and so is everything near it.
            EXPECT_EQ(parsed.error().message().find("AAAA"), std::string::npos);
            EXPECT_EQ(parsed.error().detail(), "");
        }
    }
}

TEST(Callback, its_parameters_are_decoded_once) {
    auto const parsed = CallbackParameters::parse("code=a%2Fb%2Bc%2525+d&state=" + state_text +
                                                  "&iss=https%3A%2F%2Fa.test%2Foidc&x=%3D");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(plain(*parsed->code), "a/b+c%25 d");
    EXPECT_EQ(parsed->state.value(), state_text);
    EXPECT_EQ(parsed->iss, "https://a.test/oidc");
    EXPECT_EQ(parsed->error, "");
}

TEST(Callback, T24_a_description_keeps_the_characters_of_the_RFC_only) {
    for (auto const& row : read_table("hostile_texts.json", 60)) {
        auto const escaped = percent_encode(text_of(row).substr(0, 2000));
        auto const parsed = CallbackParameters::parse("error=access_denied&state=" + state_text +
                                                      "&error_description=" + escaped);
        ASSERT_TRUE(parsed) << escaped;
        auto const& text = parsed->error_description;
        EXPECT_LE(text.size(), 200U);
        EXPECT_TRUE(std::ranges::all_of(text, [](char c) {
            return c >= 0x20 && c <= 0x7E && c != '"' && c != '\\';
        })) << text;
    }
    auto const parsed =
        CallbackParameters::parse("error=e&error_description=It%27s+no+go.&state=" + state_text);
    EXPECT_EQ(parsed->error_description, "It's no go.");
}

Time const now(Seconds(1'800'000'000));
std::string const issuer = "https://dbc-a.cloud.databricks.com/oidc";

PendingLogin a_login(bool iss_required = false) {
    return {Issuer(issuer), iss_required, now + Seconds(1)};
}

std::string verdict(std::string const& query, PendingLogin const& login) {
    auto parsed = CallbackParameters::parse(query + "&state=" + state_text);
    if (!parsed) {
        return "not parsed";
    }
    auto const code = validate_callback(std::move(*parsed), login, now);
    return code ? "code " + plain(*code) : std::string(code.error().name());
}

TEST(Callback, T11_an_issuer_must_be_ours_byte_for_byte) {
    EXPECT_EQ(verdict("code=x&iss=" + issuer, a_login()), "code x");
    EXPECT_EQ(verdict("code=x&iss=https%3A%2F%2Fdbc-a.cloud.databricks.com%2Foidc", a_login()),
              "code x");
    for (auto const& other :
         {std::string("https://fas-b.test/oidc"), issuer + "/", issuer + "%20", issuer + "%2F",
          std::string("https://dbc-a.cloud.databricks.com"),
          std::string("https://DBC-A.cloud.databricks.com/oidc"),
          std::string("https://dbc-a.cloud.databricks.com:443/oidc"),
          std::string("http://dbc-a.cloud.databricks.com/oidc"),
          std::string("https://dbc-a.cloud.databricks.com/oid%2563"), issuer.substr(1)}) {
        EXPECT_EQ(verdict("code=x&iss=" + other, a_login()), "iss_mismatch") << other;
        EXPECT_EQ(verdict("error=access_denied&iss=" + other, a_login()), "iss_mismatch") << other;
    }
}

TEST(Callback, T11_a_promised_issuer_must_come_with_errors_too) {
    EXPECT_EQ(verdict("code=x", a_login()), "code x");
    EXPECT_EQ(verdict("code=x", a_login(true)), "iss_missing");
    EXPECT_EQ(verdict("error=access_denied", a_login(true)), "iss_missing");
    EXPECT_EQ(verdict("code=x&iss=" + issuer, a_login(true)), "code x");
}

TEST(Callback, errors_of_the_workspace_have_our_names) {
    EXPECT_EQ(verdict("error=access_denied", a_login()), "access_denied");
    EXPECT_EQ(verdict("error=Access_Denied", a_login()), "authorize_failed");
    // RFC 6749 section 4.1.2.1: each by its name; what is our own request's fault, or nobody knows,
    // is one.
    for (auto const* const code :
         {"server_error", "temporarily_unavailable", "unauthorized_client", "invalid_scope"}) {
        EXPECT_EQ(verdict("error=" + std::string(code), a_login()), code);
    }
    for (auto const* const code : {"invalid_request", "unsupported_response_type",
                                   "interaction_required", "Server_error", "server_error2"}) {
        EXPECT_EQ(verdict("error=" + std::string(code), a_login()), "authorize_failed") << code;
    }

    auto parsed = CallbackParameters::parse(
        "error=invalid_scope&error_description=No+%3Cb%3E&state=" + state_text);
    auto const failed = validate_callback(std::move(*parsed), a_login(), now);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().detail(), "invalid_scope: No <b>");
    EXPECT_EQ(failed.error().message().find("No"), std::string::npos);
}

TEST(Callback, a_sign_in_ends_on_the_millisecond) {
    auto login = a_login();
    login.expires_at = now + Milliseconds(1);
    EXPECT_EQ(verdict("code=x", login), "code x");
    login.expires_at = now;
    EXPECT_EQ(verdict("code=x", login), "login_expired");
    EXPECT_EQ(verdict("code=x&iss=https://fas-b.test", login), "login_expired");
}

TEST(Callback, parameters_that_were_not_parsed_make_no_code) {
    CallbackParameters empty;
    auto const code = validate_callback(std::move(empty), a_login(), now);
    ASSERT_FALSE(code);
    EXPECT_EQ(code.error().code(), ErrorCode::param_invalid);
}

}  // namespace
}  // namespace brickgate::testing
