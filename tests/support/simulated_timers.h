// SPDX-License-Identifier: Apache-2.0
#pragma once
// Timers for a simulation on one io_context: sleepers wake in the order of their times, and the
// manual clock moves only when nothing else is left to do. run() drives the context; a sleeper that
// is cancelled is forgotten.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <map>
#include <memory>

#include "net/timers.h"
#include "support/manual_clock.h"

namespace brickgate::testing {

class SimulatedTimers final : public Timers {
 public:
    explicit SimulatedTimers(ManualClock& clock) : clock_(clock) {}

    Task<void> sleep_for(Milliseconds duration) override {
        Executor const executor = co_await boost::asio::this_coro::executor;
        auto const sleeper = std::make_shared<Sleeper>(executor);
        auto const place = sleepers_.emplace(clock_.steady() + duration, sleeper);
        boost::system::error_code ignored;
        co_await sleeper->gate.async_wait(boost::asio::redirect_error(use_task, ignored));
        if (!sleeper->woken) {
            sleepers_.erase(place);
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        }
    }
    Task<void> sleep_until(Time when) override { return sleep_for(when - clock_.now()); }

    // Everything that happens up to `end`, which it is then.
    void run(boost::asio::io_context& context, Instant end) {
        while (true) {
            context.restart();
            context.poll();
            if (sleepers_.empty() || sleepers_.begin()->first > end) {
                break;
            }
            auto const first = sleepers_.extract(sleepers_.begin());
            pass_to(first.key());
            first.mapped()->woken = true;
            first.mapped()->gate.cancel();
        }
        pass_to(end);
    }

 private:
    struct Sleeper {
        explicit Sleeper(Executor home) : gate(home, SteadyTimer::time_point::max()) {}
        SteadyTimer gate;
        bool woken = false;
    };

    void pass_to(Instant when) { clock_.pass(std::max(Milliseconds(0), when - clock_.steady())); }

    ManualClock& clock_;
    std::multimap<Instant, std::shared_ptr<Sleeper>> sleepers_;
};

}  // namespace brickgate::testing
