// SPDX-License-Identifier: Apache-2.0
#pragma once
// A clock that stands still until the test moves it. Wall time and steady time move together with
// pass(); set_wall() is the operator who sets the machine's clock. Any thread.
#include <atomic>

#include "base/clock.h"

namespace brickgate::testing {

class ManualClock final : public Clock {
 public:
    explicit ManualClock(Time now = Time(Seconds(1'800'000'000))) : wall_(to_ms(now)) {}

    Time now() const override { return time_from_ms(wall_.load()); }
    Instant steady() const override { return Instant(Milliseconds(steady_.load())); }

    void pass(Milliseconds time) {
        wall_ += time.count();
        steady_ += time.count();
    }
    void set_wall(Time now) { wall_ = to_ms(now); }

 private:
    std::atomic<std::int64_t> wall_;
    std::atomic<std::int64_t> steady_{1'000'000};
};

}  // namespace brickgate::testing
