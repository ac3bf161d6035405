// SPDX-License-Identifier: Apache-2.0
#pragma once
// Says in words why a connection is as it is, since when, and who must act. Pure.

#include <optional>
#include <string>

#include "base/clock.h"
#include "tokens/gatekeeper.h"
#include "vault/connection.h"

namespace brickgate {

struct Explanation {
    std::string summary;       // one sentence
    std::string detail;        // what happened and what happens next
    std::string who_must_act;  // nobody | customer | customer_admin | app_operator | databricks |
                               // gateway_operator
    std::string remedy;        // what that person does
    bool serves_tokens = false;
    std::optional<Time> next_attempt_at;
};

Explanation explain(Connection const& row, std::optional<Gatekeeper::AppFault> const& app_fault,
                    Time now);

}  // namespace brickgate
