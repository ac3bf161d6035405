// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the stand-in for Databricks' CLI does with the gateway, apart from its words and streams.
#include <string>

#include "cli/command.h"
#include "cli/databrickscfg.h"

namespace brickgate::cli {

// The token of the connection that is meant. A forced refresh is none where the token is young, and
// no failure where it cannot be had and the token before is still good: `warning` says so then.
Result<json::object> shim_token(Admin& admin, ShimTarget const& target, bool force,
                                std::string& warning);

struct ShimRefusal {
    std::string code;  // one of Databricks' error codes
    std::string sentence;
};
// With the phrases that SDKs look for.
ShimRefusal shim_refusal(Error const& error, std::string const& host);

}  // namespace brickgate::cli
