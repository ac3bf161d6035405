// SPDX-License-Identifier: Apache-2.0
#include "server/service_principals_api.h"

#include "base/json.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "server/access.h"
#include "server/api_json.h"

namespace brickgate {

namespace {

// The body's text and the document made of it held the secret too; both are the session's, which
// wipes what it read.
Secret secret_in(json::object const& body) {
    return Secret::copy_of(string_at(body, "client_secret").value_or(""));
}

}  // namespace

void ServicePrincipalsApi::add_to(Router& router) {
    auto const add = [&](std::string method, std::string pattern, RouteHandler handler) {
        router.add({std::move(method), std::move(pattern), Audience::api, Visibility::private_,
                    false, std::move(handler)});
    };
    add("POST", "/v1/service-principals",
        [this](auto const& request, PathParams) { return connect(request); });
    add("POST", "/v1/service-principals/{id}/secrets",
        [this](auto const& request, PathParams p) { return add_secret(request, std::move(p)); });
    add("DELETE", "/v1/service-principals/{id}/secrets/older",
        [this](auto const& request, PathParams p) { return drop_older(request, std::move(p)); });
}

ServerResponse ServicePrincipalsApi::answer(Result<Connection> const& row, int status) const {
    if (!row) {
        return error_response(row.error());
    }
    parts_.on_connected(*row);
    return json_response(status, json::serialize(connection_json(*row)));
}

Task<ServerResponse> ServicePrincipalsApi::connect(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const body = body_object(request.body);
    if (!body) {
        co_return error_response(body.error());
    }
    auto const scopes = Scopes::parse(string_at(*body, "scopes").value_or(""));
    if (!scopes) {
        co_return error_response(
            Error(ErrorCode::invalid_request, "scopes are words with spaces between them."));
    }
    ServicePrincipals::Wish wish;
    wish.workspace = string_at(*body, "workspace").value_or("");
    wish.client_id = string_at(*body, "client_id").value_or("");
    wish.client_secret = secret_in(*body);
    wish.scopes = *scopes;
    wish.subject = string_at(*body, "subject").value_or("");
    auto task = parts_.principals.connect(std::move(wish));
    co_return answer(co_await run_on(parts_.control, std::move(task)), 201);
}

Task<ServerResponse> ServicePrincipalsApi::add_secret(ServerRequest const& request,
                                                      PathParams params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const body = body_object(request.body);
    if (!body) {
        co_return error_response(body.error());
    }
    auto task =
        parts_.principals.add_secret(ConnectionId(std::string(params.get("id"))), secret_in(*body));
    co_return answer(co_await run_on(parts_.control, std::move(task)), 200);
}

Task<ServerResponse> ServicePrincipalsApi::drop_older(ServerRequest const& request,
                                                      PathParams params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto task = parts_.principals.drop_older_secret(ConnectionId(std::string(params.get("id"))));
    co_return answer(co_await run_on(parts_.control, std::move(task)), 200);
}

}  // namespace brickgate
