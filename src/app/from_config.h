// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the parts of the gateway are made of, from a Config that was validated. Pure.
#include <memory>

#include "brickgate/config.h"
#include "databricks/registration.h"
#include "server/settings.h"

namespace brickgate {

std::shared_ptr<Registration const> make_registration(Config const& config);
// The public client that Databricks' own tools use (databricks-facts 2.1); no secret, any
// Databricks host.
std::shared_ptr<Registration const> make_terminal_registration(Config const& config);
ServerSettings make_server_settings(Config const& config, Registration const& registration);

}  // namespace brickgate
