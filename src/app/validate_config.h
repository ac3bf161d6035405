// SPDX-License-Identifier: Apache-2.0
#pragma once
// What must hold between settings, and the values that follow from them. Pure.
#include <string>
#include <vector>

#include "app/load_config.h"
#include "databricks/registration.h"
#include "server/settings.h"

namespace brickgate {

// Fills in what follows (redirect URI, public URL) and appends a clear line for each thing that is
// wrong.
void validate_config(LoadedConfig& loaded, std::vector<std::string>& errors);

// Both are for a config that was validated.
std::shared_ptr<Registration const> make_registration(Config const& config);
// The public client that Databricks' own tools use (databricks-facts 2.1); no secret, any
// Databricks host.
std::shared_ptr<Registration const> make_terminal_registration(Config const& config);
ServerSettings make_server_settings(Config const& config, Registration const& registration);
bool listens_on_loopback(std::string_view address);

}  // namespace brickgate
