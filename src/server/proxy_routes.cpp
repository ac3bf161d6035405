// SPDX-License-Identifier: Apache-2.0
#include "server/proxy_routes.h"

#include <algorithm>

#include "net/error_response.h"
#include "proxy/target_rules.h"
#include "server/access.h"

namespace brickgate {

namespace {

constexpr std::string_view before_id = "/v1/connections/";
constexpr std::string_view after_id = "/proxy/";

// The same for none, a wrong one, one that ended, and one of another connection.
Error not_good() {
    return Error(ErrorCode::unauthorized, "This call needs a capability that is good here.")
        .with_hint(
            "Send Authorization: Bearer bgc_...; make one with brickgate capabilities "
            "create.");
}

Result<void> check_limits(Capability const& capability, ServerRequest const& request,
                          std::string_view target) {
    auto const& methods = capability.methods;
    if (!methods.empty() && std::ranges::find(methods, request.method) == methods.end()) {
        return fail(ErrorCode::capability_denied, "This capability does not have the method " +
                                                      std::string(request.method) + ".");
    }
    // What is compared is what is sent: the rules of the path come first.
    auto const checked = check_target(target);
    if (!checked) {
        return fail(checked.error());
    }
    bool const within =
        capability.paths.empty() || std::ranges::any_of(capability.paths, [&](auto const& prefix) {
            return path_within(checked->path(), prefix);
        });
    if (!within) {
        return fail(ErrorCode::capability_denied, "This capability does not reach that path.");
    }
    return {};
}

}  // namespace

void ProxyRoutes::add_to(Streams& streams) {
    streams.add([this](ServerRequest const& request) { return way_of(request).has_value(); },
                [this](Exchange& exchange) { return handle(exchange); });
}

std::optional<ProxyRoutes::Way> ProxyRoutes::way_of(ServerRequest const& request) const {
    if (request.listener == ListenerKind::public_) {
        return std::nullopt;
    }
    std::string_view target = request.target;
    auto const& base = parts_.settings.base_path;
    if (!base.empty() && target.starts_with(base) && target.substr(base.size()).starts_with('/')) {
        target.remove_prefix(base.size());
    }
    if (is_proxied_path(target.substr(0, target.find('?')))) {
        return Way{{}, target};
    }
    if (!target.starts_with(before_id)) {
        return std::nullopt;
    }
    auto const rest = target.substr(before_id.size());
    auto const id_end = rest.find('/');
    if (id_end == std::string_view::npos || !rest.substr(id_end).starts_with(after_id)) {
        return std::nullopt;
    }
    return Way{rest.substr(0, id_end), rest.substr(id_end + after_id.size() - 1)};
}

Result<ConnectionId> ProxyRoutes::authorize_call(ServerRequest const& request,
                                                 Way const& way) const {
    auto const bearer = bearer_of(request);
    if (bearer && Capabilities::looks_like_one(*bearer)) {
        auto const capability = parts_.capabilities.verify(*bearer);
        bool const of_this_connection =
            capability &&
            (way.connection.empty() || capability->connection.value() == way.connection);
        if (!of_this_connection) {
            return fail(not_good());
        }
        if (auto const limits = check_limits(*capability, request, way.target); !limits) {
            return fail(limits.error());
        }
        return capability->connection;
    }
    if (way.connection.empty()) {
        return fail(not_good());
    }
    auto const caller = authorize(request, parts_.keys, right_proxy);
    if (!caller) {
        return fail(caller.error());
    }
    return ConnectionId(std::string(way.connection));
}

Task<void> ProxyRoutes::handle(Exchange& exchange) {
    auto const& request = exchange.request();
    std::optional<Error> refused;  // the door has let it in already (Gateway::stream)
    auto way = way_of(request);
    Result<ConnectionId> connection = ConnectionId();
    if (way) {
        connection = authorize_call(request, *way);
        if (!connection) {
            refused = connection.error();
            if (refused->code() == ErrorCode::unauthorized) {
                if (auto guess = parts_.door.refuse_guess(request)) {
                    refused = std::move(guess);
                }
            }
        }
    }
    if (refused || !way) {
        auto response = error_response(refused ? *refused : Error(ErrorCode::not_found, "Gone."));
        (void)co_await exchange.answer(std::move(response));
        co_return;
    }
    auto still_allowed = [this, &request]() -> Result<void> {
        auto const now = way_of(request);
        auto const allowed = now ? authorize_call(request, *now) : fail(not_good());
        return allowed ? Result<void>{} : fail(allowed.error());
    };
    co_await parts_.proxy.forward(exchange, std::move(*connection), std::string(way->target),
                                  std::move(still_allowed));
}

}  // namespace brickgate
