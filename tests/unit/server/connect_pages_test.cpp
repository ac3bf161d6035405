// SPDX-License-Identifier: Apache-2.0
// The browser's way to a sign-in and back to the app, step by step.
#include <gmock/gmock.h>

#include "unit/server/world.h"

namespace brickgate::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string const app = "https://app.example/done";
std::string const app_encoded = "https%3A%2F%2Fapp.example%2Fdone";

class Connect : public ::testing::Test, public Site {
 protected:
    // The value of a hidden or typed field of the form.
    static std::string field(ServerResponse const& page, std::string const& name) {
        std::string const start = "name=\"" + name + "\" value=\"";
        auto const at = page.body.find(start);
        if (at == std::string::npos) {
            return {};
        }
        auto const from = at + start.size();
        return page.body.substr(from, page.body.find('"', from) - from);
    }
    LoginRow only_login() {
        EXPECT_EQ(store.rows().logins.size(), 1U);
        return store.rows().logins.empty() ? LoginRow() : store.rows().logins.begin()->second;
    }
};

TEST_F(Connect, the_form_carries_subject_and_way_back_to_the_sign_in) {
    let_people_choose();
    auto const page = get("/auth?subject=user%207&return_to=" + app_encoded);
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(field(page, "subject"), "user 7");
    EXPECT_EQ(field(page, "return_to"), "https:&#47;&#47;app.example&#47;done");
    // A browser may be sent through without a stop, and form-action is asked for the last step too.
    EXPECT_THAT(std::string(page.headers.get("Content-Security-Policy").value_or("")),
                HasSubstr(" https://app.example;"));

    expect_discovery();
    auto const begun =
        get("/auth?workspace=dbc-a.cloud.databricks.com&subject=user+7&return_to=" + app_encoded);
    EXPECT_EQ(begun.status, 302);
    EXPECT_THAT(location_of(begun), StartsWith(origin_a + "/oidc/v1/authorize?"));
    EXPECT_EQ(only_login().subject, "user 7");
    EXPECT_EQ(only_login().return_to, app);
}

TEST_F(Connect, the_button_of_a_fixed_workspace_carries_them_too) {
    fix_workspace();
    auto const page = get("/?subject=a%26b&return_to=" + app_encoded);
    EXPECT_EQ(page.status, 200);
    EXPECT_THAT(page.body,
                HasSubstr("href=\"/auth?subject&#61;a%26b&amp;return_to&#61;" + app_encoded));
}

TEST_F(Connect, T21_a_way_back_that_is_not_listed_ends_every_way_before_anything_is_shown) {
    for (bool const choose : {false, true}) {
        settings.workspace_fixed = !choose;
        for (auto const* const target :
             {"/auth?return_to=https%3A%2F%2Fevil.test", "/?return_to=https%3A%2F%2Fevil.test",
              "/auth?return_to=https%3A%2F%2Fapp.example%2Fdone%2F",
              "/auth?workspace=nowhere.test&return_to=javascript:alert(1)"}) {
            auto const page = get(target);
            EXPECT_EQ(page.status, 400) << target;
            EXPECT_EQ(code_on(page), "return_to_denied") << target;
            EXPECT_THAT(page.body, Not(HasSubstr("evil")));
            EXPECT_THAT(page.body, Not(HasSubstr("javascript:")));
        }
    }
    EXPECT_TRUE(http.calls().empty());
}

TEST_F(Connect, what_does_not_begin_ends_at_the_app_with_its_code) {
    struct Case {
        std::string query;
        std::string code;
    };
    for (auto const& [query, code] : std::vector<Case>{
             {"workspace=nowhere.test", "host_denied"},
             {"workspace=%3Cyour-databricks-instance%3E", "host_denied"},
             {"workspace=" + origin_a + "&subject=" + std::string(201, 'x'), "invalid_request"},
             {"workspace=" + origin_a + "&subject=a%00b", "invalid_request"}}) {
        auto const answer = get("/auth?" + query + "&return_to=" + app_encoded);
        EXPECT_EQ(answer.status, 303) << query;
        EXPECT_EQ(location_of(answer), app + "?error=" + code) << query;
        EXPECT_EQ(answer.body, "");
        auto const page = get("/auth?" + query);
        EXPECT_EQ(page.status, 400) << query;
        EXPECT_EQ(code_on(page), code) << query;
    }
    http.expect("GET", discovery_of(origin_a), 404, "");
    auto const no_workspace = get("/auth?workspace=" + origin_a + "&return_to=" + app_encoded);
    EXPECT_EQ(location_of(no_workspace), app + "?error=oauth_unsupported");
    EXPECT_TRUE(store.rows().logins.empty());
}

TEST_F(Connect, too_many_sign_ins_are_said_to_the_app_too) {
    logins_max = 0;
    expect_discovery();
    auto const answer = get("/auth?workspace=" + origin_a + "&return_to=" + app_encoded);
    EXPECT_EQ(location_of(answer), app + "?error=too_many_logins");
}

