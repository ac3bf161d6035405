// SPDX-License-Identifier: Apache-2.0
#pragma once
// How often one caller may ask us (T50): token buckets for each API key, each address (IPv6 by /64,
// which is what one subscriber has), each TCP connection; stricter ones for sign-ins, callbacks and
// failed authentication; and one for all who show no credential. Any thread: sixteen locks over as
// many parts of the table. The table is bounded: where it is full, the entry that was used least
// lately goes. Time is an argument and monotonic (Instant), so a wall clock that is set changes
// nothing.
#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace brickgate {

enum class InboundClass : std::uint8_t {
    api_key,                // by the key's public id
    address,                // by address: everything
    connection,             // by whatever names the TCP connection
    login,                  // by address: GET /auth
    callback,               // by address
    failed_authentication,  // by address: asked after a failure, to answer 429 instead of 401
    unauthenticated,        // one bucket for all; the name is ignored
};
inline constexpr std::size_t inbound_classes = 7;

class InboundLimits {
 public:
    struct Limit {
        double per_second = 0;  // 0: this class is not limited
        double burst = 1;
    };
    static constexpr Limit per_minute(double count) { return {count / 60, count}; }

    // The minute figures are T50's. The others are far above what programs need and far below what
    // would hurt: a token is handed out in microseconds.
    struct Limits {
        Limit api_key{2000, 4000};
        Limit address{2000, 4000};
        Limit connection{1000, 2000};
        Limit login = per_minute(10);
        Limit callback = per_minute(60);
        Limit failed_authentication = per_minute(30);
        Limit unauthenticated{500, 1000};
        std::size_t entries_max = 65'536;  // about 200 bytes each
    };

    InboundLimits() : InboundLimits(Limits{}) {}
    explicit InboundLimits(Limits const& limits);

    // Counts one request. nullopt: go on; else how long to wait, for Retry-After: at least 1. An
    // empty address (a Unix socket) is not limited by address.
    std::optional<Seconds> check(InboundClass kind, std::string_view key_or_address, Instant now);
    std::size_t entries() const;

 private:
    struct Entry {
        std::string name;
        double tokens = 0;
        Instant at{};
    };
    struct Part {
        mutable std::mutex mutex;
        std::list<Entry> entries;  // the front one was used last
        std::unordered_map<std::string_view, std::list<Entry>::iterator> by_name;  // into entries
    };

    Entry& entry_of(Part& part, std::string name, double burst, Instant now) const;

    static constexpr std::size_t parts = 16;

    std::array<Limit, inbound_classes> limits_;
    std::size_t part_max_;
    std::array<Part, parts> parts_;
};

}  // namespace brickgate
