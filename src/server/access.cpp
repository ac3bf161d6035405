// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/encoding.h"
#include "base/log.h"

namespace brickgate {

namespace {

constexpr std::string_view shared_prefix = "bg";  // of keys and of capabilities

std::vector<std::string_view> bearers_in(std::string_view text) {
    std::vector<std::string_view> found;
    for (auto at = text.find(shared_prefix); at != std::string_view::npos;
         at = text.find(shared_prefix, at + 1)) {
        auto const key = text.substr(at, ApiKeys::characters);
        auto const capability = text.substr(at, Capabilities::characters);
        if (ApiKeys::looks_like_one(key)) {
            found.push_back(key);
        } else if (Capabilities::looks_like_one(capability)) {
            found.push_back(capability);
        }
    }
    return found;
}

bool may_hold_one(std::string_view text) {  // before anything is copied: most addresses hold none
    return text.find(shared_prefix) != std::string_view::npos ||
           text.find('%') != std::string_view::npos;
}

// Whoever stands behind us may decode once more than we do.
std::string decoded_to_the_end(std::string_view text) {
    constexpr int times_max = 8;
    std::string out(text);
    for (int i = 0; i < times_max && out.find('%') != std::string::npos; ++i) {
        auto decoded = percent_decode(out);
        if (!decoded) {
            break;
        }
        out = std::move(*decoded);
    }
    return out;
}

// The parts of the address where no key may stand, decoded as far as they can be.
std::string forbidden_part(ServerRequest const& request, std::string_view base_path) {
    auto path = request.path;
    if (path.starts_with(base_path)) {
        path.remove_prefix(base_path.size());
    }
    constexpr std::string_view metadata = "/m/";
    if (path.starts_with(metadata)) {
        path.remove_prefix(metadata.size());
        path.remove_prefix(std::min(path.find('/'), path.size()));
    }
    std::string out;
    for (auto const part : {path, request.query}) {
        if (may_hold_one(part)) {
            out += decoded_to_the_end(part) + "\n";
        }
    }
    return out;
}

}  // namespace

std::optional<std::string_view> bearer_of(ServerRequest const& request) {
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

bool is_own_process(ServerRequest const& request) {
    return request.listener == ListenerKind::local_socket && request.peer_uid &&
           (*request.peer_uid == geteuid() || *request.peer_uid == 0);
}

Result<Caller> authorize(ServerRequest const& request, ApiKeys const& keys,
                         std::string_view right) {
    std::optional<Caller> caller;
    if (request.listener == ListenerKind::local_socket) {
        if (is_own_process(request)) {
            caller = Caller{"local", "default", "local", {"admin"}};
        }
    } else if (auto const key = bearer_of(request)) {
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

bool has_key_in_url(ServerRequest const& request, std::string_view base_path) {
    if (!may_hold_one(request.path) && !may_hold_one(request.query)) {
        return false;
    }
    return !bearers_in(forbidden_part(request, base_path)).empty();
}

std::optional<Error> UrlKeys::refuse(ServerRequest const& request) {
    if (!has_key_in_url(request, parts_.base_path)) {
        return std::nullopt;
    }
    std::string const text = forbidden_part(request, parts_.base_path);
    for (auto const bearer : bearers_in(text)) {
        note(bearer);
    }
    return Error(ErrorCode::key_in_url,
                 "A key stands in the address; it belongs in the Authorization header.");
}

void UrlKeys::note(std::string_view bearer) {
    // Only genuine ones: whoever knows no more than an id could have any key called leaked.
    if (auto const caller = parts_.keys.verify(bearer)) {
        spawn(parts_.control, note_key(caller->key_id));
    }
    if (auto const capability = parts_.capabilities.verify(bearer)) {
        spawn(parts_.control, note_capability(capability->id));
    }
}

Task<void> UrlKeys::note_key(std::string id) {
    if ((co_await parts_.keys.mark_leaked(id)).value_or(false)) {
        log(LogLevel::warning, "key_leaked",
            "An API key stood in the address of a request; make another and revoke this one.",
            {{"key", id}});
    }
}

Task<void> UrlKeys::note_capability(std::string id) {
    if ((co_await parts_.capabilities.mark_leaked(id)).value_or(false)) {
        log(LogLevel::warning, "capability_leaked",
            "A capability stood in the address of a request; make another and revoke this one.",
            {{"capability", id}});
    }
}

}  // namespace brickgate
