// SPDX-License-Identifier: Apache-2.0
#include "server/door.h"

#include "net/address_guard.h"
#include "server/host_guard.h"

namespace brickgate {

namespace {

// The public id inside "bg_<id>_<secret>" or "bgc_<id>_<secret>": not verified, and cheap to make
// up; a made-up one fails authentication, which is counted by address.
std::string_view public_id(std::string_view bearer) {
    auto const begin = bearer.find('_');
    if (begin == std::string_view::npos || !bearer.starts_with("bg")) {
        return {};
    }
    auto const end = bearer.find('_', begin + 1);
    return end == std::string_view::npos ? std::string_view()
                                         : bearer.substr(begin + 1, end - begin - 1);
}

// Our own commands on the local socket are not web pages.
bool is_unlabelled_json(ServerRequest const& request, std::string_view base_path) {
    auto path = request.path;
    path.remove_prefix(path.starts_with(base_path) ? base_path.size() : 0);
    bool const judged = !request.body.empty() && path.starts_with("/v1/") &&
                        request.listener != ListenerKind::local_socket;
    return judged && media_type(request.header("Content-Type").value_or("")) != "application/json";
}

bool is_this_machine(std::string_view address) {
    auto const parsed = IpAddress::parse(address);
    return address.empty() || (parsed && parsed->is_loopback());
}

}  // namespace

Door::Door(Parts parts)
    : parts_(parts),
      refused_(parts_.metrics.counter("brickgate_inbound_refused_total",
                                      "Requests that came too often.")) {}

std::optional<Error> Door::limited(InboundClass kind, std::string_view name) {
    auto const wait = parts_.limits.check(kind, name, parts_.clock.steady());
    if (!wait) {
        return std::nullopt;
    }
    refused_.add();
    return Error(ErrorCode::rate_limited, "Too many requests.").with_retry_after(*wait);
}

std::optional<InboundClass> Door::class_of_page(ServerRequest const& request) const {
    auto path = request.path;
    if (path.starts_with(parts_.settings.base_path)) {
        path.remove_prefix(parts_.settings.base_path.size());
    }
    if (path == "/auth") {
        return InboundClass::login;
    }
    if (path == parts_.settings.callback_path) {
        return InboundClass::callback;
    }
    return std::nullopt;
}

std::optional<Error> Door::refuse(ServerRequest const& request) {
    if (!is_ours(request, parts_.settings.host_names)) {
        return Error(ErrorCode::misdirected_request,
                     "This gateway does not go by the name that the request was sent to.");
    }
    if (auto leaked = parts_.url_keys.refuse(request)) {
        return leaked;
    }
    if (is_unlabelled_json(request, parts_.settings.base_path)) {
        return Error(ErrorCode::unsupported_media_type,
                     "A body of this API is application/json, and says so.");
    }
    auto const bearer = bearer_of(request);
    auto const id = bearer ? public_id(*bearer) : std::string_view();
    if (!id.empty()) {
        return limited(InboundClass::api_key, id);
    }
    auto const client = parts_.proxies.client_of(request);
    if (is_this_machine(client)) {
        return std::nullopt;
    }
    if (auto const page = class_of_page(request)) {
        if (auto refused = limited(*page, client)) {
            return refused;
        }
    }
    return limited(InboundClass::address, client);
}

std::optional<Error> Door::refuse_guess(ServerRequest const& request) {
    auto const client = parts_.proxies.client_of(request);
    return is_this_machine(client) ? std::nullopt
                                   : limited(InboundClass::failed_authentication, client);
}

}  // namespace brickgate
