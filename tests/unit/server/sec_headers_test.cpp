// SPDX-License-Identifier: Apache-2.0
// The headers of every answer, by value: each route of the real table with every method, on every
// kind of listener, and the statuses that need a whole sign-in (security design, under T27).
#include "server/sec_headers.h"

#include <gmock/gmock.h>

#include <set>

#include "unit/server/world.h"

namespace brickgate::testing {
namespace {

using ::testing::IsEmpty;

std::string const page_csp =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src "
    "'self'; connect-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'";
std::string const json_csp = "default-src 'none'; frame-ancestors 'none'";

using Expected = std::vector<std::pair<std::string, std::string>>;

Expected of_a_page(std::string const& cache_control) {
    return {{"Content-Security-Policy", page_csp},
            {"Referrer-Policy", "no-referrer"},
            {"X-Content-Type-Options", "nosniff"},
            {"X-Frame-Options", "DENY"},
            {"Cache-Control", cache_control},
            {"Cross-Origin-Opener-Policy", "same-origin"},
            {"Cross-Origin-Resource-Policy", "same-origin"},
            {"Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()"}};
}

Expected of_data() {
    return {{"Content-Security-Policy", json_csp},
            {"Referrer-Policy", "no-referrer"},
            {"X-Content-Type-Options", "nosniff"},
            {"X-Frame-Options", "DENY"},
            {"Cache-Control", "no-store"}};
}

std::string value(ServerResponse const& response, std::string const& name) {
    return std::string(response.headers.get(name).value_or("(none)"));
}

class SecHeaders : public ::testing::Test, public Site {
 protected:
    void check(ServerResponse const& response, std::string const& what) {
        SCOPED_TRACE(what + ": " + std::to_string(response.status));
        seen.insert(response.status);
        EXPECT_NE(response.status, 307);  // T23: they would repeat a POST with what it carries
        EXPECT_NE(response.status, 308);
        std::string const type = value(response, "Content-Type");
        bool const redirect = response.status == 302 || response.status == 303;
        bool const asset = type.starts_with("text/css") || type.starts_with("image/");
        bool const data = type == "application/json" || type == "application/yaml" ||
                          type.starts_with("text/plain");
        bool const page = type == "text/html; charset=utf-8" || redirect || asset;
        ASSERT_TRUE(data || page) << type;
        for (auto const& [name, expected] :
             data ? of_data() : of_a_page(asset ? "public, max-age=3600" : "no-store")) {
            EXPECT_EQ(value(response, name), expected) << name;
        }
        bool const https = settings.public_url.starts_with("https://");
        if (page) {
            EXPECT_EQ(value(response, "Strict-Transport-Security"),
                      https ? "max-age=63072000" : "(none)");
        }
        if (redirect) {
            EXPECT_EQ(response.body, "");
        }
        std::set<std::string> names;
        for (auto const& [name, ignored] : response.headers) {
            bool const once = names.insert(name).second || name == "Set-Cookie";
            EXPECT_TRUE(once) << name << " is there twice";
            EXPECT_NE(name, "Server");
            EXPECT_NE(name, "X-Powered-By");
            EXPECT_FALSE(name.starts_with("Access-Control-")) << "T55";
        }
    }
    // A concrete address for a route: one that is there where there is one.
    static std::string filled(std::string pattern) {
        for (auto const& [name, text] : {std::pair<std::string, std::string>{"{file}", "style.css"},
                                         {"{id}", "con_none"},
                                         {"{capability}", "bgc_none"}}) {
            if (auto const at = pattern.find(name); at != std::string::npos) {
                pattern.replace(at, name.size(), text);
            }
        }
        EXPECT_EQ(pattern.find('{'), std::string::npos) << "give this test a value for " << pattern;
        return pattern;
    }
    void walk() {
        fix_workspace();
        std::set<std::string> targets{"/nothing", "/v1/nothing", "/%2e%2e/x", "/auth/", "//x"};
        for (auto const& route : router().routes()) {
            targets.insert(filled(route.pattern));
        }
        ASSERT_GT(targets.size(), 15U);
        targets.insert({"/?subject=%zz", "/auth?return_to=https://evil.test", "/assets/none",
                        "/auth?subject=%00", "/connect/result/none"});
        for (auto const listener : {ListenerKind::public_, ListenerKind::private_,
                                    ListenerKind::both, ListenerKind::local_socket}) {
            for (auto const* const method :
                 {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"}) {
                for (auto const& target : targets) {
                    if (target == "/auth" && std::string_view(method) == "GET") {
                        continue;  // begins a sign-in: below
                    }
                    check(ask({method, target, {}, "", listener}),
                          std::string(method) + ' ' + target);
                }
            }
        }
    }
    std::set<int> seen;
};

TEST_F(SecHeaders, T22_T23_T25_every_route_with_every_method_on_every_listener) {
    walk();
    for (int const status : {200, 400, 401, 404, 405}) {
        EXPECT_TRUE(seen.contains(status)) << status;
    }
}

TEST_F(SecHeaders, T22_T23_T25_the_same_where_the_public_url_is_https) {
    public_at("https://gate.example.com");
    walk();
}

TEST_F(SecHeaders, T22_T25_a_whole_sign_in_and_what_may_go_wrong_with_it) {
    public_at("https://gate.example.com");
    fix_workspace();
    expect_discovery();
    auto const begun = get("/auth");
    EXPECT_EQ(begun.status, 302);
    check(begun, "/auth");
    std::string const cookie = value(begun, "Set-Cookie");
    EXPECT_TRUE(cookie.starts_with("__Host-bg_t_")) << cookie;
    Attempt attempt;
    attempt.start.authorize_url = location_of(begun);
    expect_good_tokens(attempt);
    expect_keys();
    auto const back = ask({.target = "/callback?" + attempt.answer(),
                           .headers = {{"Cookie", cookie.substr(0, cookie.find(';'))}}});
    EXPECT_EQ(back.status, 303);
    check(back, "/callback");
    EXPECT_EQ(location_of(back).find("code="), std::string::npos);
    EXPECT_EQ(location_of(back).find("state="), std::string::npos);
    auto const done = get(location_of(back));
    EXPECT_EQ(done.status, 200);
    check(done, "the result");

    auto const used = get("/callback?" + attempt.answer());
    check(used, "/callback again");
    check(get(location_of(used)), "a used link");
    auto const prefetch =
        ask({.target = "/callback?x", .headers = {{"Sec-Purpose", "prefetch;prerender"}}});
    EXPECT_EQ(prefetch.status, 503);
    check(prefetch, "a prefetch");
    auto const long_query = get("/callback?" + std::string(9000, 'x'));
    EXPECT_EQ(long_query.status, 414);
    check(long_query, "a long answer");
    operations().set_ready(false);
    check(get("/readyz"), "not ready");
    store.fail_commits(100);
    auto const broken = get("/auth");
    EXPECT_EQ(broken.status, 503);
    check(broken, "a broken disk");
    EXPECT_EQ(admin("GET", "/v1/connections").status, 503);
    check(admin("GET", "/v1/connections"), "a broken disk");
}

TEST_F(SecHeaders, T22_T25_a_workspace_that_is_away) {
    fix_workspace();
    http.expect_failure("GET", discovery_of(origin_a), ErrorCode::upstream_unreachable,
                        Sent::not_sent);
    auto const page = get("/auth");
    EXPECT_EQ(page.status, 502);
    check(page, "a workspace that is away");
}

TEST_F(SecHeaders, T26_the_form_may_lead_to_workspaces_and_back_to_listed_apps_only) {
    let_people_choose();
    settings.form_targets = "https://*.cloud.databricks.com http://127.0.0.1:3001";
    auto const form = [](std::string const& more) {
        std::string out = page_csp;
        out.insert(out.find("; frame-ancestors"), more);
        return out;
    };
    EXPECT_EQ(value(get("/"), "Content-Security-Policy"),
              form(" https://*.cloud.databricks.com http://127.0.0.1:3001"));
    EXPECT_EQ(value(get("/?return_to=https://app.example/done"), "Content-Security-Policy"),
              form(" https://*.cloud.databricks.com http://127.0.0.1:3001 https://app.example"));
    EXPECT_EQ(value(get("/?return_to=https://evil.test/"), "Content-Security-Policy"), page_csp);
    EXPECT_EQ(value(get("/nothing"), "Content-Security-Policy"), page_csp);
}

TEST_F(SecHeaders, programs_get_json_and_people_pages_whoever_is_wrong) {
    auto const is_json = [&](std::string const& method, std::string const& target,
                             ListenerKind listener) {
        return value(ask({method, target, {}, "", listener}), "Content-Type") == "application/json";
    };
    for (auto const listener :
         {ListenerKind::public_, ListenerKind::private_, ListenerKind::both}) {
        for (auto const* const target : {"/healthz", "/readyz"}) {
            EXPECT_TRUE(is_json("POST", target, listener)) << target;
        }
    }
    for (auto const* const target : {"/metrics", "/openapi.yaml", "/v1/connections"}) {
        EXPECT_TRUE(is_json("PUT", target, ListenerKind::both)) << target;
    }
    EXPECT_TRUE(is_json("GET", "/v1/nothing", ListenerKind::both));
    EXPECT_TRUE(is_json("GET", "/nothing", ListenerKind::private_));
    for (auto const* const target : {"/", "/auth", "/callback", "/nothing", "/assets/none"}) {
        EXPECT_FALSE(is_json("PUT", target, ListenerKind::both)) << target;
        EXPECT_FALSE(is_json("PUT", target, ListenerKind::public_)) << target;
    }
}

TEST_F(SecHeaders, counters_are_counters_to_whoever_reads_them) {
    auto const shown = [&] { return admin("GET", "/metrics").body; };
    EXPECT_THAT(shown(), ::testing::HasSubstr("# TYPE brickgate_refresh_total counter"));
    EXPECT_THAT(shown(), ::testing::HasSubstr("brickgate_refresh_total{outcome=\"sent\"} 0"));
}

TEST_F(SecHeaders, a_state_that_has_emptied_is_counted_as_empty) {
    ASSERT_TRUE(sign_in());
    EXPECT_THAT(admin("GET", "/metrics").body,
                ::testing::HasSubstr("brickgate_connections{state=\"active\"} 1"));
    store.rows().connections.clear();
    EXPECT_THAT(admin("GET", "/metrics").body,
                ::testing::HasSubstr("brickgate_connections{state=\"active\"} 0"));
}

}  // namespace
}  // namespace brickgate::testing
