// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the parts of the gateway are made of, from a Config that was validated. Pure.
#include <memory>

#include "brickgate/config.h"
#include "databricks/registration.h"
#include "server/settings.h"
#include "tokens/refresh_policy.h"

namespace brickgate {

std::shared_ptr<Registration const> make_registration(Config const& config);
// The public client that Databricks' own tools use (databricks-facts 2.1); no secret, any
// Databricks host.
std::shared_ptr<Registration const> make_terminal_registration(Config const& config);
// Of all service principals: Databricks' own hosts, and those that the operator listed.
std::shared_ptr<Registration const> make_principals_registration(Config const& config);
ServerSettings make_server_settings(Config const& config, Registration const& registration);
RefreshPolicy policy_of(Config const& config);
// Where we would be talking to ourselves: never a workspace's address (T28).
std::vector<std::string> own_endpoints(Config::Server const& server);

}  // namespace brickgate
