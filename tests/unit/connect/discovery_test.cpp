// SPDX-License-Identifier: Apache-2.0
// How often other servers are asked about themselves, and what is believed while they are away.
#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

class DiscoveryTest : public ::testing::Test, public World {
 protected:
    Result<std::shared_ptr<ServerMetadata const>> metadata(std::string const& origin = origin_a) {
        return run_task(discovery.metadata(registered(), *registration.hosts.admit(origin)));
    }
    Result<std::shared_ptr<JwkSet const>> keys(std::string const& kid) {
        return run_task(discovery.keys(registered(), jwks_address, kid));
    }
    bool found(std::string const& kid) {
        auto const set = keys(kid);
        return set && !(*set)->candidates(kid).empty();
    }
    void expect_away(std::string const& url) {
        http.expect_failure("GET", url, ErrorCode::upstream_unreachable, Sent::not_sent);
    }
    std::size_t asked() const { return http.calls().size(); }
};

// ---- metadata

TEST_F(DiscoveryTest, a_document_is_good_for_an_hour) {
    expect_discovery();
    EXPECT_TRUE(metadata());
    clock.pass(1h - 1ms);
    EXPECT_TRUE(metadata());
    EXPECT_EQ(asked(), 1U);
    clock.pass(1ms);
    expect_discovery();
    EXPECT_TRUE(metadata());
    EXPECT_EQ(asked(), 2U);
}

TEST_F(DiscoveryTest, a_clock_that_is_set_back_makes_no_document_young_again) {
    expect_discovery();
    EXPECT_TRUE(metadata());
    clock.pass(2h);
    clock.set_wall(clock.now() - 24h);
    expect_discovery();
    EXPECT_TRUE(metadata());
}

TEST_F(DiscoveryTest, the_request_has_limits_and_no_credentials) {
    expect_discovery();
    EXPECT_TRUE(metadata());
    auto const& call = http.calls().front();
    EXPECT_EQ(call.limits.body_bytes_max, 128U * 1024);
    EXPECT_LE(call.limits.total, 20s);
    EXPECT_EQ(call.authorization, "");
    EXPECT_EQ(call.body, "");
    EXPECT_FALSE(call.limits.egress.operator_listed);
}

TEST_F(DiscoveryTest, a_host_of_the_operators_own_may_lie_anywhere) {
    ASSERT_TRUE(registration.hosts.add("http://127.0.0.1:8081"));
    std::string const origin = "http://127.0.0.1:8081";
    auto document = discovery_document(origin);
    document["jwks_uri"] = origin + "/oidc/jwks.json";
    http.expect("GET", discovery_of(origin), 200, json::serialize(document));
    EXPECT_TRUE(metadata(origin));
    EXPECT_TRUE(http.calls().back().limits.egress.operator_listed);
    http.expect("GET", origin + "/oidc/jwks.json", 200, jwk_set({&RsaSigner::first()}));
    EXPECT_TRUE(run_task(discovery.keys(registered(), origin + "/oidc/jwks.json", "key-1")));
    EXPECT_TRUE(http.calls().back().limits.egress.operator_listed);
}

// Whoever may add names below the suffix would choose where we connect to.
TEST_F(DiscoveryTest, T28_a_host_below_a_listed_suffix_must_be_at_a_public_address) {
    ASSERT_TRUE(registration.hosts.add(".corp.example"));
    ASSERT_TRUE(registration.hosts.add("https://named.corp.example"));
    for (std::string const name : {"any", "named"}) {
        std::string const origin = "https://" + name + ".corp.example";
        auto document = discovery_document(origin);
        document["jwks_uri"] = origin + "/oidc/jwks.json";
        http.expect("GET", discovery_of(origin), 200, json::serialize(document));
        EXPECT_TRUE(metadata(origin));
        EXPECT_EQ(http.calls().back().limits.egress.operator_listed, name == "named") << name;
    }
}

TEST_F(DiscoveryTest, keys_on_a_regional_control_plane_must_be_at_a_public_address) {
    expect_keys();
    EXPECT_TRUE(keys("key-1"));
    EXPECT_FALSE(http.calls().front().limits.egress.operator_listed);
    EXPECT_EQ(http.calls().front().limits.body_bytes_max, 256U * 1024);
    EXPECT_EQ(http.calls().front().authorization, "");
}

TEST_F(DiscoveryTest, a_hundred_who_ask_at_once_are_answered_by_one_request) {
    expect_discovery();
    boost::asio::io_context context(1);
    int good = 0;
    auto ask = [](DiscoveryTest& test, int& count) -> Task<void> {
        auto const host = test.registration.hosts.admit(origin_a);
        auto const found = co_await test.discovery.metadata(test.registered(), *host);
        count += found ? 1 : 0;
    };
    for (int i = 0; i < 100; ++i) {
        spawn(context.get_executor(), ask(*this, good));
    }
    context.run();
    EXPECT_EQ(good, 100);
    EXPECT_EQ(asked(), 1U);
}

