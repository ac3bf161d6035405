// SPDX-License-Identifier: Apache-2.0
#pragma once
// Parts of what settings name: listen addresses and URLs. Pure.
#include <string>
#include <string_view>

namespace brickgate {

bool is_listen_address(std::string_view address);  // ADDR:PORT, IPv6 in brackets
bool listens_on_loopback(std::string_view address);
std::string port_of(std::string_view address);  // of ADDR:PORT; empty where there is none
std::string path_of(std::string_view url);      // from the first slash after the host; may be empty

}  // namespace brickgate
