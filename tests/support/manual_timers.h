// SPDX-License-Identifier: Apache-2.0
#pragma once
// Timers whose sleeps pass at once and move the manual clock by their length.
#include <boost/asio/post.hpp>

#include "net/timers.h"
#include "support/manual_clock.h"

namespace brickgate::testing {

class ManualTimers final : public Timers {
 public:
    explicit ManualTimers(ManualClock& clock) : clock_(clock) {}

    Task<void> sleep_for(Milliseconds duration) override {
        co_await boost::asio::post(co_await boost::asio::this_coro::executor, use_task);
        clock_.pass(duration);
        slept_ += duration;
    }
    Task<void> sleep_until(Time when) override { return sleep_for(when - clock_.now()); }
    Milliseconds slept() const { return slept_; }

 private:
    ManualClock& clock_;
    Milliseconds slept_{};
};

}  // namespace brickgate::testing
