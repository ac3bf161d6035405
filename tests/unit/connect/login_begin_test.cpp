// SPDX-License-Identifier: Apache-2.0
// What leaves the gateway before a person is asked anything, and what must not.
#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

LoginWish wish_for(std::string workspace) {
    LoginWish wish;
    wish.workspace = std::move(workspace);
    return wish;
}

TEST(LoginBegin, sends_the_browser_to_the_discovered_endpoint_with_everything_a_sign_in_needs) {
    World world;
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    std::string const& url = attempt.start.authorize_url;
    EXPECT_TRUE(url.starts_with(origin_a + "/oidc/v1/authorize?")) << url;
    EXPECT_EQ(query_field(url, "response_type"), "code");
    EXPECT_EQ(query_field(url, "client_id"), client_id);
    EXPECT_EQ(query_field(url, "redirect_uri"), "http://localhost:3000/callback");
    EXPECT_EQ(query_field(url, "scope"), "all-apis offline_access openid");
    EXPECT_EQ(query_field(url, "code_challenge_method"), "S256");
    EXPECT_EQ(attempt.challenge().size(), 43U);
    EXPECT_EQ(attempt.state().size(), 43U);
    EXPECT_EQ(attempt.nonce().size(), 43U);
    EXPECT_EQ(query_field(url, "prompt"), "");
    EXPECT_EQ(attempt.start.expires_at, world.clock.now() + 600s);
    EXPECT_EQ(attempt.start.workspace, origin_a);
}

TEST(LoginBegin, T01_the_row_holds_hashes_of_state_and_cookie_and_neither_of_them) {
    World world;
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    ASSERT_EQ(world.store.rows().logins.size(), 1U);
    LoginRow const& row = world.store.rows().logins.begin()->second;
    std::string const cookie = jar.begin()->second;
    EXPECT_EQ(row.state_hash, sha256(attempt.state()));
    EXPECT_EQ(row.cookie_hash, sha256(cookie));
    EXPECT_EQ(cookie.size(), 43U);
    EXPECT_EQ(attempt.start.cookie_name_suffix, hex_encode(row.state_hash).substr(0, 8));
    EXPECT_EQ(row.sealed.find(attempt.nonce()), std::string::npos);
    EXPECT_NE(cookie, attempt.state());
}

TEST(LoginBegin, no_nonce_is_sent_where_no_id_token_is_asked_for) {
    World world;
    world.registration.scopes = {"all-apis", "offline_access"};
    world.expect_discovery();
    Jar jar;
    EXPECT_EQ(world.visit_auth(jar).start.authorize_url.find("nonce"), std::string::npos);
}

TEST(LoginBegin, without_a_workspace_the_fixed_one_is_meant_or_the_host_is_asked_for) {
    World world;
    auto const refused = world.begin({});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::host_required);

    World fixed;
    fixed.registration.fixed_workspace = *fixed.registration.hosts.admit(origin_a);
    fixed.expect_discovery();
    Jar jar;
    EXPECT_EQ(fixed.visit_auth(jar, LoginWish{}).start.workspace, origin_a);
}

TEST(LoginBegin, T12_a_host_that_is_not_listed_receives_no_byte) {
    World world;
    for (std::string const host : {"dbc-c.cloud.databricks.com",
                                   "dbc-a.cloud.databricks.com.evil.test",
                                   "evil.test#.cloud.databricks.com",
                                   "x@evil.test",
                                   "x@dbc-a.cloud.databricks.com",
                                   "evil.test\\.cloud.databricks.com",
                                   "xcloud.databricks.com",
                                   "app-123.aws.databricksapps.com",
                                   "dbc-a.cloud.databricks.com:8443",
                                   "dbc-a.cloud.databricks.com.",
                                   "dbc-\xEF\xBD\x81.cloud.databricks.com",
                                   "dbc-a%2ecloud.databricks.com",
                                   "127.0.0.1",
                                   "[::1]",
                                   "2130706433",
                                   "0x7f.1",
                                   "evil.test",
                                   "https://evil.test/https://dbc-a.cloud.databricks.com",
                                   "https://evil.test?x=dbc-a.cloud.databricks.com",
                                   "http://dbc-a.cloud.databricks.com",
                                   "ftp://dbc-a.cloud.databricks.com",
                                   "//dbc-a.cloud.databricks.com",
                                   "dbc-a.cloud.databricks.com\r\nHost: evil.test",
                                   "<your-databricks-instance>"}) {
        auto const start = world.begin(wish_for(host));
        ASSERT_FALSE(start) << host;
        EXPECT_EQ(start.error().name(), info_of(ErrorCode::host_denied).name) << host;
    }
    EXPECT_TRUE(world.http.calls().empty());
    EXPECT_TRUE(world.store.rows().logins.empty());
}

