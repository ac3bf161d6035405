// SPDX-License-Identifier: Apache-2.0
#include "net/router.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "net/error_response.h"
#include "net/metrics.h"
#include "support/run_task.h"

namespace brickgate {
namespace {

Task<ServerResponse> say(std::string text) {
    ServerResponse response;
    response.body = std::move(text);
    co_return response;
}

Route route(std::string method, std::string pattern, Visibility visibility = Visibility::both) {
    std::string const name = method + " " + pattern;
    return {.method = std::move(method),
            .pattern = std::move(pattern),
            .visibility = visibility,
            .head = true,
            .handler = [name](ServerRequest const&, PathParams params) {
                return say(name + " id=" + std::string(params.get("id")));
            }};
}

ServerResponse ask(Router const& router, std::string_view method, std::string_view target,
                   ListenerKind listener = ListenerKind::both) {
    ServerRequest request = ServerRequest::of(method, target);
    request.listener = listener;
    return testing::run_task(router.handle(request));
}

Router sample(std::string base_path = {}) {
    Router router(std::move(base_path));
    router.add(route("GET", "/"));
    router.add(route("GET", "/auth", Visibility::public_));
    router.add(route("GET", "/v1/connections/{id}/token", Visibility::private_));
    router.add(route("GET", "/v1/connections/{id}", Visibility::private_));
    Route removal = route("DELETE", "/v1/connections/{id}", Visibility::private_);
    removal.head = false;
    router.add(removal);
    return router;
}

TEST(Router, finds_by_method_and_whole_segments) {
    Router const router = sample();
    EXPECT_EQ(ask(router, "GET", "/").body, "GET / id=");
    EXPECT_EQ(ask(router, "GET", "/auth?workspace=x").body, "GET /auth id=");
    EXPECT_EQ(ask(router, "GET", "/v1/connections/c1/token").body,
              "GET /v1/connections/{id}/token id=c1");
    EXPECT_EQ(ask(router, "DELETE", "/v1/connections/a%20b").body,
              "DELETE /v1/connections/{id} id=a b");
    EXPECT_EQ(ask(router, "HEAD", "/auth").status, 200);
    for (char const* target :
         {"/Auth", "/auth/", "/v1/connections/", "/v1/connections/c1/token/", "/v1", "/authx"}) {
        EXPECT_EQ(ask(router, "GET", target).status, 404) << target;
    }
}

TEST(Router, another_method_is_405_and_names_the_allowed_ones) {
    Router const router = sample();
    auto const response = ask(router, "POST", "/v1/connections/c1");
    EXPECT_EQ(response.status, 405);
    EXPECT_EQ(response.headers.get("Allow"), "DELETE, GET, HEAD");
    EXPECT_EQ(ask(router, "OPTIONS", "/auth").status, 405);
    EXPECT_EQ(ask(router, "get", "/auth").status, 405);
}

TEST(Router, what_a_listener_does_not_serve_does_not_exist_there) {
    Router const router = sample();
    std::string_view const token = "/v1/connections/c1/token";
    EXPECT_EQ(ask(router, "GET", token, ListenerKind::public_).status, 404);
    EXPECT_EQ(ask(router, "POST", token, ListenerKind::public_).status, 404);
    EXPECT_EQ(ask(router, "GET", token, ListenerKind::private_).status, 200);
    EXPECT_EQ(ask(router, "GET", token, ListenerKind::local_socket).status, 200);
    EXPECT_EQ(ask(router, "GET", "/auth", ListenerKind::private_).status, 404);
    EXPECT_EQ(ask(router, "GET", "/auth", ListenerKind::public_).status, 200);
    EXPECT_EQ(ask(router, "GET", "/", ListenerKind::public_).status, 200);
}

TEST(Router, hostile_paths_are_refused_not_normalised) {
    Router const router = sample();
    for (char const* target : {"/v1/connections/../auth",
                               "/v1/connections/./x",
                               "/v1/connections/%2e%2e/token",
                               "/%2e",
                               "/.",
                               "/v1/connections/%2E%2e",
                               "/v1/connections/%252e%252e/token",
                               "/v1/connections/a%2fb",
                               "/v1/connections/a%2Fb/token",
                               "/v1/connections/a%5cb",
                               "/v1/connections/a\\b",
                               "/v1/connections/a%252fb",
                               "/v1//connections/c1",
                               "//auth",
                               "/v1/connections/%00",
                               "/v1/connections/a%0d%0ab",
                               "/v1/connections/%7f",
                               "/v1/connections/%",
                               "/v1/connections/%2",
                               "/v1/connections/%zz",
                               "/v1/connections/%ff",
                               "/v1/connections/%c0%ae",
                               "/v1/connections/..;/x",
                               "/v1/connections/.;a",
                               "/..",
                               "auth",
                               ""}) {
        EXPECT_EQ(ask(router, "GET", target).status, 400) << target;
    }
}

TEST(Router, a_base_path_is_in_front_of_every_route) {
    Router const router = sample("/gate");
    EXPECT_EQ(ask(router, "GET", "/gate/auth").status, 200);
    EXPECT_EQ(ask(router, "GET", "/gate").status, 200);
    EXPECT_EQ(ask(router, "GET", "/gate/").status, 200);
    EXPECT_EQ(ask(router, "GET", "/auth").status, 404);
    EXPECT_EQ(ask(router, "GET", "/gateway/auth").status, 404);
}

TEST(Router, errors_can_be_pages) {
    Router router({}, [](ServerRequest const&, Error const& error, std::optional<Audience>) {
        ServerResponse page;
        page.status = error.http_status();
        page.body = "<h1>" + std::string(error.name());
        return page;
    });
    EXPECT_EQ(ask(router, "GET", "/x").body, "<h1>not_found");
}

TEST(Router, the_table_can_be_walked) {
    EXPECT_EQ(sample().routes().size(), 5U);
}

TEST(ErrorResponse, has_the_one_shape_and_never_the_detail) {
    Error error = Error(ErrorCode::rate_limited, "Slow \"down\".")
                      .with_detail("their words")
                      .with_retry_after(std::chrono::seconds(7));
    ServerResponse const response = error_response(error);
    EXPECT_EQ(response.status, 429);
    EXPECT_EQ(response.headers.get("Retry-After"), "7");
    EXPECT_EQ(response.headers.get("Content-Type"), "application/json");
    EXPECT_EQ(response.headers.get("Cache-Control"), "no-store");
    EXPECT_EQ(response.headers.get("X-Frame-Options"), "DENY");
    auto const inner = boost::json::parse(response.body).at("error").as_object();
    EXPECT_EQ(inner.at("code"), "rate_limited");
    EXPECT_EQ(inner.at("message"), "Slow \"down\".");
    EXPECT_EQ(inner.at("retry_after"), 7);
    EXPECT_TRUE(inner.contains("hint"));
    EXPECT_EQ(inner.at("docs"), "docs/errors.md#rate_limited");
    EXPECT_EQ(response.body.find("their words"), std::string::npos);
    EXPECT_FALSE(boost::json::parse(error_response(Error(ErrorCode::not_found, "No.")).body)
                     .at("error")
                     .as_object()
                     .contains("retry_after"));
}

TEST(ErrorResponse, the_constant_lines_and_the_header_map_are_the_same) {
    ServerResponse response;
    add_json_headers(response);
    std::string lines;
    for (auto const& [name, value] : response.headers) {
        lines += name + ": " + value + "\r\n";
    }
    EXPECT_EQ(lines, json_header_lines);
}

TEST(Metrics, are_exposed_as_text_and_asked_for_once) {
    Metrics metrics;
    metrics.counter("bg_requests_total", "Requests.", {{"kind", "token"}}).add(2);
    metrics.counter("bg_requests_total", "Requests.", {{"kind", "token"}}).add();
    metrics.counter("bg_requests_total", "Requests.", {{"kind", "page"}}).add();
    metrics.histogram("bg_refresh_seconds", "Refreshes.", {0.1, 1}).observe(0.5);
    Gauge& connections = metrics.gauge("bg_connections", "Connections.");
    metrics.before_exposition([&] { connections.set(41); });
    std::string const text = metrics.text();
    for (char const* line :
         {"# HELP bg_requests_total Requests.", "# TYPE bg_requests_total counter",
          "bg_requests_total{kind=\"token\"} 3", "bg_requests_total{kind=\"page\"} 1",
          "bg_connections 41", "bg_refresh_seconds_bucket{le=\"1\"} 1",
          "bg_refresh_seconds_bucket{le=\"0.1\"} 0"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
    }
}

}  // namespace
}  // namespace brickgate
