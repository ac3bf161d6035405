// SPDX-License-Identifier: Apache-2.0
// What only an administrator does: API keys, and sign-ins from a terminal of this machine.
#include <algorithm>
#include <array>

#include "base/json.h"
#include "connect/login.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "server/access.h"
#include "server/api.h"
#include "server/api_json.h"

namespace brickgate {

namespace {

// A limit that is misspelt would be none.
constexpr std::array<std::string_view, 3> key_members{"name", "rights", "expires_in"};
constexpr Seconds key_life_max = std::chrono::days(3650);  // longer ones are ended by revoking

// Where a command of this machine waits for the browser: the form that the public client has
// registered (databricks-facts 2.1).
bool is_terminals(std::string_view redirect_uri) {
    constexpr std::string_view start = "http://localhost:";
    if (!redirect_uri.starts_with(start)) {
        return false;
    }
    auto const port = redirect_uri.substr(start.size());
    bool const digits = !port.empty() && port.size() <= 5 &&
                        port.find_first_not_of("0123456789") == std::string_view::npos;
    return digits && std::stoi(std::string(port)) <= 65535;
}

}  // namespace

Task<ServerResponse> Api::list_keys(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    json::object out;
    json::array items;
    for (auto const& row : parts_.keys.list()) {
        items.push_back(api_key_json(row));
    }
    out["items"] = std::move(items);
    co_return json_answer(out);
}

Task<ServerResponse> Api::create_key(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const body = body_object(request.body);
    if (!body) {
        co_return error_response(body.error());
    }
    for (auto const& member : *body) {
        if (std::ranges::find(key_members, std::string_view(member.key())) == key_members.end()) {
            co_return error_response(
                Error(ErrorCode::invalid_request,
                      "A key has name, rights and expires_in; the body has something else."));
        }
    }
    auto const name = string_at(*body, "name");
    auto const* const list = array_at(*body, "rights");
    if (!name || name->empty() || !list) {
        co_return error_response(
            Error(ErrorCode::invalid_request, "A key needs a name and a list of rights."));
    }
    std::vector<std::string> rights;
    for (auto const& right : *list) {
        if (!right.is_string()) {
            co_return error_response(Error(ErrorCode::invalid_request, "A right is a word."));
        }
        rights.emplace_back(right.get_string());
    }
    std::optional<Time> not_after;
    if (body->contains("expires_in")) {  // what is not understood would be a key without an end
        auto const seconds = integer_at(*body, "expires_in").value_or(0);
        if (seconds < 1 || Seconds(seconds) > key_life_max) {
            co_return error_response(
                Error(ErrorCode::invalid_request,
                      "expires_in is a number of seconds from now, ten years at most."));
        }
        not_after = parts_.clock.now() + Seconds(seconds);
    }
    auto task = parts_.keys.create(std::string(*name), std::move(rights), not_after);
    auto const created = co_await run_on(parts_.control, std::move(task));
    if (!created) {
        co_return error_response(created.error());
    }
    auto out = api_key_json(created->row);
    created->key.expose([&](std::string_view key) { out["key"] = key; });
    co_return json_answer(out, 201);
}

Task<ServerResponse> Api::revoke_key(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto task = parts_.keys.revoke(std::string(params.get("id")));
    auto const revoked = co_await run_on(parts_.control, std::move(task));
    if (!revoked) {
        co_return error_response(revoked.error());
    }
    if (!*revoked) {
        co_return error_response(
            Error(ErrorCode::not_found, "There is no such key, or it was revoked before."));
    }
    json::object out;
    out["id"] = params.get("id");
    out["revoked"] = true;
    co_return json_answer(out);
}

Task<ServerResponse> Api::begin_login(ServerRequest const& request) {
    // Only for a person at a terminal of this machine: the code will come to a loopback address of
    // theirs.
    bool const local = request.listener == ListenerKind::local_socket;
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!local || !caller) {
        co_return error_response(Error(ErrorCode::not_found, "There is nothing here."));
    }
    auto const body = body_object(request.body);
    if (!body) {
        co_return error_response(body.error());
    }
    auto const redirect_uri = string_at(*body, "redirect_uri").value_or("");
    if (!is_terminals(redirect_uri)) {
        co_return error_response(
            Error(ErrorCode::invalid_request, "redirect_uri is http://localhost and a port."));
    }
    LoginWish wish;
    wish.workspace = string_at(*body, "workspace").value_or("");
    wish.subject = string_at(*body, "subject").value_or("");
    wish.redirect_uri = RedirectUri(std::string(redirect_uri));
    auto task = parts_.login.begin(parts_.terminal, std::move(wish));
    auto const start = co_await run_on(parts_.control, std::move(task));
    if (!start) {
        co_return error_response(start.error());
    }
    json::object out;
    out["authorize_url"] = start->authorize_url;
    out["workspace"] = start->workspace;
    start->cookie_value.expose([&](std::string_view text) { out["cookie"] = text; });
    co_return json_answer(out);
}

Task<ServerResponse> Api::finish_login(ServerRequest const& request) {
    bool const local = request.listener == ListenerKind::local_socket;
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!local || !caller) {
        co_return error_response(Error(ErrorCode::not_found, "There is nothing here."));
    }
    auto const body = body_object(request.body);
    if (!body) {
        co_return error_response(body.error());
    }
    std::string const cookie(string_at(*body, "cookie").value_or(""));
    auto lookup = [cookie](std::string const&) -> Result<PresentedCookie> {
        return PresentedCookie{cookie, std::nullopt};
    };
    auto task = parts_.login.finish(std::string(string_at(*body, "query").value_or("")), lookup);
    auto const finished = co_await run_on(parts_.control, std::move(task));
    if (!finished) {
        co_return error_response(finished.error().error);
    }
    parts_.refresher.replaced(finished->connection);
    co_return json_answer(connection_json(finished->connection));
}

}  // namespace brickgate
