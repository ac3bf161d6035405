// SPDX-License-Identifier: Apache-2.0
#include "sandbox/faults.h"

#include <algorithm>
#include <array>

#include "base/json.h"

namespace brickgate::sandbox {

namespace {

constexpr std::array<std::string_view, 5> endpoints{"discovery", "jwks", "authorize", "token",
                                                    "api"};
constexpr std::array<std::string_view, 21> kinds{"latency",
                                                 "status",
                                                 "hold_before_commit",
                                                 "hold_after_commit",
                                                 "drop_before_commit",
                                                 "drop_after_commit",
                                                 "half_answer",
                                                 "html_200",
                                                 "duplicate_keys",
                                                 "deep_json",
                                                 "huge_body",
                                                 "expires_in_string",
                                                 "no_expires_in",
                                                 "redirect",
                                                 "foreign_token_endpoint",
                                                 "wrong_issuer",
                                                 "plain_pkce_only",
                                                 "not_found",
                                                 "invalid_client",
                                                 "old_invalid_request",
                                                 "ip_acl"};

}  // namespace

std::optional<std::string> Faults::add(json::object const& description) {
    Fault fault;
    fault.endpoint = string_at(description, "endpoint").value_or("token");
    fault.kind = string_at(description, "kind").value_or("");
    fault.status = static_cast<int>(integer_at(description, "status").value_or(503));
    fault.value = string_at(description, "value").value_or("");
    fault.latency = Milliseconds(integer_at(description, "latency_ms").value_or(0));
    fault.count = static_cast<std::uint64_t>(integer_at(description, "count").value_or(1));
    if (std::ranges::find(endpoints, fault.endpoint) == endpoints.end()) {
        return "there is no endpoint " + fault.endpoint;
    }
    if (std::ranges::find(kinds, fault.kind) == kinds.end()) {
        return "there is no kind " + fault.kind;
    }
    if (fault.status < 200 || fault.status > 599 || fault.latency > std::chrono::minutes(5)) {
        return "status or latency is out of range";
    }
    faults_.push_back(std::move(fault));
    return std::nullopt;
}

std::optional<Fault> Faults::take(std::string_view endpoint) {
    auto const found = std::ranges::find(faults_, endpoint, &Fault::endpoint);
    if (found == faults_.end()) {
        return std::nullopt;
    }
    Fault fault = *found;
    if (--found->count == 0) {
        faults_.erase(found);
    }
    return fault;
}

}  // namespace brickgate::sandbox
