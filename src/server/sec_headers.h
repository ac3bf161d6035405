// SPDX-License-Identifier: Apache-2.0
#pragma once
// The headers of every page, whatever its status (security design, under T27).
#include <string>

#include "net/server_message.h"
#include "server/settings.h"

namespace brickgate {

// `form_targets`: origins besides our own that a form of this page may lead to (T26); empty: none.
void add_page_headers(ServerResponse& response, ServerSettings const& settings,
                      std::string const& form_targets = {});

}  // namespace brickgate
