// SPDX-License-Identifier: Apache-2.0
#pragma once
// Time comes in through this door. Wall time (Time) is for what the world dates: token expiry, log
// lines. Instant counts on while the machine sleeps (CLOCK_BOOTTIME) and is for deadlines.
// Implementations are thread safe; the real one is net/system_ports.h, the manual one
// tests/support.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace brickgate {

using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using Time = std::chrono::sys_time<Milliseconds>;

struct BootClock {  // a name for the epoch of Instant; never asked for the time
    using duration = Milliseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock, Milliseconds>;
    static constexpr bool is_steady = true;
};
using Instant = BootClock::time_point;

class Clock {
 public:
    virtual ~Clock() = default;
    virtual Time now() const = 0;
    virtual Instant steady() const = 0;
};

// RFC 3339 in UTC with a Z and whole seconds, as every answer of ours shows times.
std::string to_rfc3339(Time time);
std::optional<Time> from_rfc3339(std::string_view text);
inline Time time_from_ms(std::int64_t ms) {
    return Time(Milliseconds(ms));
}
inline std::int64_t to_ms(Time time) {
    return time.time_since_epoch().count();
}

}  // namespace brickgate
