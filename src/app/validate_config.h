// SPDX-License-Identifier: Apache-2.0
#pragma once
// What must hold between settings, and the values that follow from others. Touches nothing but to
// see whether a named file is there.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/addresses.h"
#include "app/load_config.h"

namespace brickgate {

// Fills in what follows (redirect URI, public URL) and appends a clear line for each thing that is
// wrong, with the setting and where its value came from (T68).
void validate_config(LoadedConfig& loaded, std::vector<std::string>& errors);

// A client secret goes to listed hosts only, and none is listed.
bool serves_no_workspace(Config const& config);
// The port of this machine that the redirect URI leads to, where nobody listens. nullopt: it leads
// to the listener, or elsewhere.
std::optional<std::string> redirect_port_mismatch(Config const& config);

}  // namespace brickgate
