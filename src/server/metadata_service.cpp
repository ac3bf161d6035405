// SPDX-License-Identifier: Apache-2.0
#include "server/metadata_service.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "databricks/workspace.h"
#include "net/address_guard.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "server/access.h"
#include "server/api_json.h"
#include "server/host_guard.h"

namespace brickgate {

namespace {

constexpr std::string_view version_header = "X-Databricks-Metadata-Version";
constexpr std::string_view host_header = "X-Databricks-Host";
constexpr std::string_view version = "1";
constexpr std::array<std::string_view, 2> default_ports{"80", "443"};
// Who speaks for somebody else says so in one of these (RFC 7239, RFC 9110 7.6.3, and what web
// servers, load balancers and delivery networks have of their own).
constexpr std::array<std::string_view, 13> proxy_headers{"Forwarded",
                                                         "Forwarded-For",
                                                         "X-Real-IP",
                                                         "Via",
                                                         "X-Client-IP",
                                                         "X-Original-For",
                                                         "X-Original-Host",
                                                         "X-Cluster-Client-IP",
                                                         "CF-Connecting-IP",
                                                         "True-Client-IP",
                                                         "Fastly-Client-IP",
                                                         "Fly-Client-IP",
                                                         "X-Envoy-External-Address"};
constexpr std::string_view forwarded_family = "X-Forwarded";

// Every browser that has Sec-Fetch-* sends Sec-Fetch-Site. Node's fetch sends "Sec-Fetch-Mode:
// cors" and nothing else of them.
bool is_browsers(HeaderField const& field) {
    constexpr std::string_view fetch = "Sec-Fetch-";
    if (equals_ignoring_case(field.name, "Sec-Fetch-Mode")) {
        return field.value != "cors";
    }
    return equals_ignoring_case(field.name, "Origin") ||
           equals_ignoring_case(field.name.substr(0, fetch.size()), fetch);
}

bool is_proxys(std::string_view name) {
    return equals_ignoring_case(name.substr(0, forwarded_family.size()), forwarded_family) ||
           std::ranges::any_of(proxy_headers,
                               [&](auto known) { return equals_ignoring_case(name, known); });
}

bool has_own_host(ServerRequest const& request, std::vector<std::string> const& ports) {
    auto const hosts = request.header_values("Host");
    if (hosts.size() != 1) {
        return false;
    }
    auto const host = HostAndPort::parse(hosts.front());
    if (host.name != "localhost" && host.name != "127.0.0.1") {
        return false;
    }
    return std::ranges::any_of(ports, [&](auto const& port) {
        if (host.port.empty()) {  // as clients write the scheme's own
            return std::ranges::find(default_ports, port) != default_ports.end();
        }
        return host.port == port;
    });
}

// One header with that name; nullopt: none, or two that could be read in two ways.
std::optional<std::string_view> single(ServerRequest const& request, std::string_view name) {
    auto const values = request.header_values(name);
    return values.size() == 1 ? std::optional(values.front()) : std::nullopt;
}

ServerResponse token_answer(TokenView const& view, std::optional<Time> not_after) {
    // Who keeps the token until then asks again when the capability has ended.
    Time const until = std::min(view.expires_at, not_after.value_or(view.expires_at));
    json::object out;
    view.access_token.expose([&](std::string_view text) { out["access_token"] = text; });
    out["token_type"] = "Bearer";
    // A number: Python's SDK takes nothing else (facts, trap 13).
    out["expires_on"] = std::chrono::floor<Seconds>(until).time_since_epoch().count();
    return json_answer(out);
}

}  // namespace

std::optional<Error> refuse_stranger(ServerRequest const& request,
                                     std::vector<std::string> const& ports) {
    for (auto const& field : request.headers) {
        if (is_browsers(field)) {
            return Error(ErrorCode::browser_refused,
                         "The metadata service is for programs, not for pages in a browser.");
        }
    }
    if (request.listener == ListenerKind::local_socket) {
        return is_own_process(request)
                   ? std::nullopt
                   : std::optional(Error(ErrorCode::misdirected_request,
                                         "This socket is for processes of its owner."));
    }
    auto const peer = IpAddress::parse(request.peer_address);
    bool const forwarded = std::ranges::any_of(
        request.headers, [](auto const& field) { return is_proxys(field.name); });
    if (!peer || !peer->is_loopback() || forwarded) {
        return Error(ErrorCode::misdirected_request,
                     "The metadata service is for programs of this machine, without a proxy "
                     "between.");
    }
    if (!has_own_host(request, ports)) {
        return Error(ErrorCode::misdirected_request,
                     "The metadata service answers to localhost and 127.0.0.1 with its port only.");
    }
    return std::nullopt;
}

bool names_workspace(std::string_view given, std::string_view workspace) {
    auto const typed = TypedHost::parse(given);
    return typed && typed->origin() == workspace;
}

void MetadataService::add_to(Router& router) {
    auto const add = [&](std::string method, std::string pattern, RouteHandler handler) {
        router.add({std::move(method), std::move(pattern), Audience::api, Visibility::private_,
                    false, std::move(handler)});
    };
    add("GET", "/m/{capability}", [this](auto const& request, PathParams params) {
        return token(request, std::move(params));
    });
    add("GET", "/.well-known/databricks-config",
        [this](auto const&, PathParams) { return configuration(); });
}

Task<ServerResponse> MetadataService::token(ServerRequest const& request, PathParams params) {
    if (auto const stranger = refuse_stranger(request, ports_)) {
        co_return error_response(*stranger);
    }
    if (single(request, version_header) != version) {
        co_return error_response(Error(ErrorCode::metadata_version_unsupported,
                                       "X-Databricks-Metadata-Version must be 1."));
    }
    auto const capability = parts_.capabilities.verify(params.get("capability"));
    if (!capability) {
        co_return error_response(
            Error(ErrorCode::unauthorized,
                  "The capability in the address is none of ours, or it has ended.")
                .with_hint("Make one with brickgate capabilities create."));
    }
    if (capability->limited()) {
        co_return error_response(
            Error(ErrorCode::capability_denied,
                  "A token would reach more than the methods and paths of this capability.")
                .with_hint("Call through the proxy with it, or make one without such limits."));
    }
    auto task = parts_.tokens.token(capability->connection, TokenWish{});
    auto const view = co_await run_on(parts_.control, std::move(task));
    if (!view) {
        co_return error_response(view.error());
    }
    auto const host = single(request, host_header);
    if (!host || !names_workspace(*host, view->workspace)) {
        co_return error_response(
            Error(ErrorCode::metadata_host_mismatch,
                  "X-Databricks-Host is not the workspace of this capability."));
    }
    co_return token_answer(*view, capability->not_after);
}

Task<ServerResponse> MetadataService::configuration() {
    json::object out;
    out["oidc_endpoint"] = parts_.settings.public_url + "/oidc";
    out["host_type"] = "workspace";
    co_return json_answer(out);
}

std::optional<Error> sign_in_is_ours(std::string_view path, std::string_view base_path) {
    if (path.starts_with(base_path)) {
        path.remove_prefix(base_path.size());
    }
    if (path != "/oidc" && !path.starts_with("/oidc/")) {
        return std::nullopt;
    }
    return Error(ErrorCode::not_found,
                 "Sign-in is done by Brickgate: people open its /auth, programs bring a "
                 "capability as their token.")
        .with_hint(
            "Leave client id and secret out of the SDK's settings; set the token, or "
            "DATABRICKS_METADATA_SERVICE_URL.");
}

}  // namespace brickgate
