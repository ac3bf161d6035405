// SPDX-License-Identifier: Apache-2.0
#pragma once
// The way to the gateway that runs on a data folder. What is sent there may be a secret, and what
// comes back is believed: so whoever listens must be the same user, as the kernel says it.
#include <string>

#include "base/result.h"

namespace brickgate::cli {

std::string socket_of(std::string const& folder);

// What is at the other end of this connected socket is the gateway of this folder. Errors:
// data_folder_invalid, it is a stranger.
Result<void> check_daemon(int socket, std::string const& folder);

// Whether anybody listens. Errors: data_folder_invalid, a stranger does.
Result<bool> find_daemon(std::string const& folder);

// A gateway that check_daemon() passes.
bool daemon_listens(std::string const& folder);

}  // namespace brickgate::cli
