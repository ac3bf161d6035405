// SPDX-License-Identifier: Apache-2.0
// Bad input at each route of the API: its own status and code, and nothing is stored.
#include <gmock/gmock.h>

#include <set>

#include "unit/server/world.h"

namespace brickgate::testing {
namespace {

struct Case {
    std::string method;
    std::string target;
    std::string body;
    int status;
    std::string code;
};

std::string code_of(ServerResponse const& response) {
    auto const parsed = parse_json(response.body);
    if (!parsed || !parsed->is_object()) {
        return "(no JSON)";
    }
    auto const* const error = object_at(parsed->get_object(), "error");
    return std::string(error ? string_at(*error, "code").value_or("(no code)") : "(no error)");
}

class BadInput : public ::testing::Test, public Site {
 protected:
    void expect_refused(std::vector<Case> const& cases) {
        auto const before = store.rows();
        for (auto const& [method, target, body, status, code] : cases) {
            auto const answer = admin(method, target, body);
            std::string const what = method + ' ' + target.substr(0, 80) + ' ' + body.substr(0, 80);
            EXPECT_EQ(answer.status, status) << what << '\n' << answer.body;
            EXPECT_EQ(code_of(answer), code) << what;
        }
        EXPECT_EQ(store.rows().api_keys.size(), before.api_keys.size());
        EXPECT_EQ(store.rows().connections.size(), before.connections.size());
        EXPECT_EQ(store.rows().logins.size(), before.logins.size());
        EXPECT_EQ(store.rows().events.size(), before.events.size());
    }
};

TEST_F(BadInput, at_the_list_of_connections) {
    std::vector<Case> cases;
    for (auto const* const query :
         {"limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1e2", "limit=10000",
          "status=nope", "status=", "workspace=", "workspace=%3Cyour-databricks-instance%3E",
          "workspace=ftp://x", "workspace=a%20b", "subject=%zz", "%"}) {
        cases.push_back(
            {"GET", "/v1/connections?" + std::string(query), "", 400, "invalid_request"});
    }
    expect_refused(cases);
}

TEST_F(BadInput, at_one_connection) {
    std::vector<Case> cases;
    for (auto const& id : {std::string("x"), std::string("con_") + std::string(32, '0'),
                           std::string(4000, 'a'), std::string("%00"), std::string("a%2fb"),
                           std::string("..%3bx"), std::string("%2e%2e"), std::string("%ff")}) {
        bool const malformed = id.starts_with('%') || id == "a%2fb" || id == "..%3bx";
        int const status = malformed ? 400 : 404;
        std::string const code = malformed ? "invalid_request" : "connection_unknown";
        std::string const at = "/v1/connections/" + id;
        cases.push_back({"GET", at, "", status, code});
        cases.push_back({"DELETE", at, "", status, code});
        cases.push_back({"GET", at + "/token", "", status, code});
        cases.push_back({"GET", at + "/explain", "", status, code});
        cases.push_back({"POST", at + "/refresh", "", status, code});
        cases.push_back({"POST", at + "/token/rejected", R"({"generation":1})", status, code});
    }
    expect_refused(cases);
}

TEST_F(BadInput, at_the_token_routes_of_a_connection_that_is_there) {
    auto const outcome = sign_in();
    ASSERT_TRUE(outcome);
    std::string const at = "/v1/connections/" + outcome->connection.id.value();
    std::vector<Case> cases;
    for (auto const* const wish :
         {"-1", "x", "86401", "1.5", "", "%00", "99999999999999999999", "+5", "0x10", "1%20"}) {
        cases.push_back({"GET", at + "/token?min_valid=" + wish, "", 400, "invalid_request"});
    }
    cases.push_back({"GET", at + "/token?min_valid=%zz", "", 400, "invalid_request"});
    for (auto const* const body : {"", "x", "[]", "null", "{", R"({"generation":1,"generation":2})",
                                   "{}", R"({"generation":"1"})", R"({"fingerprint":1})",
                                   R"({"access_token":null})", "{\"fingerprint\":\"\xff\"}"}) {
        cases.push_back({"POST", at + "/token/rejected", body, 400, "invalid_request"});
    }
    std::string deep;
    for (int i = 0; i < 1000; ++i) {
        deep += "{\"a\":";
    }
    cases.push_back({"POST", at + "/token/rejected", deep, 400, "invalid_request"});
    expect_refused(cases);
    EXPECT_EQ(admin("GET", at + "/token").status, 200) << "none of it hurt the connection";
}

TEST_F(BadInput, at_the_api_keys) {
    std::vector<Case> cases;
    for (auto const* const body :
         {"",
          "{}",
          "[]",
          R"({"name":"x"})",
          R"({"rights":["admin"]})",
          R"({"name":"","rights":["admin"]})",
          R"({"name":"x","rights":["token:read"],"expires":5})",
          R"({"name":"x","rights":["token:read"],"not_after":"2027-01-01T00:00:00Z"})",
          R"({"name":1,"rights":["admin"]})",
          R"({"name":"x","rights":"admin"})",
          R"({"name":"x","rights":[1]})",
          R"({"name":"x","rights":["root"]})",
          R"({"name":"x","rights":[]})",
          R"({"name":"x","rights":["admin,token:read"]})",
          R"({"name":"x","rights":["admin"],"expires_in":0})",
          R"({"name":"x","rights":["admin"],"expires_in":-1})",
          R"({"name":"x","rights":["admin"],"expires_in":315360001})",
          R"({"name":"x","rights":["admin"],"expires_in":9223372036854775807})",
          R"({"name":"x","rights":["admin"],"expires_in":18446744073709551615})",
          R"({"name":"x","rights":["admin"],"expires_in":1e300})",
          R"({"name":"x","rights":["admin"],"expires_in":1.5})",
          R"({"name":"x","rights":["admin"],"expires_in":"3600"})",
          R"({"name":"x","rights":["admin"],"expires_in":null})"}) {
        cases.push_back({"POST", "/v1/api-keys", body, 400, "invalid_request"});
    }
    cases.push_back({"DELETE", "/v1/api-keys/none", "", 404, "not_found"});
    cases.push_back({"DELETE", "/v1/api-keys/%00", "", 400, "invalid_request"});
    expect_refused(cases);
    auto const longest =
        admin("POST", "/v1/api-keys", R"({"name":"x","rights":["admin"],"expires_in":315360000})");
    EXPECT_EQ(longest.status, 201) << longest.body;
}

TEST_F(BadInput, at_the_sign_in_from_a_terminal) {
    auto const wish = [](std::string const& workspace, std::string const& redirect_uri) {
        return json::serialize(
            json::object{{"workspace", workspace}, {"redirect_uri", redirect_uri}});
    };
    std::string const good = "http://localhost:8020";
    std::vector<Case> cases{
        {"POST", "/v1/logins", "", 400, "invalid_request"},
        {"POST", "/v1/logins", wish("", good), 400, "host_required"},
        {"POST", "/v1/logins", wish("https://evil.test", good), 400, "host_denied"},
        {"POST", "/v1/logins/finish", "", 400, "invalid_request"},
        {"POST", "/v1/logins/finish", "{}", 400, "state_missing"},
        {"POST", "/v1/logins/finish", R"({"query":"code=x&state=y"})", 400, "state_missing"},
        {"POST", "/v1/logins/finish", R"({"query":"code=x&state=)" + std::string(43, 'a') + R"("})",
         400, "state_unknown"}};
    for (auto const* const elsewhere :
         {"", "https://evil.test", "http://localhost", "http://localhost:8020@evil.test",
          "http://localhost:8020/x", "http://127.0.0.1:8020", "http://localhost:x",
          "http://localhost:99999"}) {
        cases.push_back({"POST", "/v1/logins", wish(origin_a, elsewhere), 400, "invalid_request"});
    }
    expect_refused(cases);
    EXPECT_TRUE(http.calls().empty());
}

TEST_F(BadInput, without_a_key_no_route_of_the_api_says_more_than_that_it_needs_one) {
    auto const limited = run_task(keys().create("limited", {"token:read"}, std::nullopt));
    ASSERT_TRUE(limited);
    std::string const key =
        limited->key.expose([](std::string_view text) { return std::string(text); });
    std::set<std::string> asked;
    for (auto const& route : router().routes()) {
        if (!route.pattern.starts_with("/v1/")) {
            continue;
        }
        std::string target = route.pattern;
        if (auto const at = target.find("{id}"); at != std::string::npos) {
            target.replace(at, 4, "con_none");
        }
        bool const local_only = target.starts_with("/v1/logins");
        asked.insert(target);
        for (auto const* const authorization :
             {"", "Bearer ", "Bearer x", "Basic eDp5", "Bearer bg_0011223344556677_x"}) {
            Question question{.method = route.method, .target = target};
            if (*authorization != '\0') {
                question.headers.emplace_back("Authorization", authorization);
            }
            auto const answer = ask(question);
            EXPECT_EQ(answer.status, local_only ? 404 : 401) << route.method << ' ' << target;
            EXPECT_EQ(code_of(answer), local_only ? "not_found" : "unauthorized") << target;
        }
        auto const answer = ask({.method = route.method,
                                 .target = target,
                                 .headers = {{"Authorization", "Bearer " + key}}});
        bool const may = target.find("/token") != std::string::npos;
        EXPECT_EQ(answer.status == 403, !may && !local_only) << route.method << ' ' << target;
    }
    EXPECT_GE(asked.size(), 9U);
}

TEST_F(BadInput, a_workspace_is_found_however_it_is_typed) {
    ASSERT_TRUE(sign_in());
    for (auto const* const typed :
         {"https://dbc-a.cloud.databricks.com", "dbc-a.cloud.databricks.com",
          "https%3A%2F%2Fdbc-a.cloud.databricks.com%2F%3Fo%3D1",
          "DBC-A.cloud.databricks.com:443"}) {
        auto const answer = admin("GET", "/v1/connections?workspace=" + std::string(typed));
        ASSERT_EQ(answer.status, 200) << typed;
        EXPECT_EQ(parse_json(answer.body)->at("items").as_array().size(), 1U) << typed;
    }
    auto const other = admin("GET", "/v1/connections?workspace=dbc-b.cloud.databricks.com");
    EXPECT_TRUE(parse_json(other.body)->at("items").as_array().empty());
}

}  // namespace
}  // namespace brickgate::testing
