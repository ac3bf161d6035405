// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the practice Databricks does wrong on purpose, scripted: the next `count` requests of an
// endpoint fail in a named way. One thread. docs/sandbox.md lists the kinds.
#include <boost/json.hpp>
#include <deque>
#include <optional>
#include <string>

#include "base/clock.h"

namespace brickgate::sandbox {

struct Fault {
    std::string endpoint;  // discovery | jwks | authorize | token | api
    std::string kind;      // latency | status | hold_before_commit | hold_after_commit |
                           // drop_before_commit | drop_after_commit | half_answer | html_200 |
    // duplicate_keys | deep_json | huge_body | expires_in_string | no_expires_in
    // | redirect | foreign_token_endpoint | wrong_issuer | plain_pkce_only |
    // not_found | invalid_client | old_invalid_request | ip_acl
    int status = 503;
    std::string value;  // Retry-After of status, target of redirect
    Milliseconds latency{0};
    std::uint64_t count = 1;
};

class Faults {
 public:
    std::optional<std::string> add(boost::json::object const& description);  // a complaint
    void clear() { faults_.clear(); }
    std::optional<Fault> take(std::string_view endpoint);
    std::size_t pending() const { return faults_.size(); }

 private:
    std::deque<Fault> faults_;
};

}  // namespace brickgate::sandbox