TEST_F(DiscoveryTest, a_dead_host_is_asked_once_in_five_seconds) {
    expect_away(discovery_of(origin_a));
    for (int i = 0; i < 50; ++i) {
        auto const answer = metadata();
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code(), ErrorCode::discovery_failed);
    }
    clock.pass(5s);
    expect_discovery();
    EXPECT_TRUE(metadata());
}

TEST_F(DiscoveryTest,
       a_known_host_that_is_away_is_believed_for_a_day_and_asked_once_in_five_seconds) {
    expect_discovery();
    EXPECT_TRUE(metadata());
    for (int hour = 1; hour <= 3; ++hour) {
        clock.pass(1h);
        if (hour == 2) {
            http.expect("GET", discovery_of(origin_a), 503, "");
        } else {
            expect_away(discovery_of(origin_a));
        }
        for (int i = 0; i < 20; ++i) {
            EXPECT_TRUE(metadata());
        }
    }
    EXPECT_EQ(asked(), 4U);
    clock.pass(21h);
    expect_away(discovery_of(origin_a));
    EXPECT_FALSE(metadata());
}

TEST_F(DiscoveryTest, a_host_that_says_something_else_now_is_not_believed_by_what_it_said_before) {
    expect_discovery();
    EXPECT_TRUE(metadata());
    clock.pass(1h);
    auto document = discovery_document(origin_a);
    document["token_endpoint"] = "https://evil.test/t";
    http.expect("GET", discovery_of(origin_a), 200, json::serialize(document));
    auto const refused = metadata();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::metadata_endpoint_denied);
    clock.pass(5s);
    expect_away(discovery_of(origin_a));
    EXPECT_FALSE(metadata());
}

TEST_F(DiscoveryTest, what_was_found_with_one_registration_is_not_what_another_may_use) {
    expect_discovery();
    EXPECT_TRUE(metadata());
    auto other = copy(registration);
    other.id = RegistrationId("reg_2");
    expect_discovery();
    EXPECT_TRUE(run_task(discovery.metadata(std::make_shared<Registration const>(std::move(other)),
                                            *registration.hosts.admit(origin_a))));
    EXPECT_EQ(asked(), 2U);
}

TEST_F(DiscoveryTest, each_way_of_not_answering_has_its_code) {
    struct Case {
        int status;
        std::string body;
        ErrorCode code;
    };
    for (auto const& [status, body, code] :
         std::vector<Case>{{404, "", ErrorCode::oauth_unsupported},
                           {500, "", ErrorCode::discovery_failed},
                           {302, "", ErrorCode::discovery_failed},
                           {200, "<html>", ErrorCode::metadata_invalid},
                           {200, "[]", ErrorCode::metadata_invalid},
                           {200, "{}", ErrorCode::metadata_invalid}}) {
        http.expect("GET", discovery_of(origin_a), status, body);
        auto const answer = metadata();
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().name(), info_of(code).name) << status << body;
        clock.pass(5s);
    }
    for (auto const code : {ErrorCode::tls_failed, ErrorCode::egress_denied}) {
        http.expect_failure("GET", discovery_of(origin_a), code, Sent::not_sent);
        EXPECT_EQ(metadata().error().code(), code);
        clock.pass(5s);
    }
}

TEST_F(DiscoveryTest, endpoints_that_the_operator_wrote_down_need_no_network) {
    registration.fixed_workspace = *registration.hosts.admit(origin_a);
    registration.endpoints = FixedEndpoints{origin_a + "/oauth2/authorize",
                                            origin_a + "/oauth2/token", origin_a + "/keys"};
    auto const found = metadata();
    ASSERT_TRUE(found);
    EXPECT_EQ((*found)->issuer.value(), origin_a);
    EXPECT_EQ((*found)->authorization_endpoint, origin_a + "/oauth2/authorize");
    EXPECT_EQ((*found)->token_endpoint, origin_a + "/oauth2/token");
    EXPECT_EQ((*found)->jwks_uri, origin_a + "/keys");
    EXPECT_EQ(asked(), 0U);
}

// ---- unified hosts (facts 1.3)

std::string const unified = "https://acme.databricks.com";
std::string const about_unified = unified + "/.well-known/databricks-config";
std::string const account = "7a1c0de0-0000-4000-8000-000000000001";

