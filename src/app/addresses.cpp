// SPDX-License-Identifier: Apache-2.0
#include "app/addresses.h"

#include "net/address_guard.h"
#include "server/host_guard.h"

namespace brickgate {

bool is_listen_address(std::string_view address) {
    auto const port = port_of(address);
    bool const digits = !port.empty() && port.size() <= 5 &&
                        port.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(port) > 65535) {
        return false;
    }
    auto host = address.substr(0, address.size() - port.size() - 1);
    bool const bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    auto const ip = IpAddress::parse(host);
    return host == "localhost" || (ip && ip->is_v4() != bracketed);
}

bool listens_on_loopback(std::string_view address) {
    auto const host = address.substr(0, address.rfind(':'));
    return is_loopback_name(host) || host.starts_with("127.");
}

std::string port_of(std::string_view address) {
    auto const colon = address.rfind(':');
    return colon == std::string_view::npos ? std::string() : std::string(address.substr(colon + 1));
}

std::string path_of(std::string_view url) {
    auto const start = url.find("://");
    auto const slash = start == std::string_view::npos ? start : url.find('/', start + 3);
    return slash == std::string_view::npos ? std::string() : std::string(url.substr(slash));
}

}  // namespace brickgate