TEST(LoginBegin, what_a_person_pastes_from_the_address_bar_is_the_listed_host) {
    World world;
    world.expect_discovery();
    Jar jar;
    for (std::string const typed :
         {"dbc-a.cloud.databricks.com", "HTTPS://DBC-A.cloud.databricks.com/",
          "  https://dbc-a.cloud.databricks.com/browse?o=123#x "}) {
        EXPECT_EQ(world.visit_auth(jar, wish_for(typed)).start.workspace, origin_a) << typed;
    }
}

TEST(LoginBegin, T20_more_than_the_registration_has_cannot_be_asked_for) {
    World world;
    world.registration.scopes = {"sql", "offline_access"};
    LoginWish wish = wish_for(origin_a);
    wish.scopes = Scopes{"sql", "all-apis"};
    auto const start = world.begin(wish);
    ASSERT_FALSE(start);
    EXPECT_EQ(start.error().code(), ErrorCode::scope_denied);
    wish.scopes = Scopes{};
    EXPECT_EQ(world.begin(wish).error().code(), ErrorCode::scope_denied);
    EXPECT_TRUE(world.http.calls().empty());
}

TEST(LoginBegin, T20_a_subset_may_be_asked_for) {
    World world;
    world.expect_discovery();
    LoginWish wish = wish_for(origin_a);
    wish.scopes = Scopes{"all-apis"};
    Jar jar;
    auto const attempt = world.visit_auth(jar, wish);
    EXPECT_EQ(query_field(attempt.start.authorize_url, "scope"), "all-apis");
}

TEST(LoginBegin, return_to_is_one_of_the_configured_addresses_byte_for_byte) {
    World world;
    for (std::string const address :
         {"https://app.example/done/", "https://app.example/DONE", "https://app.example/done?x=1",
          "https://app.example/done#", "//app.example/done", "https:app.example/done",
          "https://app.example@evil.test/done", "javascript:alert(1)", "/done",
          "https://app.example/don%65", "https://app.example/done\r\nSet-Cookie: a=b"}) {
        LoginWish wish = wish_for(origin_a);
        wish.return_to = address;
        auto const start = world.begin(wish);
        ASSERT_FALSE(start) << address;
        EXPECT_EQ(start.error().code(), ErrorCode::return_to_denied) << address;
    }
    EXPECT_TRUE(world.http.calls().empty());
}

TEST(LoginBegin, a_subject_is_short_plain_text) {
    World world;
    for (std::string const& subject :
         {std::string(201, 'x'), std::string("a\nb"), std::string("a\xFF"),
          std::string("a\xE2\x80\xAE") + "b", std::string("a\0b", 3)}) {
        LoginWish wish = wish_for(origin_a);
        wish.subject = subject;
        auto const start = world.begin(wish);
        ASSERT_FALSE(start);
        EXPECT_EQ(start.error().code(), ErrorCode::invalid_request);
    }
    EXPECT_TRUE(world.http.calls().empty());
}

TEST(LoginBegin, T09_sign_ins_under_way_are_bounded_and_expired_ones_make_room) {
    World world;
    world.logins_max = 3;
    world.expect_discovery();
    Jar jar;
    for (int i = 0; i < 3; ++i) {
        world.visit_auth(jar);
    }
    auto const refused = world.begin(wish_for(origin_a));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::too_many_logins);
    EXPECT_EQ(world.store.rows().logins.size(), 3U);

    world.clock.pass(601s);
    world.visit_auth(jar);
    EXPECT_EQ(world.store.rows().logins.size(), 1U);
}

TEST(LoginBegin, T13_a_document_that_names_foreign_endpoints_is_refused) {
    struct Case {
        std::string key;
        std::string value;
        ErrorCode code;
    };
    for (auto const& [key, value, code] : std::vector<Case>{
             {"token_endpoint", "https://evil.test/t", ErrorCode::metadata_endpoint_denied},
             {"token_endpoint", origin_b + "/oidc/v1/token", ErrorCode::metadata_endpoint_denied},
             {"token_endpoint", "http://dbc-a.cloud.databricks.com/oidc/v1/token",
              ErrorCode::metadata_endpoint_denied},
             {"token_endpoint", token_of(origin_a) + "?x=1", ErrorCode::metadata_endpoint_denied},
             {"authorization_endpoint", "https://evil.test/a", ErrorCode::metadata_endpoint_denied},
             {"jwks_uri", "https://evil.test/keys", ErrorCode::metadata_endpoint_denied},
             {"jwks_uri", "http://oregon.cloud.databricks.com/keys",
              ErrorCode::metadata_endpoint_denied},
             {"issuer", origin_b + "/oidc", ErrorCode::metadata_invalid},
             {"issuer", origin_a + "/oidc/", ErrorCode::metadata_invalid},
             {"issuer", "https://evil.test/oidc", ErrorCode::metadata_invalid}}) {
        World world;
        auto document = discovery_document(origin_a);
        document[key] = value;
        world.http.expect("GET", discovery_of(origin_a), 200, json::serialize(document));
        auto const start = world.begin(wish_for(origin_a));
        ASSERT_FALSE(start) << key << ' ' << value;
        EXPECT_EQ(start.error().name(), info_of(code).name) << key << ' ' << value;
        EXPECT_EQ(start.error().http_status(), 422);
        EXPECT_TRUE(world.store.rows().logins.empty());
    }
}

