// SPDX-License-Identifier: Apache-2.0
#include "sandbox/faults.h"

#include <algorithm>
#include <array>

#include "base/json.h"

namespace brickgate::sandbox {

namespace {

using namespace std::chrono_literals;

struct Kind {
    std::string_view name;
    std::string_view endpoint;  // that alone can have it; empty: all
};

constexpr std::array<std::string_view, 5> endpoints{"discovery", "jwks", "authorize", "token",
                                                    "api"};
constexpr std::array<Kind, 38> kinds{{{"latency", ""},
                                      {"status", ""},
                                      {"answer", ""},
                                      {"hold_before_commit", ""},
                                      {"hold_after_commit", ""},
                                      {"drop_before_commit", ""},
                                      {"drop_after_commit", ""},
                                      {"half_answer", ""},
                                      {"html_200", ""},
                                      {"redirect", ""},
                                      {"redirect_307", ""},
                                      {"not_found", ""},
                                      {"ip_acl", ""},
                                      {"duplicate_keys", ""},
                                      {"deep_json", ""},
                                      {"huge_body", ""},
                                      {"endless_body", ""},
                                      {"one_byte_per_second", ""},
                                      {"server_error", "authorize"},
                                      {"wrong_issuer", "discovery"},
                                      {"foreign_token_endpoint", "discovery"},
                                      {"plain_pkce_only", "discovery"},
                                      {"no_pkce_methods", "discovery"},
                                      {"invalid_client", "token"},
                                      {"old_invalid_request", "token"},
                                      {"expires_in_string", "token"},
                                      {"no_expires_in", "token"},
                                      {"no_access_token", "token"},
                                      {"wrong_token_type", "token"},
                                      {"no_nonce", "token"},
                                      {"wrong_nonce", "token"},
                                      {"no_id_token", "token"},
                                      {"no_refresh_token", "token"},
                                      {"extra_scope", "token"},
                                      {"fewer_scopes", "token"},
                                      {"id_token", "token"},
                                      {"rotate_key", "token"},
                                      {"token_expiring", "api"}}};

std::string text_at(json::object const& object, std::string_view key, std::string_view otherwise) {
    return std::string(string_at(object, key).value_or(otherwise));
}

std::optional<std::string> complaint_about(Fault const& fault) {
    if (std::ranges::find(endpoints, fault.endpoint) == endpoints.end()) {
        return "there is no endpoint " + fault.endpoint;
    }
    auto const kind = std::ranges::find(kinds, fault.kind, &Kind::name);
    if (kind == kinds.end()) {
        return "there is no kind " + fault.kind;
    }
    if (!kind->endpoint.empty() && kind->endpoint != fault.endpoint) {
        return fault.kind + " is for the endpoint " + std::string(kind->endpoint);
    }
    if (fault.status < 200 || fault.status > 599) {
        return "status is from 200 to 599";
    }
    if (fault.latency < 0ms || fault.latency > 5min || fault.pause < 0ms || fault.pause > 5min) {
        return "latency_ms and pause_ms are five minutes at most";
    }
    Settings scratch;
    if (fault.is("id_token")) {
        return apply(scratch, {{"id_token", fault.value}});
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> Faults::add(json::object const& description) {
    Fault fault;
    fault.endpoint = text_at(description, "endpoint", "token");
    fault.kind = text_at(description, "kind", "");
    fault.status = static_cast<int>(std::clamp<std::int64_t>(
        integer_at(description, "status").value_or(fault.is("answer") ? 200 : 503), 0, 1000));
    fault.value = text_at(description, "value", "");
    fault.body = text_at(description, "body", "");
    fault.content_type = text_at(description, "content_type", "application/json; charset=UTF-8");
    fault.latency = Milliseconds(integer_at(description, "latency_ms").value_or(0));
    fault.pause = Milliseconds(integer_at(description, "pause_ms").value_or(1000));
    fault.after_commit = bool_at(description, "after_commit").value_or(false);
    auto const count = integer_at(description, "count").value_or(1);
    if (count < 0) {
        return "count is how many requests, 0 for all of them";
    }
    fault.count = static_cast<std::uint64_t>(count);
    if (auto const* const match = object_at(description, "match")) {
        for (auto const& [name, value] : *match) {
            if (!value.is_string()) {
                return "match holds names of fields and their values, as strings";
            }
            fault.match[std::string(name)] = value.get_string();
        }
    }
    auto complaint = complaint_about(fault);
    if (!complaint) {
        faults_.push_back(std::move(fault));
    }
    return complaint;
}

std::optional<Fault> Faults::take(std::string_view endpoint, Field const& field) {
    auto const found = std::ranges::find_if(faults_, [&](Fault const& fault) {
        return fault.endpoint == endpoint &&
               std::ranges::all_of(
                   fault.match, [&](auto const& pair) { return field(pair.first) == pair.second; });
    });
    if (found == faults_.end()) {
        return std::nullopt;
    }
    Fault fault = *found;
    if (found->count == 1) {
        faults_.erase(found);
    } else if (found->count > 1) {
        found->count -= 1;
    }
    return fault;
}

boost::json::array Faults::to_json() const {
    boost::json::array out;
    for (auto const& fault : faults_) {
        out.push_back({{"endpoint", fault.endpoint}, {"kind", fault.kind}, {"count", fault.count}});
    }
    return out;
}

Settings bent(Settings settings, std::optional<Fault> const& fault) {
    if (!fault) {
        return settings;
    }
    for (auto const* issue : {"no_nonce", "wrong_nonce", "no_id_token", "no_refresh_token"}) {
        if (fault->is(issue)) {
            settings.issue = issue;
        }
    }
    if (fault->is("extra_scope")) {
        settings.scope = "extra";
    }
    if (fault->is("fewer_scopes")) {
        settings.scope = "fewer";
    }
    if (fault->is("id_token")) {
        settings.id_token = fault->value;
    }
    return settings;
}

}  // namespace brickgate::sandbox