TEST_F(Connect, a_parameter_that_is_there_twice_is_refused_by_name) {
    for (auto const* const query : {"subject=a&subject=b", "workspace=a&workspace=a",
                                    "return_to=&return_to=", "subject=%zz"}) {
        for (auto const* const path : {"/auth?", "/?"}) {
            auto const page = get(std::string(path) + query);
            EXPECT_EQ(page.status, 400) << path << query;
            EXPECT_EQ(code_on(page), "invalid_request") << path << query;
        }
    }
    EXPECT_EQ(get("/?foreign=1&foreign=2").status, 200);
}

TEST_F(Connect, try_again_knows_who_and_where_if_this_browser_began_it) {
    expect_discovery();
    auto const begun = get("/auth?workspace=dbc-a.cloud.databricks.com&subject=user-7");
    std::string const cookie(begun.headers.get("Set-Cookie").value_or(""));
    std::string const state = query_field(location_of(begun), "state");
    auto const denied = ask({.target = "/callback?error=access_denied&state=" + state,
                             .headers = {{"Cookie", cookie.substr(0, cookie.find(';'))}}});
    ASSERT_EQ(denied.status, 303);
    auto const page = get(location_of(denied));
    EXPECT_EQ(code_on(page), "access_denied");
    EXPECT_THAT(page.body,
                HasSubstr("href=\"/?workspace&#61;https%3A%2F%2Fdbc-a.cloud.databricks.com&amp;"
                          "subject&#61;user-7\">Try again"));

    auto const again = get("/auth?workspace=dbc-a.cloud.databricks.com&subject=user-7");
    std::string const second = query_field(location_of(again), "state");
    auto const stranger = get("/callback?error=access_denied&state=" + second);
    auto const seen = get(location_of(stranger));
    EXPECT_EQ(code_on(seen), "state_cookie_missing");
    EXPECT_THAT(seen.body, HasSubstr("href=\"/\">Try again"));
    EXPECT_THAT(seen.body, Not(HasSubstr("user-7")));
}

TEST_F(Connect, T54_a_browser_that_calls_this_machine_otherwise_is_sent_to_the_name_of_its_cookie) {
    fix_workspace();
    auto const sent = [&](std::string const& target, std::string const& host) {
        auto const answer = ask({.target = target, .headers = {{"Host", host}}});
        return std::to_string(answer.status) + ' ' + location_of(answer);
    };
    EXPECT_EQ(sent("/auth?subject=a%20b&return_to=" + app_encoded, "127.0.0.1:3000"),
              "302 http://localhost:3000/auth?subject=a%20b&return_to=" + app_encoded);
    EXPECT_EQ(sent("/auth", "[::1]:3000"), "302 http://localhost:3000/auth");
    EXPECT_EQ(sent("/", "127.0.0.1:3000"), "302 http://localhost:3000/");
    EXPECT_EQ(sent("/", "localhost:3000"), "200 ");
    EXPECT_TRUE(store.rows().logins.empty());
    // Whoever forwards another port, or stands in front, must not be sent in a circle.
    for (auto const* const host :
         {"127.0.0.1:8080", "127.0.0.1", "gate.internal:3000", "evil.test:3000"}) {
        EXPECT_EQ(sent("/", host), "200 ") << host;
    }
}

// What only looks ahead must not use the sign-in up, under whatever name it says so.
TEST_F(Connect, T07_nobody_who_looks_ahead_uses_a_sign_in_up) {
    expect_discovery();
    auto const begun = get("/auth?workspace=dbc-a.cloud.databricks.com");
    std::string const cookie(begun.headers.get("Set-Cookie").value_or(""));
    std::string const back =
        "?error=access_denied&state=" + query_field(location_of(begun), "state");
    auto const visit = [&](std::string const& path,
                           std::vector<std::pair<std::string, std::string>> headers = {}) {
        headers.emplace_back("Cookie", cookie.substr(0, cookie.find(';')));
        return ask({.target = path + back, .headers = std::move(headers)});
    };
    for (auto const& [name, value] :
         std::vector<std::pair<std::string, std::string>>{{"Sec-Purpose", "prefetch"},
                                                          {"sec-purpose", "prefetch;prerender"},
                                                          {"Purpose", "prefetch"},
                                                          {"X-Moz", "prefetch"},
                                                          {"X-Purpose", "preview"}}) {
        auto const early = visit("/callback", {{name, value}});
        EXPECT_EQ(early.status, 503) << name;
        EXPECT_EQ(code_on(early), "prefetch_refused") << name;
        EXPECT_EQ(store.rows().logins.size(), 1U) << name;
    }
    for (auto const* const path : {"/%63allback", "/callbac%6b"}) {
        EXPECT_EQ(visit(path).status, 404) << path;
        EXPECT_EQ(store.rows().logins.size(), 1U) << path;
    }
    EXPECT_EQ(visit("/callback").status, 303) << "the real visit works";
    EXPECT_TRUE(store.rows().logins.empty());
}

TEST_F(Connect, T54_a_public_name_is_never_left_for_another) {
    fix_workspace();
    public_at("https://gate.example.com/base");
    settings.base_path = "/base";
    for (auto const* const host : {"127.0.0.1:3000", "127.0.0.1", "localhost", "evil.test"}) {
        auto const page = ask({.target = "/base/", .headers = {{"Host", host}}});
        EXPECT_EQ(page.status, 200) << host;
        EXPECT_THAT(page.body, Not(HasSubstr("evil")));
    }
}

}  // namespace
}  // namespace brickgate::testing
