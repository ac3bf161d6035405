// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which addresses we may connect to (T28, T29). Asked with the final sockaddr, inside the connect,
// so a name that resolves anew between check and use gains nothing. Pure; any thread.
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brickgate {

// 16 bytes; an IPv4 address is kept as ::ffff:a.b.c.d.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};
    static std::optional<IpAddress> parse(
        std::string_view text);  // strict: no short, hex or octal forms
    static std::optional<IpAddress> from(sockaddr const* address);
    bool is_v4() const;
    bool is_loopback() const;
    bool operator==(IpAddress const&) const = default;
    std::string to_string() const;
};

// Whose address it is, where callers are counted: an IPv4 address, or the /64 that one subscriber
// of IPv6 has, as bytes. What is no address is its own name.
std::string subscriber_of(std::string_view address);

// A CIDR: "10.0.0.0/8", "fd00::/8", or one address.
struct Network {
    IpAddress base;
    unsigned prefix = 128;  // counted in the 128-bit form
    static std::optional<Network> parse(std::string_view text);
    bool contains(IpAddress const& address) const;
};

// Public unicast, with IPv4 inside IPv6 (mapped, NAT64) unwrapped and judged as IPv4.
bool is_public(IpAddress const& address);

// What a request may connect to besides public addresses.
struct EgressPolicy {
    // The operator named this very host: any address, and plain http if it is loopback.
    bool operator_listed = false;
    // CIDRs of private-link addresses of this registration; one that does not parse allows nothing.
    std::vector<std::string> allowed_networks = {};
};

bool may_connect(IpAddress const& address, EgressPolicy const& policy);

}  // namespace brickgate
