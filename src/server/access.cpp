// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include <unistd.h>

namespace brickgate {

namespace {

std::optional<std::string_view> bearer(ServerRequest const& request) {
    auto const values = request.header_values("Authorization");
    if (values.size() != 1) {
        return std::nullopt;  // two would be read differently by different readers
    }
    auto const value = values.front();
    if (value.size() < 8 || !equals_ignoring_case(value.substr(0, 7), "Bearer ")) {
        return std::nullopt;
    }
    return value.substr(7);
}

}  // namespace

Result<Caller> authorize(ServerRequest const& request, ApiKeys const& keys,
                         std::string_view right) {
    std::optional<Caller> caller;
    if (request.listener == ListenerKind::local_socket) {
        bool const ours =
            request.peer_uid && (*request.peer_uid == geteuid() || *request.peer_uid == 0);
        if (ours) {
            caller = Caller{"local", "default", "local", {"admin"}};
        }
    } else if (auto const key = bearer(request)) {
        caller = keys.verify(*key);
    }
    if (!caller) {
        return fail(ErrorCode::unauthorized, "This route needs an API key.");
    }
    if (!caller->may(right)) {
        return fail(ErrorCode::forbidden,
                    "This key does not have the right " + std::string(right) + ".");
    }
    return std::move(*caller);
}

}  // namespace brickgate
