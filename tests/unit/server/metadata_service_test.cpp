// SPDX-License-Identifier: Apache-2.0
// Databricks' metadata service as its SDKs ask it, and as others might (T56).
#include "server/metadata_service.h"

#include <gmock/gmock.h>

#include "base/json.h"
#include "unit/server/world.h"

namespace brickgate::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Headers = std::vector<std::pair<std::string, std::string>>;

class MetadataRoute : public ::testing::Test, public Site {
 protected:
    std::string lend(CapabilityWish wish = {}) {
        if (id_.empty()) {
            id_ = sign_in()->connection.id.value();
        }
        wish.connection = ConnectionId(id_);
        auto const made = run_task(capabilities().create(std::move(wish))).value();
        return made.capability.expose([](std::string_view text) { return std::string(text); });
    }
    static Headers as_an_sdk(std::string const& host = origin_a) {
        return {{"Host", "127.0.0.1:3000"},
                {"X-Databricks-Metadata-Version", "1"},
                {"X-Databricks-Host", host}};
    }
    static Headers without(Headers headers, std::string const& name) {
        std::erase_if(headers, [&](auto const& field) { return field.first == name; });
        return headers;
    }
    static Headers with(std::string const& name, std::string const& value) {
        auto headers = without(as_an_sdk(), name);
        headers.emplace_back(name, value);
        return headers;
    }
    ServerResponse token(std::string const& capability, Headers headers = as_an_sdk()) {
        return ask({.target = "/m/" + capability, .headers = std::move(headers)});
    }
    // What went wrong, after a look at the rule for every error: JSON, and no access_token in it.
    static std::string code_of(ServerResponse const& response) {
        auto const parsed = parse_json(response.body);
        EXPECT_TRUE(parsed) << response.body;
        EXPECT_EQ(response.headers.get("Content-Type"), "application/json");
        auto const body = parsed ? parsed->as_object() : json::object();
        EXPECT_FALSE(response.status != 200 && body.contains("access_token"));
        auto const* const error = object_at(body, "error");
        return error ? std::string(string_at(*error, "code").value_or("")) : "none";
    }
    static json::object body_of(ServerResponse const& response) {
        return parse_json(response.body).value_or(json::object()).as_object();
    }

    std::string id_;
};

TEST_F(MetadataRoute, a_token_its_type_and_its_end_as_a_number) {
    auto const answer = token(lend());
    ASSERT_EQ(answer.status, 200) << answer.body;
    auto const body = body_of(answer);
    EXPECT_EQ(string_at(body, "access_token"), access_text);
    EXPECT_EQ(string_at(body, "token_type"), "Bearer");
    EXPECT_EQ(integer_at(body, "expires_on"), to_ms(clock.now()) / 1000 + 3600);
    EXPECT_EQ(body.size(), 3U);
    EXPECT_EQ(answer.headers.get("Cache-Control"), "no-store");
}

TEST_F(MetadataRoute, hosts_are_compared_as_addresses) {
    auto const capability = lend();
    for (auto const* const same :
         {"https://dbc-a.cloud.databricks.com", "https://dbc-a.cloud.databricks.com/",
          "https://DBC-A.cloud.Databricks.com", "HTTPS://dbc-a.cloud.databricks.com",
          "https://dbc-a.cloud.databricks.com:443/"}) {
        EXPECT_EQ(token(capability, as_an_sdk(same)).status, 200) << same;
    }
    for (auto const* const other :
         {"", "https://dbc-b.cloud.databricks.com", "http://dbc-a.cloud.databricks.com",
          "https://dbc-a.cloud.databricks.com:8443", "https://dbc-a.cloud.databricks.com.evil.test",
          "https://dbc-a.cloud.databricks.com@evil.test",
          "https://evil.test/?https://dbc-a.cloud.databricks.com", "https://", "nonsense"}) {
        auto const answer = token(capability, as_an_sdk(other));
        EXPECT_EQ(answer.status, 400) << other;
        EXPECT_EQ(code_of(answer), "metadata_host_mismatch") << other;
    }
    EXPECT_EQ(code_of(token(capability, without(as_an_sdk(), "X-Databricks-Host"))),
              "metadata_host_mismatch");
    auto twice = as_an_sdk();
    twice.emplace_back("X-Databricks-Host", origin_a);
    EXPECT_EQ(code_of(token(capability, twice)), "metadata_host_mismatch");
}

TEST_F(MetadataRoute, only_version_1_is_spoken) {
    auto const capability = lend();
    for (auto const* const version : {"", "0", "2", "1.0", "01", "1, 1", "one"}) {
        auto const answer = token(capability, with("X-Databricks-Metadata-Version", version));
        EXPECT_EQ(answer.status, 400);
        EXPECT_EQ(code_of(answer), "metadata_version_unsupported") << version;
    }
    EXPECT_EQ(code_of(token(capability, without(as_an_sdk(), "X-Databricks-Metadata-Version"))),
              "metadata_version_unsupported");
}

