// SPDX-License-Identifier: Apache-2.0
#include "server/inbound_limits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "net/address_guard.h"

namespace brickgate {

namespace {

constexpr double whole = 1.0 - 1e-9;  // a token, after sums of fractions

bool is_by_address(InboundClass kind) {
    return kind == InboundClass::address || kind == InboundClass::login ||
           kind == InboundClass::callback || kind == InboundClass::failed_authentication;
}

std::string name_of(InboundClass kind, std::string_view key_or_address) {
    std::string name(1, static_cast<char>('a' + static_cast<int>(kind)));
    if (kind == InboundClass::unauthenticated) {
        return name;
    }
    return name +
           (is_by_address(kind) ? subscriber_of(key_or_address) : std::string(key_or_address));
}

}  // namespace

InboundLimits::InboundLimits(Limits const& limits)
    : limits_{limits.api_key,        limits.address,  limits.connection,
              limits.login,          limits.callback, limits.failed_authentication,
              limits.unauthenticated},
      part_max_(std::max<std::size_t>(1, limits.entries_max / parts)) {}

InboundLimits::Entry& InboundLimits::entry_of(Part& part, std::string name, double burst,
                                              Instant now) const {
    if (auto const found = part.by_name.find(name); found != part.by_name.end()) {
        part.entries.splice(part.entries.begin(), part.entries, found->second);
        return part.entries.front();
    }
    if (part.entries.size() >= part_max_) {
        part.by_name.erase(part.entries.back().name);
        part.entries.pop_back();
    }
    part.entries.push_front({.name = std::move(name), .tokens = burst, .at = now});
    part.by_name.emplace(part.entries.front().name, part.entries.begin());
    return part.entries.front();
}

std::optional<Seconds> InboundLimits::check(InboundClass kind, std::string_view key_or_address,
                                            Instant now) {
    Limit const& limit = limits_[static_cast<std::size_t>(kind)];
    if (limit.per_second <= 0 || (is_by_address(kind) && key_or_address.empty())) {
        return std::nullopt;
    }
    std::string name = name_of(kind, key_or_address);
    Part& part = parts_[std::hash<std::string>()(name) % parts];
    std::lock_guard const lock(part.mutex);
    Entry& entry = entry_of(part, std::move(name), std::max(1.0, limit.burst), now);
    if (now > entry.at) {  // threads read the clock before they come here: not always in order
        double const time = static_cast<double>((now - entry.at).count()) / 1000.0;
        entry.tokens = std::min(std::max(1.0, limit.burst), entry.tokens + time * limit.per_second);
        entry.at = now;
    }
    if (entry.tokens >= whole) {
        entry.tokens -= 1;
        return std::nullopt;
    }
    double const wait = std::ceil((whole - entry.tokens) / limit.per_second);
    return std::max(Seconds(1), Seconds(static_cast<std::int64_t>(wait)));
}

std::size_t InboundLimits::entries() const {
    std::size_t count = 0;
    for (Part const& part : parts_) {
        std::lock_guard const lock(part.mutex);
        count += part.entries.size();
    }
    return count;
}

}  // namespace brickgate
