// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whose request it is, for limits and the log (T43): the socket's address, or where that is a
// trusted proxy's, the right-most address of X-Forwarded-For that is not one. `Forwarded` is not
// read: one header, so that two cannot disagree. Pure; any thread.
#include <string>
#include <string_view>
#include <vector>

#include "net/address_guard.h"
#include "net/server_message.h"

namespace brickgate {

class TrustedProxies {
 public:
    // Entries that do not parse trust nobody; validate_config has refused them before.
    explicit TrustedProxies(std::vector<std::string> const& entries);
    bool trusts(std::string_view address) const;
    // Empty on the local socket.
    std::string client_of(ServerRequest const& request) const;

 private:
    std::vector<Network> networks_;
};

}  // namespace brickgate