TEST_F(MetadataRoute, T56_it_answers_to_loopback_names_with_its_port_only) {
    auto const capability = lend();
    for (auto const* const host : {"localhost:3000", "127.0.0.1:3000", "LOCALHOST:3000"}) {
        EXPECT_EQ(token(capability, with("Host", host)).status, 200) << host;
    }
    for (auto const* const host :
         {"rebind.evil.test:3000", "evil.test", "localhost", "localhost:", "localhost:3001",
          "127.0.0.1", "127.0.0.1:80", "[::1]:3000", "127.0.0.2:3000", "0.0.0.0:3000",
          "localhost.evil.test:3000", "localhost:3000.evil.test", "localhost:3000, x", ""}) {
        auto const answer = token(capability, with("Host", host));
        EXPECT_EQ(answer.status, 421) << host;
        EXPECT_EQ(code_of(answer), "misdirected_request") << host;
    }
    EXPECT_EQ(code_of(token(capability, without(as_an_sdk(), "Host"))), "misdirected_request");
    auto twice = as_an_sdk();
    twice.emplace_back("Host", "127.0.0.1:3000");
    EXPECT_EQ(code_of(token(capability, twice)), "misdirected_request");
}

TEST_F(MetadataRoute, T56_a_page_in_a_browser_gets_nothing) {
    auto const capability = lend();
    for (auto const& [name, value] : Headers{{"Origin", "https://evil.test"},
                                             {"origin", "http://localhost:3000"},
                                             {"Origin", "null"},
                                             {"Origin", ""},
                                             {"Sec-Fetch-Site", "cross-site"},
                                             {"Sec-Fetch-Site", "same-origin"},
                                             {"Sec-Fetch-Site", "none"},
                                             {"sec-fetch-mode", "navigate"},
                                             {"Sec-Fetch-Dest", "document"}}) {
        auto const answer = token(capability, with(name, value));
        EXPECT_EQ(answer.status, 403) << name << ": " << value;
        EXPECT_EQ(code_of(answer), "browser_refused") << name << ": " << value;
    }
    auto from_node = with("Sec-Fetch-Mode", "cors");
    EXPECT_EQ(token(capability, from_node).status, 200) << "no browser sends that alone";
    from_node.emplace_back("Sec-Fetch-Site", "same-origin");
    EXPECT_EQ(code_of(token(capability, from_node)), "browser_refused");
}

TEST_F(MetadataRoute, T56_nobody_from_elsewhere_and_nobody_through_a_proxy) {
    auto const capability = lend();
    auto const from = [&](std::string peer, Headers headers = as_an_sdk()) {
        return ask(
            {.target = "/m/" + capability, .headers = std::move(headers), .peer = std::move(peer)});
    };
    for (auto const* const here : {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"}) {
        EXPECT_EQ(from(here).status, 200) << here;
    }
    for (auto const* const there : {"10.0.0.1", "192.0.2.7", "fd00::1", "::ffff:10.0.0.1", ""}) {
        EXPECT_EQ(code_of(from(there)), "misdirected_request") << there;
    }
    for (auto const* const name :
         {"X-Forwarded-For", "forwarded", "Via", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded",
          "x-forwarded-server", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP",
          "Forwarded-For", "X-Envoy-External-Address"}) {
        EXPECT_EQ(code_of(from("127.0.0.1", with(name, "127.0.0.1"))), "misdirected_request")
            << name;
    }
}

TEST_F(MetadataRoute, T56_on_a_local_socket_the_owner_needs_no_name) {
    auto const capability = lend();
    Question question{.target = "/m/" + capability,
                      .headers = without(as_an_sdk(), "Host"),
                      .listener = ListenerKind::local_socket,
                      .peer = ""};
    EXPECT_EQ(ask(question).status, 200);
    question.headers.emplace_back("Origin", "https://evil.test");
    EXPECT_EQ(code_of(ask(question)), "browser_refused");
    ServerRequest strangers;
    strangers.listener = ListenerKind::local_socket;
    strangers.peer_uid = geteuid() + 1;
    auto const refused = refuse_stranger(strangers, {"3000"});
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->name(), "misdirected_request");
}

TEST_F(MetadataRoute, T56_it_is_no_route_of_the_public_listener) {
    auto const capability = lend();
    auto const answer = ask(
        {.target = "/m/" + capability, .headers = as_an_sdk(), .listener = ListenerKind::public_});
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(code_of(answer), "not_found");
}

