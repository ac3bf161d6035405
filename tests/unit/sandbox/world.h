// SPDX-License-Identifier: Apache-2.0
#pragma once
// The practice Databricks on a clock that stands still, and an app that talks to it: what each test
// says is one line.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "base/encoding.h"
#include "base/json.h"
#include "sandbox/sandbox.h"
#include "support/manual_clock.h"
#include "support/manual_timers.h"
#include "support/run_task.h"
#include "support/seeded_random.h"

namespace brickgate::sandbox {

using testing::run_task;
using namespace std::chrono_literals;

inline std::string const callback = "http://localhost:3000/callback";
inline std::string const verifier = "a-verifier-of-forty-three-characters-and-more";

inline json::object parsed(ServerResponse const& response) {
    auto const value = parse_json(response.body);
    return value && value->is_object() ? value->get_object() : json::object();
}
inline std::string text(json::object const& object, std::string_view key) {
    return std::string(string_at(object, key).value_or("(none)"));
}
inline std::string after(std::string const& whole, std::string_view start, char end) {
    auto const at = whole.find(start);
    if (at == std::string::npos) {
        return "";
    }
    auto const from = at + start.size();
    return whole.substr(from, whole.find(end, from) - from);
}
// The parameters of the address a redirect leads to.
inline json::object redirected(ServerResponse const& response) {
    std::string const location(response.headers.get("Location").value_or(""));
    json::object out;
    auto const query = location.find('?');
    std::string const fields = query == std::string::npos ? "" : location.substr(query + 1);
    auto const decoded = form_decode(fields).value();
    for (auto const& [name, value] : decoded) {
        out[name] = value;
    }
    return out;
}
inline json::object claims_of(std::string const& jwt) {
    auto const payload = base64url_decode(after(jwt, ".", '.')).value_or("");
    return parse_json(payload)->get_object();
}

struct Extra {
    std::string body = "", type = "", authorization = "";
    std::vector<HeaderField> headers = {};
};

class World : public ::testing::Test {
 protected:
    World() { restart(); }

    void restart(std::string state_file = "") {
        SandboxOptions options;
        options.origin = "http://127.0.0.1:3001";
        options.apps = {demo_app(callback, "s3cret"), databricks_cli_app()};
        options.state_file = std::move(state_file);
        sandbox = std::make_unique<Sandbox>(std::move(options), context.get_executor(), clock,
                                            random, timers);
    }

    ServerResponse send(std::string const& method, std::string const& target, Extra extra = {}) {
        auto request = ServerRequest::of(method, target);
        request.body = extra.body;
        request.headers = extra.headers;
        request.headers.push_back({"Host", "127.0.0.1:3001"});
        if (!extra.type.empty()) {
            request.headers.push_back({"content-type", extra.type});
        }
        if (!extra.authorization.empty()) {
            request.headers.push_back({"Authorization", extra.authorization});
        }
        return run_task(context, sandbox->handle(request));
    }
    ServerResponse get(std::string const& target) { return send("GET", target); }
    ServerResponse api(std::string const& target, std::string const& token) {
        return send("GET", target, {.authorization = "Bearer " + token});
    }
    ServerResponse form(std::string const& path, FormFields const& fields,
                        std::string const& authorization = "") {
        return send("POST", path,
                    {form_encode(fields), "application/x-www-form-urlencoded", authorization});
    }
    json::object control(std::string const& method, std::string const& path,
                         std::string const& body = "") {
        auto const response = send(method, "/_sandbox/" + path, {.body = body});
        EXPECT_EQ(response.status, 200) << response.body;
        return parsed(response);
    }

    FormFields request(std::string const& scope = "all-apis offline_access openid") const {
        return {{"response_type", "code"},
                {"client_id", "brickgate-demo"},
                {"redirect_uri", callback},
                {"scope", scope},
                {"state", "the-state"},
                {"nonce", "the-nonce"},
                {"code_challenge", base64url_encode(sha256(verifier))},
                {"code_challenge_method", "S256"}};
    }
    static FormFields with(FormFields fields, std::string const& name, std::string const& value) {
        std::erase_if(fields, [&](auto const& field) { return field.first == name; });
        if (!value.empty()) {
            fields.emplace_back(name, value);
        }
        return fields;
    }
    ServerResponse authorize(FormFields const& fields) {
        return get("/oidc/v1/authorize?" + form_encode(fields));
    }
    // Through both pages; gives what the app hears.
    json::object consent(FormFields const& fields, std::string const& answer = "approve",
                         std::string const& email = "ada@example.com") {
        auto const ticket = after(authorize(fields).body, "name=\"ticket\" value=\"", '"');
        form("/_sandbox/sign-in", {{"ticket", ticket}, {"email", email}});
        return redirected(form("/_sandbox/consent", {{"ticket", ticket}, {"answer", answer}}));
    }
    FormFields exchange(std::string const& code) const {
        return {{"grant_type", "authorization_code"},
                {"code", code},
                {"redirect_uri", callback},
                {"code_verifier", verifier}};
    }
    ServerResponse token(FormFields const& fields) {
        return form("/oidc/v1/token", fields, "Basic " + base64_encode("brickgate-demo:s3cret"));
    }
    json::object sign_in(std::string const& scope = "all-apis offline_access openid") {
        return parsed(token(exchange(text(consent(request(scope)), "code"))));
    }
    ServerResponse refresh(std::string const& refresh_token) {
        return token({{"grant_type", "refresh_token"}, {"refresh_token", refresh_token}});
    }
    json::object last_line() {
        auto const lines = control("GET", "log")["requests"].as_array();
        return lines.empty() ? json::object() : lines.back().as_object();
    }

    boost::asio::io_context context{1};
    testing::ManualClock clock;
    testing::SeededRandom random;
    testing::ManualTimers timers{clock};
    std::unique_ptr<Sandbox> sandbox;
};

}  // namespace brickgate::sandbox
