// SPDX-License-Identifier: Apache-2.0
#include "vault/connection.h"

#include <algorithm>
#include <array>

namespace brickgate {

namespace {

constexpr std::array<std::string_view, 7> states{"pending",      "active",          "uncertain",
                                                 "host_blocked", "reauth_required", "quarantined",
                                                 "disconnected"};
constexpr std::array<std::string_view, 7> reasons{
    "none",         "revoked",  "expired_idle",    "session_ended",
    "outcome_lost", "restored", "identity_changed"};

template <class Enum, std::size_t count>
std::optional<Enum> from_name(std::array<std::string_view, count> const& names,
                              std::string_view name) {
    auto const* const found = std::ranges::find(names, name);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view to_string(ConnectionState state) {
    return states.at(static_cast<std::size_t>(state));
}
std::string_view to_string(ReauthReason reason) {
    return reasons.at(static_cast<std::size_t>(reason));
}

std::optional<ConnectionState> connection_state_from(std::string_view name) {
    return from_name<ConnectionState>(states, name);
}
std::optional<ReauthReason> reauth_reason_from(std::string_view name) {
    return from_name<ReauthReason>(reasons, name);
}

}  // namespace brickgate
