// SPDX-License-Identifier: Apache-2.0
#pragma once
// The names this gateway answers to (T54): a page that makes its own name resolve to us (DNS
// rebinding) is refused, and so is a proxy's mistake. No answer is ever made from a Host; addresses
// come from the configuration alone. Ports are not compared: tunnels and containers change them.
// Immutable; any thread.
#include <string>
#include <string_view>
#include <vector>

#include "net/server_message.h"

namespace brickgate {

struct HostNames {
    std::vector<std::string> names = {};  // lower case, IPv6 in brackets, without ports
    // Some listener takes every address of this machine, and we do not know them all. An address
    // is no name that anybody could make resolve to us.
    bool any_address = false;
};

// Exactly one Host, and one of ours. Processes on the local socket say any.
bool is_ours(ServerRequest const& request, HostNames const& ours);

// "LocalHost:3000" as {"localhost", "3000"}; an empty name if it is no host.
struct HostAndPort {
    std::string name = {};
    std::string port = {};
    static HostAndPort parse(std::string_view text);
};
bool is_loopback_name(std::string_view name);

}  // namespace brickgate
