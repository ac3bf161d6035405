// SPDX-License-Identifier: Apache-2.0
#include "server/capabilities_api.h"

#include <gmock/gmock.h>

#include "base/json.h"
#include "proxy/target_rules.h"
#include "unit/server/world.h"

namespace brickgate::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CapabilityRoutes : public ::testing::Test, public Site {
 protected:
    std::string connection(std::string const& subject = "") {
        return sign_in(subject)->connection.id.value();
    }
    static json::object body_of(ServerResponse const& response) {
        auto parsed = parse_json(response.body);
        return parsed ? parsed->as_object() : json::object();
    }
    static std::string code_of(ServerResponse const& response) {
        auto const body = body_of(response);
        auto const* const error = object_at(body, "error");
        return error ? std::string(string_at(*error, "code").value_or("")) : "";
    }
    ServerResponse with_key(std::vector<std::string> rights, std::string method, std::string target,
                            std::string body = {}) {
        auto const made = run_task(keys().create("key", std::move(rights), std::nullopt)).value();
        std::string const bearer =
            made.key.expose([](std::string_view text) { return "Bearer " + std::string(text); });
        return ask({.method = std::move(method),
                    .target = std::move(target),
                    .headers = {{"Authorization", bearer}},
                    .body = std::move(body)});
    }
    std::string wish(std::string const& id, std::string const& rest = "") const {
        return R"({"connection":")" + id + "\"" + rest + "}";
    }
};

TEST_F(CapabilityRoutes, one_is_made_listed_without_its_secret_and_revoked) {
    auto const id = connection();
    auto const made = admin(
        "POST", "/v1/capabilities",
        wish(id, R"(,"name":"dbt","methods":["GET"],"paths":["/api/2.0/sql"],"expires_in":600)"));
    ASSERT_EQ(made.status, 201) << made.body;
    auto const row = body_of(made);
    std::string const text(string_at(row, "capability").value_or(""));
    EXPECT_TRUE(Capabilities::looks_like_one(text));
    EXPECT_EQ(string_at(row, "connection"), id);
    EXPECT_EQ(string_at(row, "name"), "dbt");
    EXPECT_EQ(json::serialize(row.at("methods")), R"(["GET"])");
    EXPECT_EQ(json::serialize(row.at("paths")), R"(["/api/2.0/sql"])");
    EXPECT_EQ(string_at(row, "not_after"), to_rfc3339(clock.now() + Seconds(600)));
    EXPECT_EQ(string_at(row, "created_at"), to_rfc3339(clock.now()));
    EXPECT_TRUE(row.at("revoked_at").is_null());
    EXPECT_TRUE(row.at("leaked_at").is_null());

    auto const listed = admin("GET", "/v1/capabilities");
    EXPECT_EQ(listed.status, 200);
    EXPECT_THAT(listed.body, HasSubstr(std::string(*string_at(row, "id"))));
    EXPECT_THAT(listed.body, Not(HasSubstr(text.substr(text.size() - 43))));
    EXPECT_THAT(listed.body, Not(HasSubstr("\"capability\"")));

    std::string const path = "/v1/capabilities/" + std::string(*string_at(row, "id"));
    EXPECT_EQ(admin("DELETE", path).status, 200);
    EXPECT_FALSE(capabilities().verify(text));
    EXPECT_EQ(code_of(admin("DELETE", path)), "not_found");
}

TEST_F(CapabilityRoutes, they_are_listed_by_connection) {
    auto const one = connection("one");
    auto const two = connection("two");
    for (auto const& id : {one, two, two}) {
        ASSERT_EQ(admin("POST", "/v1/capabilities", wish(id)).status, 201);
    }
    auto const count = [&](std::string const& query) {
        return body_of(admin("GET", "/v1/capabilities" + query)).at("items").as_array().size();
    };
    EXPECT_EQ(count(""), 3U);
    EXPECT_EQ(count("?connection=" + one), 1U);
    EXPECT_EQ(count("?connection=" + two), 2U);
    EXPECT_EQ(count("?connection=nobodys"), 0U);
    EXPECT_EQ(code_of(admin("GET", "/v1/capabilities?connection=%zz")), "invalid_request");
    EXPECT_EQ(code_of(admin("GET", "/v1/capabilities?limit=0")), "invalid_request");
    EXPECT_EQ(count("?limit=1"), 1U);
    auto const page = body_of(admin("GET", "/v1/capabilities?limit=1"));
    auto const next = std::string(string_at(page, "next_cursor").value_or(""));
    EXPECT_EQ(count("?cursor=" + next), count("") - 1);
    EXPECT_TRUE(body_of(admin("GET", "/v1/capabilities")).at("next_cursor").is_null());
}

