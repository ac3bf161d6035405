// SPDX-License-Identifier: Apache-2.0
#include "connect/revocation.h"

#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

std::string const endpoint = origin_a + "/oidc/v1/revoke";

class RevocationTest : public ::testing::Test, public World {
 protected:
    // A person signs in at a workspace that names this endpoint for revocation; empty: none.
    Connection signed_in(std::string const& revocation_endpoint, bool with_refresh_token = true) {
        auto document = discovery_document(origin_a);
        if (!revocation_endpoint.empty()) {
            document["revocation_endpoint"] = revocation_endpoint;
        }
        http.expect("GET", discovery_of(origin_a), 200, json::serialize(document));
        Jar jar;
        auto const attempt = visit_auth(jar);
        auto answer = tokens(RsaSigner::first().sign(claims(attempt.nonce())));
        if (!with_refresh_token) {
            answer.erase("refresh_token");
        }
        expect_tokens(answer);
        expect_keys();
        auto const outcome = callback(jar, attempt.answer());
        EXPECT_TRUE(outcome);
        return outcome ? outcome->connection : Connection{};
    }
    Revoked revoke(Connection const& row) {
        Revocation revocation({registrations, *vault, discovery, http});
        return run_task(revocation.revoke(row));
    }
};

TEST_F(RevocationTest, the_refresh_token_goes_to_the_named_endpoint_with_our_own_proof) {
    auto const row = signed_in(endpoint);
    http.expect("POST", endpoint, 200, "");
    EXPECT_EQ(revoke(row), Revoked::yes);
    auto const& call = http.calls().back();
    EXPECT_EQ(call.field("token"), "refresh-token-of-the-sandbox");
    EXPECT_EQ(call.field("token_type_hint"), "refresh_token");
    EXPECT_EQ(call.field("client_id"), client_id);
    EXPECT_EQ(call.field("client_secret"), "s3cret");
    EXPECT_EQ(call.url.find('?'), std::string::npos);
    EXPECT_LE(call.limits.total, 10s);
    EXPECT_FALSE(call.limits.egress.operator_listed);
}

TEST_F(RevocationTest, without_a_refresh_token_the_access_token_is_revoked) {
    auto const row = signed_in(endpoint, false);
    http.expect("POST", endpoint, 200, "");
    EXPECT_EQ(revoke(row), Revoked::yes);
    EXPECT_EQ(http.calls().back().field("token"), access_text);
    EXPECT_EQ(http.calls().back().field("token_type_hint"), "access_token");
}

TEST_F(RevocationTest, a_workspace_that_names_no_endpoint_is_sent_nothing) {
    auto const row = signed_in("");
    auto const before = http.calls().size();
    EXPECT_EQ(revoke(row), Revoked::not_supported);
    EXPECT_EQ(http.calls().size(), before);
}

TEST_F(RevocationTest, T13_an_endpoint_on_another_host_is_none) {
    for (auto const* const elsewhere :
         {"https://evil.test/revoke", "http://dbc-a.cloud.databricks.com/revoke",
          "https://dbc-b.cloud.databricks.com/oidc/v1/revoke", "javascript:x"}) {
        World world;
        auto document = discovery_document(origin_a);
        document["revocation_endpoint"] = elsewhere;
        world.http.expect("GET", discovery_of(origin_a), 200, json::serialize(document));
        Connection row;
        row.registration = world.registered()->id;
        row.workspace = origin_a;
        row.issuer = Issuer(origin_a + "/oidc");
        Revocation revocation({world.registrations, *world.vault, world.discovery, world.http});
        EXPECT_EQ(run_task(revocation.revoke(row)), Revoked::not_supported) << elsewhere;
    }
}

TEST_F(RevocationTest, T11_a_grant_of_another_issuer_is_not_shown_to_this_one) {
    auto row = signed_in(endpoint);
    auto const before = http.calls().size();
    row.issuer = Issuer(origin_b + "/oidc");
    EXPECT_EQ(revoke(row), Revoked::not_supported);
    EXPECT_EQ(http.calls().size(), before);
}

TEST_F(RevocationTest, T12_a_host_that_is_no_longer_listed_is_sent_nothing) {
    auto const row = signed_in(endpoint);
    auto const before = http.calls().size();
    registration.hosts = HostAllowList();
    ASSERT_TRUE(registration.hosts.add(origin_b));
    register_anew();
    EXPECT_EQ(revoke(row), Revoked::not_supported);
    registrations.clear();
    EXPECT_EQ(revoke(row), Revoked::not_supported);
    EXPECT_EQ(http.calls().size(), before);
}

TEST_F(RevocationTest, what_was_not_confirmed_is_not_called_revoked) {
    auto const row = signed_in(endpoint);
    for (auto const& [status, expected] : {std::pair(400, Revoked::failed),
                                           {401, Revoked::failed},
                                           {302, Revoked::failed},
                                           {503, Revoked::failed},
                                           {404, Revoked::not_supported}}) {
        http.expect("POST", endpoint, status, R"({"error":"unsupported_token_type"})");
        EXPECT_EQ(revoke(row), expected) << status;
    }
    http.expect_failure("POST", endpoint, ErrorCode::upstream_timeout, Sent::maybe_sent);
    EXPECT_EQ(revoke(row), Revoked::failed);
    clock.pass(48h);
    http.expect_failure("GET", discovery_of(origin_a), ErrorCode::upstream_unreachable,
                        Sent::not_sent);
    EXPECT_EQ(revoke(row), Revoked::failed) << "nobody knows whether there is an endpoint";
}

}  // namespace
}  // namespace brickgate::testing
