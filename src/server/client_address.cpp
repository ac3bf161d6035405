// SPDX-License-Identifier: Apache-2.0
#include "server/client_address.h"

#include <algorithm>

namespace brickgate {

namespace {

constexpr std::size_t hops_max = 16;  // more is nobody's honest chain

std::string_view trimmed(std::string_view text) {
    auto const first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// All X-Forwarded-For headers are one list, in their order (RFC 9110 section 5.3).
std::vector<std::string_view> forwarded_hops(ServerRequest const& request) {
    std::vector<std::string_view> hops;
    for (std::string_view list : request.header_values("X-Forwarded-For")) {
        for (;;) {
            auto const comma = std::min(list.find(','), list.size());
            hops.push_back(trimmed(list.substr(0, comma)));
            if (comma == list.size()) {
                break;
            }
            list.remove_prefix(comma + 1);
        }
    }
    return hops;
}

}  // namespace

TrustedProxies::TrustedProxies(std::vector<std::string> const& entries) {
    for (std::string const& entry : entries) {
        if (auto const network = Network::parse(entry)) {
            networks_.push_back(*network);
        }
    }
}

bool TrustedProxies::trusts(std::string_view address) const {
    auto const parsed = IpAddress::parse(address);
    return parsed && std::ranges::any_of(networks_, [&](Network const& network) {
               return network.contains(*parsed);
           });
}

std::string TrustedProxies::client_of(ServerRequest const& request) const {
    std::string client(request.peer_address);
    if (networks_.empty() || !trusts(client)) {
        return client;
    }
    auto hops = forwarded_hops(request);
    for (std::size_t i = 0; i < hops_max && !hops.empty(); ++i) {
        auto const hop = IpAddress::parse(hops.back());
        hops.pop_back();
        if (!hop) {
            break;  // what a trusted proxy did not write tells nothing
        }
        client = hop->to_string();
        if (!trusts(client)) {
            break;
        }
    }
    return client;
}

}  // namespace brickgate
