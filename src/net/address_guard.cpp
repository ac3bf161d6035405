// SPDX-License-Identifier: Apache-2.0
#include "net/address_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace brickgate {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

IpAddress from_v4(void const* four_bytes) {
    IpAddress address;
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), address.bytes.begin());
    std::memcpy(&address.bytes[12], four_bytes, 4);
    return address;
}

Network net(char const* text) {
    return *Network::parse(text);
}

bool in_any(IpAddress const& address, auto const& networks) {
    return std::ranges::any_of(networks, [&](Network const& n) { return n.contains(address); });
}

// What is not the public internet: RFC 6890 and its successors, multicast and what tunnels to
// elsewhere.
bool is_special_v4(IpAddress const& address) {
    static std::array const networks{
        net("0.0.0.0/8"),      net("10.0.0.0/8"),     net("100.64.0.0/10"), net("127.0.0.0/8"),
        net("169.254.0.0/16"), net("172.16.0.0/12"),  net("192.0.0.0/24"),  net("192.0.2.0/24"),
        net("192.88.99.0/24"), net("192.168.0.0/16"), net("198.18.0.0/15"), net("198.51.100.0/24"),
        net("203.0.113.0/24"), net("224.0.0.0/4"),    net("240.0.0.0/4"),
    };
    return in_any(address, networks);
}

bool is_special_v6(IpAddress const& address) {
    // Only 2000::/3 is given out as global unicast; the rest of the list is inside it. That leaves
    // out ::,
    // ::1, the v4-compatible, 64:ff9b:1::/48, fc00::/7, fe80::/10, fec0::/10 and ff00::/8.
    static Network const global = net("2000::/3");
    static std::array const networks{
        net("2001::/23"),  // Teredo, benchmarking, ORCHID and others
        net("2001:db8::/32"),
        net("2002::/16"),
        net("3fff::/20"),
    };
    return !global.contains(address) || in_any(address, networks);
}

// NAT64 carries an IPv4 address in its last four bytes: that one is judged.
IpAddress unwrapped(IpAddress const& address) {
    static Network const nat64 = net("64:ff9b::/96");
    return nat64.contains(address) ? from_v4(&address.bytes[12]) : address;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    std::string const terminated(text);
    in_addr v4{};
    if (inet_pton(AF_INET, terminated.c_str(), &v4) == 1) {
        return from_v4(&v4);
    }
    IpAddress address;
    if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) {
        return address;
    }
    return std::nullopt;
}

std::optional<IpAddress> IpAddress::from(sockaddr const* address) {
    if (address->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, address, sizeof in);
        return from_v4(&in.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, address, sizeof in);
        IpAddress out;
        std::memcpy(out.bytes.data(), &in.sin6_addr, out.bytes.size());
        return out;
    }
    return std::nullopt;
}

bool IpAddress::is_v4() const {
    return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin());
}

bool IpAddress::is_loopback() const {
    static IpAddress const v6 = *parse("::1");
    return is_v4() ? bytes[12] == 127 : *this == v6;
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    void const* from = is_v4() ? &bytes[12] : bytes.data();
    inet_ntop(is_v4() ? AF_INET : AF_INET6, from, text.data(), text.size());
    return text.data();
}

std::string subscriber_of(std::string_view address) {
    auto const parsed = IpAddress::parse(address.substr(0, address.find('%')));
    if (!parsed) {
        return std::string(address);
    }
    std::string bytes(parsed->bytes.begin(), parsed->bytes.end());
    if (!parsed->is_v4()) {
        bytes.resize(8);
    }
    return bytes;
}

std::optional<Network> Network::parse(std::string_view text) {
    auto const slash = text.find('/');
    auto const base = IpAddress::parse(text.substr(0, slash));
    if (!base) {
        return std::nullopt;
    }
    bool const written_as_v4 = text.find(':') == std::string_view::npos;
    unsigned const widest = written_as_v4 ? 32 : 128;
    unsigned prefix = widest;
    if (slash != std::string_view::npos) {
        std::string_view const digits = text.substr(slash + 1);
        auto const [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
        if (error != std::errc() || end != digits.data() + digits.size() || prefix > widest) {
            return std::nullopt;
        }
    }
    return Network{*base, prefix + (128 - widest)};
}

bool Network::contains(IpAddress const& address) const {
    for (unsigned bit = 0; bit < prefix; bit += 8) {
        unsigned const left = std::min(8U, prefix - bit);
        auto const mask = static_cast<std::uint8_t>(0xff00U >> left);
        if (((address.bytes[bit / 8] ^ base.bytes[bit / 8]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

bool is_public(IpAddress const& address) {
    IpAddress const real = unwrapped(address);
    return real.is_v4() ? !is_special_v4(real) : !is_special_v6(real);
}

bool may_connect(IpAddress const& address, EgressPolicy const& policy) {
    if (policy.operator_listed || is_public(address)) {
        return true;
    }
    return std::ranges::any_of(policy.allowed_networks, [&](std::string const& text) {
        auto const network = Network::parse(text);
        return network && network->contains(unwrapped(address));
    });
}

}  // namespace brickgate