TEST_F(CapabilityRoutes, the_right_connections_is_needed_and_enough) {
    auto const id = connection();
    for (auto const& right : {"connections", "admin"}) {
        EXPECT_EQ(with_key({right}, "POST", "/v1/capabilities", wish(id)).status, 201) << right;
        EXPECT_EQ(with_key({right}, "GET", "/v1/capabilities").status, 200) << right;
    }
    auto const list = capabilities().list();
    for (auto const& rights :
         {std::vector<std::string>{"proxy"}, {"token:read"}, {"proxy", "token:read"}}) {
        EXPECT_EQ(code_of(with_key(rights, "POST", "/v1/capabilities", wish(id))), "forbidden");
        EXPECT_EQ(code_of(with_key(rights, "GET", "/v1/capabilities")), "forbidden");
        EXPECT_EQ(code_of(with_key(rights, "DELETE", "/v1/capabilities/" + list[0].id)),
                  "forbidden");
    }
    EXPECT_EQ(code_of(ask({.method = "POST", .target = "/v1/capabilities", .body = wish(id)})),
              "unauthorized");
    EXPECT_EQ(capabilities().list().size(), list.size());
    EXPECT_FALSE(capabilities().list()[0].revoked_at);
}

// A limit that is misspelt or of another kind would be no limit at all.
TEST_F(CapabilityRoutes, a_wish_that_cannot_be_is_refused_and_nothing_is_made) {
    auto const id = connection();
    for (auto const& body : {std::string(),
                             std::string("[]"),
                             std::string("{}"),
                             std::string(R"({"connection":7})"),
                             std::string(R"({"connection":""})"),
                             wish(id, R"(,"method":["GET"])"),
                             wish(id, R"(,"path":["/api"])"),
                             wish(id, R"(,"methods":"GET")"),
                             wish(id, R"(,"methods":[7])"),
                             wish(id, R"(,"methods":["get"])"),
                             wish(id, R"(,"paths":{"0":"/api"})"),
                             wish(id, R"(,"paths":["api"])"),
                             wish(id, R"(,"paths":["/oidc"])"),
                             wish(id, R"(,"paths":["/v1/connections"])"),
                             wish(id, R"(,"paths":["/apis"])"),
                             wish(id, R"(,"paths":["/api/2.0/../.."])"),
                             wish(id, R"(,"name":7)"),
                             wish(id, R"(,"expires_in":"60")"),
                             wish(id, R"(,"expires_in":1.5)"),
                             wish(id, R"(,"expires_in":0)"),
                             wish(id, R"(,"expires_in":-1)"),
                             wish(id, R"(,"expires_in":315360001)"),
                             wish(id, R"(,"expires_in":9223372036854775807)"),
                             wish(id, R"(,"expires_in":1e300)"),
                             wish(id, R"(,"expires_in":60,"expires_in":99)")}) {
        auto const refused = admin("POST", "/v1/capabilities", body);
        EXPECT_EQ(refused.status, 400) << body;
        EXPECT_EQ(code_of(refused), "invalid_request") << body;
    }
    EXPECT_EQ(code_of(admin("POST", "/v1/capabilities", wish("con_" + std::string(32, '0')))),
              "connection_unknown");
    EXPECT_THAT(capabilities().list(), ::testing::IsEmpty());
}

TEST_F(CapabilityRoutes, an_absent_limit_an_empty_one_and_null_are_none) {
    auto const id = connection();
    for (auto const* const rest :
         {"", R"(,"methods":[],"paths":[])",
          R"(,"methods":null,"paths":null,"name":null,"expires_in":null)"}) {
        auto const made = admin("POST", "/v1/capabilities", wish(id, rest));
        ASSERT_EQ(made.status, 201) << made.body;
        EXPECT_EQ(json::serialize(body_of(made).at("methods")), "[]");
        EXPECT_EQ(json::serialize(body_of(made).at("paths")), "[]");
        EXPECT_TRUE(body_of(made).at("not_after").is_null());
    }
}

TEST_F(CapabilityRoutes, paths_are_prefixes_of_what_is_proxied) {
    auto const id = connection();
    for (auto const* const path :
         {"/", "/api", "/api/", "/api/2.0/sql", "/sql", "/sql/1.0", "/sql/1.0/warehouses/1",
          "/sql/protocolv1", "/serving-endpoints", "/serving-endpoints/x/invocations"}) {
        auto const rest = std::string(R"(,"paths":[")") + path + "\"]";
        EXPECT_EQ(admin("POST", "/v1/capabilities", wish(id, rest)).status, 201) << path;
    }
}

TEST_F(CapabilityRoutes, a_disconnect_ends_them) {
    auto const id = connection();
    auto const made = body_of(admin("POST", "/v1/capabilities", wish(id)));
    std::string const text(*string_at(made, "capability"));
    ASSERT_TRUE(capabilities().verify(text));
    ASSERT_EQ(admin("DELETE", "/v1/connections/" + id).status, 200);
    EXPECT_FALSE(capabilities().verify(text));
    EXPECT_TRUE(capabilities().list().at(0).revoked_at);
    EXPECT_EQ(code_of(admin("POST", "/v1/capabilities", wish(id))), "disconnected");
}

}  // namespace
}  // namespace brickgate::testing
