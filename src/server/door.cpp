// SPDX-License-Identifier: Apache-2.0
#include "server/door.h"

#include "base/encoding.h"
#include "net/address_guard.h"
#include "server/host_guard.h"

namespace brickgate {

namespace {

// Our own commands on the local socket are not web pages.
bool is_unlabelled_json(ServerRequest const& request, std::string_view base_path) {
    auto path = request.path;
    path.remove_prefix(path.starts_with(base_path) ? base_path.size() : 0);
    bool const judged = !request.body.empty() && path.starts_with("/v1/") &&
                        request.listener != ListenerKind::local_socket;
    return judged && media_type(request.header("Content-Type").value_or("")) != "application/json";
}

// What a page of any site can have the browsers of its visitors send, to this machine too. Behind a
// web server of this machine it may be anybody's browser, and the server's word for whose is not
// known here.
bool is_sent_by_another_site(ServerRequest const& request) {
    return request.header("Sec-Fetch-Site") == "cross-site" && !request.header("X-Forwarded-For");
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

// By the path as the router reads it: an escaped letter is the same page.
std::optional<InboundClass> Door::class_of_page(ServerRequest const& request) const {
    auto path = request.path;
    if (path.starts_with(parts_.settings.base_path)) {
        path.remove_prefix(parts_.settings.base_path.size());
    }
    auto const decoded = percent_decode(path);
    if (decoded == "/auth") {
        return InboundClass::login;
    }
    if (decoded == parts_.settings.callback_path) {
        return InboundClass::callback;
    }
    return std::nullopt;
}

std::optional<Error> Door::refuse_page(ServerRequest const& request, std::string_view client) {
    auto const page = class_of_page(request);
    bool const counts = !is_this_machine(client) || is_sent_by_another_site(request);
    return page && counts ? limited(*page, client) : std::nullopt;
}

std::optional<std::string> Door::verified_id(ServerRequest const& request) const {
    auto const bearer = bearer_of(request);
    if (!bearer) {
        return std::nullopt;
    }
    if (auto const capability = parts_.capabilities.verify(*bearer)) {
        return capability->id;
    }
    auto const caller = parts_.keys.verify(*bearer);
    return caller ? std::optional(caller->key_id) : std::nullopt;
}

std::optional<Error> Door::refuse_caller(std::string_view verified_id) {
    return limited(InboundClass::api_key, verified_id);
}

std::optional<Error> Door::refuse_form(ServerRequest const& request) {
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
    return std::nullopt;
}

std::optional<Error> Door::refuse(ServerRequest const& request) {
    if (auto refused = refuse_form(request)) {
        return refused;
    }
    auto const client = parts_.proxies.client_of(request);
    if (auto refused = refuse_page(request, client)) {
        return refused;
    }
    if (auto const id = verified_id(request)) {
        return refuse_caller(*id);
    }
    return is_this_machine(client) ? std::nullopt : limited(InboundClass::address, client);
}

std::optional<Error> Door::refuse_guess(ServerRequest const& request) {
    auto const client = parts_.proxies.client_of(request);
    return is_this_machine(client) ? std::nullopt
                                   : limited(InboundClass::failed_authentication, client);
}

}  // namespace brickgate
