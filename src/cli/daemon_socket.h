// SPDX-License-Identifier: Apache-2.0
#pragma once
// The way to the gateway that runs on a data folder. What is sent there may be a secret, and what
// comes back is believed: so whoever listens must be the same user, as the kernel says it.
#include <string>

#include "base/result.h"

namespace brickgate::cli {

std::string socket_of(std::string const& folder);

// A connected socket, which is the caller's; -1: nobody listens. Errors: data_folder_invalid, a
// stranger listens.
Result<int> connect_to_daemon(std::string const& folder);

// Whether connect_to_daemon() finds one.
bool daemon_listens(std::string const& folder);

}  // namespace brickgate::cli