TEST_F(MetadataRoute, what_is_no_capability_or_none_any_more_is_refused_in_json) {
    auto const capability = lend({.expires_in = Seconds(60)});
    auto other = capability;
    other.back() = other.back() == 'A' ? 'B' : 'A';
    for (auto const& text :
         {std::string("nonsense-9"), other, capability + "x", std::string(5000, 'a')}) {
        auto const answer = token(text);
        EXPECT_EQ(answer.status, 401) << text;
        EXPECT_EQ(code_of(answer), "unauthorized") << text;
        EXPECT_THAT(answer.body, Not(HasSubstr(text))) << "it is not said back";
    }
    clock.pass(Seconds(60));
    EXPECT_EQ(code_of(token(capability)), "unauthorized");
    for (auto const& path :
         {std::string("/m/"), "/m/" + capability + "/", "/m/" + capability + "/x"}) {
        auto const answer = ask({.target = path, .headers = as_an_sdk()});
        EXPECT_EQ(answer.status, 404) << path;
        EXPECT_EQ(code_of(answer), "not_found") << path;
    }
    auto const posted =
        ask({.method = "POST", .target = "/m/" + capability, .headers = as_an_sdk()});
    EXPECT_EQ(posted.status, 405);
    EXPECT_EQ(code_of(posted), "method_not_allowed");
}

// The token itself knows no limits.
TEST_F(MetadataRoute, a_limited_capability_gives_no_token_away) {
    EXPECT_EQ(code_of(token(lend({.methods = {"GET"}}))), "capability_denied");
    EXPECT_EQ(code_of(token(lend({.paths = {"/api/2.0/sql"}}))), "capability_denied");
}

TEST_F(MetadataRoute, who_keeps_the_token_asks_again_when_the_capability_has_ended) {
    auto const answer = token(lend({.expires_in = Seconds(90)}));
    EXPECT_EQ(integer_at(body_of(answer), "expires_on"), to_ms(clock.now()) / 1000 + 90);
    auto const longer = token(lend({.expires_in = Seconds(7200)}));
    EXPECT_EQ(integer_at(body_of(longer), "expires_on"), to_ms(clock.now()) / 1000 + 3600);
}

TEST_F(MetadataRoute, an_ended_connection_is_said_to_be_one) {
    auto const capability = lend();
    ASSERT_TRUE(run_task(vault->disconnect(ConnectionId(id_), {})).value());
    refresher().forget(ConnectionId(id_));
    auto const answer = token(capability);  // by another door: what memory holds is still there
    EXPECT_EQ(answer.status, 410);
    EXPECT_EQ(code_of(answer), "disconnected");
}

TEST_F(MetadataRoute, an_sdk_finds_a_configuration_and_no_sign_in) {
    auto const config = get("/.well-known/databricks-config");
    EXPECT_EQ(config.status, 200);
    EXPECT_EQ(string_at(body_of(config), "oidc_endpoint"), "http://localhost:3000/oidc");
    EXPECT_EQ(string_at(body_of(config), "host_type"), "workspace");
    for (auto const* const path : {"/oidc", "/oidc/v1/token", "/oidc/v1/authorize",
                                   "/oidc/.well-known/oauth-authorization-server"}) {
        for (auto const* const method : {"GET", "POST"}) {
            auto const answer = ask({.method = method, .target = path});
            EXPECT_EQ(answer.status, 404) << path;
            EXPECT_EQ(code_of(answer), "not_found") << path;
            EXPECT_THAT(answer.body, HasSubstr("Sign-in is done by Brickgate")) << path;
        }
    }
    EXPECT_THAT(get("/oidcx").body, Not(HasSubstr("Sign-in is done")));
    EXPECT_THAT(ask({.target = "/oidc/v1/token", .listener = ListenerKind::public_}).body,
                Not(HasSubstr("Sign-in is done")));
}

TEST_F(MetadataRoute, below_a_base_path_it_is_the_same) {
    settings.base_path = "/gate";
    public_at("http://localhost:3000/gate");
    auto const capability = lend();
    EXPECT_EQ(ask({.target = "/gate/m/" + capability, .headers = as_an_sdk()}).status, 200);
    EXPECT_EQ(code_of(ask({.target = "/gate/m/x", .headers = as_an_sdk()})), "unauthorized");
    EXPECT_EQ(string_at(body_of(get("/gate/.well-known/databricks-config")), "oidc_endpoint"),
              "http://localhost:3000/gate/oidc");
    EXPECT_THAT(get("/gate/oidc/v1/token").body, HasSubstr("Sign-in is done by Brickgate"));
}

}  // namespace
}  // namespace brickgate::testing