TEST_F(DiscoveryTest, a_unified_host_says_itself_where_its_accounts_sign_in_is) {
    ASSERT_TRUE(registration.hosts.add(unified));
    for (auto const& about :
         {json::object{{"oidc_endpoint", unified + "/oidc/accounts/{account_id}"},
                       {"account_id", account},
                       {"host_type", "unified"}},
          json::object{{"account_id", account}}}) {
        World world;
        ASSERT_TRUE(world.registration.hosts.add(unified));
        std::string const root = unified + "/oidc/accounts/" + account;
        auto document = discovery_document(unified);
        document["issuer"] = root;
        document["authorization_endpoint"] = root + "/v1/authorize";
        document["token_endpoint"] = root + "/v1/token";
        world.http.expect("GET", about_unified, 200, json::serialize(about));
        world.http.expect("GET", root + "/.well-known/oauth-authorization-server", 200,
                          json::serialize(document));
        LoginWish wish;
        wish.workspace = unified + "/?o=1234567890123456";
        auto const start = world.begin(wish);
        ASSERT_TRUE(start) << start.error().message();
        EXPECT_TRUE(start->authorize_url.starts_with(root + "/v1/authorize?"));
        auto const& row = world.store.rows().logins.begin()->second;
        EXPECT_EQ(row.issuer.value(), root);
        EXPECT_EQ(row.token_endpoint, root + "/v1/token");
        EXPECT_EQ(row.workspace, unified);
        EXPECT_EQ(row.workspace_id, "1234567890123456");
        for (auto const& call : world.http.calls()) {
            EXPECT_EQ(call.authorization, "");
            EXPECT_FALSE(call.limits.egress.operator_listed);
            EXPECT_EQ(call.limits.body_bytes_max, 128U * 1024);
        }
        EXPECT_TRUE(world.begin(wish)) << "asked once, good for an hour";
    }
}