TEST(LoginBegin, T13_on_a_unified_host_the_issuer_may_be_another_host_only_if_that_is_listed_too) {
    std::string const unified = "https://acme.databricks.com";
    for (bool const listed : {false, true}) {
        World world;
        ASSERT_TRUE(world.registration.hosts.add(unified));
        std::string const issuer = listed ? origin_b : "https://dbc-c.cloud.databricks.com";
        world.http.expect("GET", unified + "/.well-known/databricks-config", 404, "");
        world.http.expect("GET", discovery_of(unified), 200,
                          json::serialize(discovery_document(issuer)));
        auto const start = world.begin(wish_for(unified));
        ASSERT_EQ(start.has_value(), listed);
        if (listed) {
            auto const& row = world.store.rows().logins.begin()->second;
            EXPECT_EQ(row.issuer.value(), origin_b + "/oidc");
            EXPECT_EQ(row.token_endpoint, token_of(origin_b));
        } else {
            EXPECT_EQ(start.error().code(), ErrorCode::metadata_invalid);
        }
    }
}

TEST(LoginBegin, T16_a_server_without_S256_is_refused) {
    for (json::value const& methods : {json::value("plain"), json::value(json::array{"plain"}),
                                       json::value(json::array{}), json::value(nullptr)}) {
        World world;
        auto document = discovery_document(origin_a);
        document["code_challenge_methods_supported"] = methods;
        world.http.expect("GET", discovery_of(origin_a), 200, json::serialize(document));
        auto const start = world.begin(wish_for(origin_a));
        ASSERT_FALSE(start) << json::serialize(methods);
        EXPECT_EQ(start.error().code(), ErrorCode::pkce_unsupported);
    }
}

TEST(LoginBegin, T16_two_attempts_have_two_challenges_states_and_nonces) {
    World world;
    world.expect_discovery();
    Jar jar;
    auto const one = world.visit_auth(jar);
    auto const two = world.visit_auth(jar);
    EXPECT_NE(one.challenge(), two.challenge());
    EXPECT_NE(one.state(), two.state());
    EXPECT_NE(one.nonce(), two.nonce());
    EXPECT_EQ(jar.size(), 2U);
}

TEST(LoginBegin, the_tutorials_endpoints_are_used_as_the_operator_wrote_them_without_discovery) {
    World world;
    world.registration.fixed_workspace = *world.registration.hosts.admit(origin_a);
    world.registration.endpoints =
        FixedEndpoints{origin_a + "/oauth2/authorize", origin_a + "/oauth2/token", ""};
    Jar jar;
    auto const attempt = world.visit_auth(jar, LoginWish{});
    EXPECT_TRUE(attempt.start.authorize_url.starts_with(origin_a + "/oauth2/authorize?"));
    EXPECT_EQ(attempt.nonce(), "");  // no keys are known, so no id_token is expected
    EXPECT_TRUE(world.http.calls().empty());
    auto const& row = world.store.rows().logins.begin()->second;
    EXPECT_EQ(row.token_endpoint, origin_a + "/oauth2/token");
    EXPECT_EQ(row.issuer.value(), origin_a);
}

TEST(LoginBegin, the_tutorials_endpoints_belong_to_the_fixed_workspace_only) {
    World world;
    world.registration.fixed_workspace = *world.registration.hosts.admit(origin_a);
    world.registration.endpoints =
        FixedEndpoints{origin_a + "/oauth2/authorize", origin_a + "/oauth2/token", ""};
    world.expect_discovery(origin_b);
    Jar jar;
    auto const attempt = world.visit_auth(jar, wish_for(origin_b));
    EXPECT_TRUE(attempt.start.authorize_url.starts_with(origin_b + "/oidc/v1/authorize?"));
}

TEST(LoginBegin, a_host_that_is_away_is_said_to_be_away) {
    World world;
    world.http.expect_failure("GET", discovery_of(origin_a), ErrorCode::upstream_unreachable,
                              Sent::not_sent);
    auto const start = world.begin(wish_for(origin_a));
    ASSERT_FALSE(start);
    EXPECT_EQ(start.error().code(), ErrorCode::discovery_failed);
}

}  // namespace
}  // namespace brickgate::testing
