// SPDX-License-Identifier: Apache-2.0
#include "server/api.h"

#include <sodium.h>

#include "base/json.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "server/access.h"
#include "server/api_json.h"
#include "server/door.h"

namespace brickgate {

namespace {

Error unknown_connection() {
    return {ErrorCode::connection_unknown, "There is no connection with this id."};
}

TokenJson json_of(TokenView const& view, std::string_view text) {
    return {text,           view.token_type, view.fingerprint, view.scopes,
            view.workspace, view.expires_at, view.generation,  view.session_only};
}

// /v1/connections/{id}/token, without a copy; empty: another path.
std::string_view token_path_id(std::string_view path, std::string_view base) {
    constexpr std::string_view before = "/v1/connections/";
    constexpr std::string_view after = "/token";
    if (!path.starts_with(base)) {
        return {};
    }
    path.remove_prefix(base.size());
    if (!path.starts_with(before) || !path.ends_with(after)) {
        return {};
    }
    auto const id = path.substr(before.size(), path.size() - before.size() - after.size());
    return id.find('/') == std::string_view::npos ? id : std::string_view();
}

}  // namespace

Api::Api(Parts parts)
    : parts_(std::move(parts)),
      hits_(parts_.metrics.counter("brickgate_token_requests_total", "Token requests.",
                                   {{"source", "memory"}})),
      misses_(parts_.metrics.counter("brickgate_token_requests_total", "Token requests.",
                                     {{"source", "vault"}})) {}

void Api::add_to(Router& router) {
    auto const add = [&](std::string method, std::string pattern, RouteHandler handler) {
        bool const head = method == "GET";
        router.add({std::move(method), std::move(pattern), Audience::api, Visibility::private_,
                    head, std::move(handler)});
    };
    add("GET", "/v1/connections", [this](auto const& request, Params) { return list(request); });
    add("GET", "/v1/connections/{id}",
        [this](auto const& request, Params params) { return show(request, std::move(params)); });
    add("DELETE", "/v1/connections/{id}", [this](auto const& request, Params params) {
        return disconnect(request, std::move(params));
    });
    add("GET", "/v1/connections/{id}/token",
        [this](auto const& request, Params params) { return token(request, std::move(params)); });
    add("POST", "/v1/connections/{id}/token/rejected", [this](auto const& request, Params params) {
        return rejected(request, std::move(params));
    });
    add("GET", "/v1/connections/{id}/explain", [this](auto const& request, Params params) {
        return explained(request, std::move(params));
    });
    add("POST", "/v1/connections/{id}/refresh",
        [this](auto const& request, Params params) { return refresh(request, std::move(params)); });
    add("POST", "/v1/connections/{id}/release",
        [this](auto const& request, Params params) { return release(request, std::move(params)); });
    add("GET", "/v1/api-keys", [this](auto const& request, Params) { return list_keys(request); });
    add("POST", "/v1/api-keys",
        [this](auto const& request, Params) { return create_key(request); });
    add("DELETE", "/v1/api-keys/{id}", [this](auto const& request, Params params) {
        return revoke_key(request, std::move(params));
    });
    add("POST", "/v1/logins", [this](auto const& request, Params) { return begin_login(request); });
    add("POST", "/v1/logins/finish",
        [this](auto const& request, Params) { return finish_login(request); });
}

bool Api::token_from_memory(ServerRequest const& request, ResponseBuffer& out, Door& door) {
    if (request.method != "GET" || request.listener == ListenerKind::public_) {
        return false;
    }
    auto const id = token_path_id(request.path, parts_.settings.base_path);
    if (id.empty() || door.refuse_form(request)) {
        return false;
    }
    auto const caller = authorize(request, parts_.keys, right_token);
    if (!caller) {
        return false;
    }
    auto const min_valid = min_valid_of(request.query);
    if (!min_valid) {
        return false;
    }
    Time const now = parts_.clock.now();
    thread_local std::string body;
    bool const found =
        parts_.cache.use(ConnectionId(std::string(id)), now, *min_valid,
                         [&](CachedToken const& token, std::string_view text) {
                             write_token_json(body,
                                              {text, token.token_type, token.fingerprint,
                                               token.scopes, token.workspace, token.expires_at,
                                               token.generation, token.session_only},
                                              now);
                         });
    // Counted only where it is answered here: elsewhere the door counts it.
    bool const own = request.listener == ListenerKind::local_socket;
    bool const answered = found && (own || !door.refuse_caller(caller->key_id));
    if (answered) {
        out.send(200, json_header_lines, body);
        hits_.add();
    }
    sodium_memzero(body.data(), body.size());
    return answered;
}

Task<Result<Connection>> Api::find(std::string id) {
    auto task = parts_.vault.find(ConnectionId(std::move(id)));
    auto row = co_await run_on(parts_.control, std::move(task));
    if (!row) {
        co_return fail(std::move(row.error()));
    }
    if (!*row) {
        co_return fail(unknown_connection());
    }
    co_return std::move(**row);
}

Task<ServerResponse> Api::fresh_token(ConnectionId id, TokenWish wish) {
    auto task = parts_.refresher.token(std::move(id), wish);
    auto const view = co_await run_on(parts_.control, std::move(task));
    if (!view) {
        co_return error_response(view.error());
    }
    std::string body;
    view->access_token.expose([&](std::string_view text) {
        write_token_json(body, json_of(*view, text), parts_.clock.now());
    });
    co_return json_response(200, std::move(body));
}

Task<ServerResponse> Api::token(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_token);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const min_valid = min_valid_of(request.query);
    if (!min_valid) {
        co_return error_response(min_valid.error());
    }
    misses_.add();
    TokenWish wish;
    wish.min_valid = *min_valid;
    co_return co_await fresh_token(ConnectionId(std::string(params.get("id"))), wish);
}

Task<ServerResponse> Api::rejected(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_token);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const body = body_object(request.body.empty() ? "{}" : request.body);
    if (!body) {
        co_return error_response(body.error());
    }
    auto const row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    auto const fingerprint = string_at(*body, "fingerprint");
    auto const access_token = string_at(*body, "access_token");
    auto const generation = integer_at(*body, "generation");
    if (!fingerprint && !access_token && !generation) {
        co_return error_response(
            Error(ErrorCode::invalid_request,
                  "Say which token was rejected: fingerprint, generation or access_token."));
    }
    bool const current =
        (fingerprint && *fingerprint == row->current_fingerprint) ||
        (access_token && parts_.vault.fingerprint(*access_token) == row->current_fingerprint) ||
        (generation && static_cast<std::uint64_t>(*generation) == row->generation);
    TokenWish wish;
    if (current) {
        if (auto const wait = parts_.forced.refuse(row->id, row->generation)) {
            co_return error_response(
                Error(ErrorCode::rate_limited,
                      "This connection's token was refreshed just now; the one that it has is as "
                      "good as any.")
                    .with_retry_after(*wait));
        }
        wish.newer_than =
            row->generation;  // any other token is old news: the current one is the answer
    }
    co_return co_await fresh_token(row->id, wish);
}

}  // namespace brickgate