TEST_F(DiscoveryTest, T13_a_unified_host_that_points_elsewhere_is_followed_to_listed_hosts_only) {
    ASSERT_TRUE(registration.hosts.add(unified));
    http.expect("GET", about_unified, 200, R"({"oidc_endpoint":")" + origin_b + R"(/oidc"})");
    expect_discovery(origin_b);
    auto const found = metadata(unified);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ((*found)->token_endpoint, token_of(origin_b));

    World other;
    ASSERT_TRUE(other.registration.hosts.add(unified));
    other.http.expect("GET", about_unified, 200,
                      R"({"oidc_endpoint":"https://dbc-c.cloud.databricks.com/oidc"})");
    auto const refused = run_task(
        other.discovery.metadata(other.registered(), *other.registration.hosts.admit(unified)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::metadata_endpoint_denied);
    EXPECT_EQ(other.http.calls().size(), 1U) << "the other host never hears of us";
}

TEST_F(DiscoveryTest, a_unified_host_that_says_nothing_is_taken_for_a_workspace) {
    ASSERT_TRUE(registration.hosts.add(unified));
    for (auto const& [status, about] : {std::pair(404, ""),
                                        {200, "{}"},
                                        {200, R"({"oidc_endpoint":"https://evil.test/oidc"})"}}) {
        World world;
        ASSERT_TRUE(world.registration.hosts.add(unified));
        world.http.expect("GET", about_unified, status, about);
        world.http.expect("GET", discovery_of(unified), 200,
                          json::serialize(discovery_document(unified)));
        auto const found = run_task(
            world.discovery.metadata(world.registered(), *world.registration.hosts.admit(unified)));
        ASSERT_TRUE(found) << about;
        EXPECT_EQ((*found)->issuer.value(), unified + "/oidc");
    }
}

TEST_F(DiscoveryTest, without_an_answer_nobody_is_sent_to_what_may_be_another_account) {
    ASSERT_TRUE(registration.hosts.add(unified));
    expect_away(about_unified);
    EXPECT_EQ(metadata(unified).error().code(), ErrorCode::discovery_failed);
    clock.pass(5s);
    http.expect("GET", about_unified, 503, "");
    EXPECT_EQ(metadata(unified).error().code(), ErrorCode::discovery_failed);
    clock.pass(5s);
    http.expect("GET", about_unified, 200, "<html>");
    EXPECT_EQ(metadata(unified).error().code(), ErrorCode::metadata_invalid);
    EXPECT_EQ(http.count("GET", discovery_of(unified)), 0U);
}

TEST_F(DiscoveryTest, workspaces_are_not_asked_what_they_are) {
    expect_discovery();
    EXPECT_TRUE(metadata());
    EXPECT_EQ(asked(), 1U);
}

// ---- keys

TEST_F(DiscoveryTest, T18_ten_thousand_random_kids_in_a_second_are_one_request) {
    expect_keys();
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_FALSE(found("kid-" + std::to_string(i)));
        clock.pass(i % 10 == 0 ? 1ms : 0ms);
    }
    EXPECT_EQ(asked(), 1U);
    EXPECT_TRUE(found("key-1"));
}

TEST_F(DiscoveryTest, T18_random_kids_at_a_warm_cache_are_one_request_a_minute) {
    expect_keys();
    EXPECT_TRUE(found("key-1"));
    for (int minute = 0; minute < 3; ++minute) {
        expect_keys();
        for (int i = 0; i < 60; ++i) {
            ASSERT_FALSE(found("kid-" + std::to_string(i)));
            clock.pass(1s);
        }
    }
    EXPECT_EQ(asked(), 4U);
}

TEST_F(DiscoveryTest, T18_a_new_key_is_found_by_one_request_for_all_who_wait) {
    expect_keys();
    EXPECT_TRUE(found("key-1"));
    http.expect("GET", jwks_address, 200, jwk_set({&RsaSigner::first(), &RsaSigner::second()}));
    boost::asio::io_context context(1);
    int good = 0;
    auto ask = [](DiscoveryTest& test, int& count) -> Task<void> {
        auto const set = co_await test.discovery.keys(test.registered(), jwks_address, "key-2");
        count += set && !(*set)->candidates("key-2").empty() ? 1 : 0;
    };
    for (int i = 0; i < 50; ++i) {
        spawn(context.get_executor(), ask(*this, good));
    }
    context.run();
    EXPECT_EQ(good, 50);
    EXPECT_EQ(asked(), 2U);
}

TEST_F(DiscoveryTest, T18_a_refetch_that_fails_closes_and_leaves_the_known_keys_usable) {
    expect_keys();
    EXPECT_TRUE(found("key-1"));
    expect_away(jwks_address);
    EXPECT_FALSE(found("key-2"));
    EXPECT_FALSE(found("key-2"));
    EXPECT_TRUE(found("key-1"));
    EXPECT_EQ(asked(), 2U);
}

TEST_F(DiscoveryTest, T18_a_set_that_has_become_bad_is_not_replaced_by_the_old_one) {
    expect_keys();
    EXPECT_TRUE(found("key-1"));
    clock.pass(1h);
    http.expect("GET", jwks_address, 200, R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQ"}]})");
    EXPECT_FALSE(keys("key-1"));
    clock.pass(5s);
    expect_away(jwks_address);
    EXPECT_FALSE(keys("key-1"));
}

TEST_F(DiscoveryTest, keys_are_kept_as_long_as_the_server_says_within_ten_minutes_and_a_day) {
    struct Case {
        std::string cache_control;
        Milliseconds kept;
    };
    for (auto const& [cache_control, kept] :
         std::vector<Case>{{"max-age=0", 10min},
                           {"no-store", 1h},
                           {"public, max-age=1800", 30min},
                           {"max-age=999999", 24h},
                           {"max-age=99999999999999999999999", 24h},
                           {"max-age=-5", 1h},
                           {"max-age=x", 1h},
                           {"", 1h}}) {
        SCOPED_TRACE(cache_control);
        World world;
        auto const ask = [&] {
            return run_task(world.discovery.keys(world.registered(), jwks_address, "key-1"));
        };
        for (int i = 0; i < 2; ++i) {
            world.http.expect("GET", jwks_address, [&](auto const&) -> HttpAnswer {
                auto answer = http_answer(200, jwk_set({&RsaSigner::first()}));
                answer.headers.add("Cache-Control", cache_control);
                return answer;
            });
        }
        EXPECT_TRUE(ask());
        world.clock.pass(kept - 1ms);
        EXPECT_TRUE(ask());
        EXPECT_EQ(world.http.calls().size(), 1U);
        world.clock.pass(1ms);
        EXPECT_TRUE(ask());
        EXPECT_EQ(world.http.calls().size(), 2U);
    }
}

TEST_F(DiscoveryTest, keys_are_believed_for_a_day_while_their_server_is_away) {
    expect_keys();
    EXPECT_TRUE(found("key-1"));
    clock.pass(24h - 1ms);
    http.expect("GET", jwks_address, 502, "");
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(found("key-1"));
    }
    clock.pass(5s);
    expect_away(jwks_address);
    EXPECT_FALSE(keys("key-1"));
    EXPECT_EQ(asked(), 3U);
}

TEST_F(DiscoveryTest, a_dead_key_server_is_asked_once_in_five_seconds) {
    expect_away(jwks_address);
    for (int i = 0; i < 50; ++i) {
        auto const answer = keys("kid-" + std::to_string(i));
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code(), ErrorCode::upstream_unreachable);
    }
    EXPECT_EQ(asked(), 1U);
}

}  // namespace
}  // namespace brickgate::testing
