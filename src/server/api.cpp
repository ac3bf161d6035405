// SPDX-License-Identifier: Apache-2.0
#include "server/api.h"

#include <sodium.h>

#include "base/json.h"
#include "base/log.h"
#include "connect/login.h"
#include "events/event.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "server/access.h"
#include "server/api_json.h"

namespace brickgate {

namespace {

constexpr std::size_t page_size = 100;
constexpr std::size_t page_size_max = 1000;
constexpr std::size_t events_shown = 20;
constexpr std::string_view right_token = "token:read";
constexpr std::string_view right_connections = "connections";
constexpr std::string_view right_admin = "admin";

Error unknown_connection() {
    return {ErrorCode::connection_unknown, "There is no connection with this id."};
}

ServerResponse answer(json::object const& document, int status = 200) {
    return json_response(status, json::serialize(document));
}

TokenJson json_of(TokenView const& view, std::string_view text) {
    return {text,           view.token_type, view.fingerprint, view.scopes,
            view.workspace, view.expires_at, view.generation,  view.session_only};
}

Result<ConnectionFilter> filter_of(std::string_view query) {
    auto const fields = form_decode(query);
    if (!fields) {
        return fail(ErrorCode::invalid_request, "The query has a broken escape.");
    }
    ConnectionFilter filter;
    filter.subject = query_value(*fields, "subject");
    filter.workspace = query_value(*fields, "workspace");
    filter.after = query_value(*fields, "cursor").value_or("");
    if (auto const status = query_value(*fields, "status")) {
        filter.state = connection_state_from(*status);
        if (!filter.state) {
            return fail(ErrorCode::invalid_request, "There is no such status.");
        }
    }
    auto const limit = query_value(*fields, "limit").value_or(std::to_string(page_size));
    bool const digits = !limit.empty() && limit.size() <= 4 &&
                        limit.find_first_not_of("0123456789") == std::string::npos;
    filter.limit = digits ? std::stoul(limit) : 0;
    if (filter.limit < 1 || filter.limit > page_size_max) {
        return fail(ErrorCode::invalid_request, "limit is a number from 1 to 1000.");
    }
    return filter;
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

bool Api::token_from_memory(ServerRequest const& request, ResponseBuffer& out) {
    if (request.method != "GET" || request.listener == ListenerKind::public_) {
        return false;
    }
    auto const id = token_path_id(request.path, parts_.settings.base_path);
    if (id.empty() || !authorize(request, parts_.keys, right_token)) {
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
    if (!found) {
        return false;
    }
    out.send(200, json_header_lines, body);
    sodium_memzero(body.data(), body.size());
    hits_.add();
    return true;
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
    auto const body = body_object(request.body);
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
        wish.newer_than =
            row->generation;  // any other token is old news: the current one is the answer
    }
    co_return co_await fresh_token(row->id, wish);
}

Task<ServerResponse> Api::list(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto filter = filter_of(request.query);
    if (!filter) {
        co_return error_response(filter.error());
    }
    std::vector<Connection> rows;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto found = store.list_connections(*filter);
        if (!found) {
            return fail(found.error());
        }
        rows = std::move(*found);
        return {};
    };
    auto task = parts_.vault.transact(job);
    auto const ran = co_await run_on(parts_.control, std::move(task));
    if (!ran) {
        co_return error_response(ran.error());
    }
    json::object out;
    json::array items;
    for (auto const& row : rows) {
        items.push_back(connection_json(row));
    }
    out["items"] = std::move(items);
    bool const more = rows.size() == filter->limit;
    out["next_cursor"] = more ? json::value(rows.back().id.value()) : json::value(nullptr);
    co_return answer(out);
}

Task<ServerResponse> Api::show(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    co_return answer(connection_json(*row));
}

Task<ServerResponse> Api::explained(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    std::vector<EventRow> events;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto found = store.events_of(row->id, events_shown);
        if (!found) {
            return fail(found.error());
        }
        events = std::move(*found);
        return {};
    };
    auto task = parts_.vault.transact(job);
    auto const ran = co_await run_on(parts_.control, std::move(task));
    if (!ran) {
        co_return error_response(ran.error());
    }
    auto const explanation = explain(
        *row, parts_.refresher.gatekeeper().fault_of(row->registration), parts_.clock.now());
    co_return answer(explanation_json(*row, explanation, events));
}

Task<ServerResponse> Api::refresh(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    auto task = parts_.refresher.refresh(row->id, row->generation);
    auto const fresh = co_await run_on(parts_.control, std::move(task));
    if (!fresh) {
        co_return error_response(fresh.error());
    }
    co_return answer(connection_json(*fresh));
}

Task<ServerResponse> Api::disconnect(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    std::vector<EventRow> events{connection_disconnected(parts_.clock.now(), *row)};
    auto task = parts_.vault.disconnect(row->id, std::move(events));
    auto const ended = co_await run_on(parts_.control, std::move(task));
    if (!ended) {
        co_return error_response(ended.error());
    }
    parts_.cache.end(row->id, row->family);
    log(LogLevel::info, "disconnected", "A connection was ended and its tokens erased.",
        {{"connection", row->id.value()}, {"caller", caller->key_id}});
    json::object out;
    out["id"] = row->id.value();
    out["status"] = "disconnected";
    // databricks-facts 1.5: no workspace names a revocation endpoint.
    out["upstream"] = "not_supported";
    out["end_the_grant_at"] = row->workspace + "/settings/user/developer/linked-apps";
    co_return answer(out);
}

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
    co_return answer(out);
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
    if (auto const seconds = integer_at(*body, "expires_in")) {
        if (*seconds <= 0) {
            co_return error_response(
                Error(ErrorCode::invalid_request, "expires_in is seconds from now."));
        }
        not_after = parts_.clock.now() + Seconds(*seconds);
    }
    auto task = parts_.keys.create(std::string(*name), std::move(rights), not_after);
    auto const created = co_await run_on(parts_.control, std::move(task));
    if (!created) {
        co_return error_response(created.error());
    }
    auto out = api_key_json(created->row);
    created->key.expose([&](std::string_view key) { out["key"] = key; });
    co_return answer(out, 201);
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
    co_return answer(out);
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
    LoginWish wish;
    wish.workspace = string_at(*body, "workspace").value_or("");
    wish.subject = string_at(*body, "subject").value_or("");
    wish.redirect_uri = RedirectUri(std::string(string_at(*body, "redirect_uri").value_or("")));
    auto task = parts_.login.begin(parts_.terminal, std::move(wish));
    auto const start = co_await run_on(parts_.control, std::move(task));
    if (!start) {
        co_return error_response(start.error());
    }
    json::object out;
    out["authorize_url"] = start->authorize_url;
    out["workspace"] = start->workspace;
    start->cookie_value.expose([&](std::string_view text) { out["cookie"] = text; });
    co_return answer(out);
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
    auto lookup = [cookie](std::string const&) -> Result<std::optional<std::string>> {
        return cookie;
    };
    auto task = parts_.login.finish(std::string(string_at(*body, "query").value_or("")), lookup);
    auto const finished = co_await run_on(parts_.control, std::move(task));
    if (!finished) {
        co_return error_response(finished.error().error);
    }
    parts_.refresher.forget(finished->connection.id);
    co_return answer(connection_json(finished->connection));
}

}  // namespace brickgate
