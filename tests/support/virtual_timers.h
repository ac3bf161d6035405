// SPDX-License-Identifier: Apache-2.0
#pragma once
// Time that passes only when nothing else is left to do: run() works on what is ready, then moves
// the manual clock to whoever sleeps shortest. Hours of conversation take milliseconds, and every
// run has the same order. One thread; the context must outlive the timers.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "net/timers.h"
#include "support/manual_clock.h"

namespace brickgate::testing {

class VirtualTimers final : public Timers {
 public:
    VirtualTimers(boost::asio::io_context& context, ManualClock& clock)
        : context_(context), clock_(clock) {}

    Task<void> sleep_for(Milliseconds duration) override {
        auto const sleeper = std::make_shared<Sleeper>(co_await boost::asio::this_coro::executor);
        Instant const at = clock_.steady() + std::max(duration, Milliseconds(0));
        auto const place = sleepers_.emplace(at, sleeper);
        boost::system::error_code ignored;
        co_await sleeper->gate.async_wait(boost::asio::redirect_error(use_task, ignored));
        if (!sleeper->woken) {
            sleepers_.erase(place);
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        }
    }
    Task<void> sleep_until(Time when) override { return sleep_for(when - clock_.now()); }

    // Runs the task to its end, and whatever else goes on meanwhile.
    template <class T>
    T run(Task<T> task) {
        std::optional<T> out;
        boost::asio::co_spawn(context_, detail::keep_result(std::move(task), out),
                              boost::asio::detached);
        work();
        while (!out && wake(Instant::max())) {
            work();
        }
        EXPECT_TRUE(out) << "everybody waits and nobody sleeps";
        return std::move(out.value());
    }
    // Starts the task and lets everything go on for so long.
    void start(Task<void> task) {
        boost::asio::co_spawn(context_, std::move(task), boost::asio::detached);
        work();
    }
    void pass(Milliseconds time) {
        Instant const end = clock_.steady() + time;
        work();
        while (wake(end)) {
            work();
        }
        clock_.pass(end - clock_.steady());
    }
    // What sleeps never wakes: its callers unwind, as far as they wait for it.
    void abandon() {
        while (!sleepers_.empty()) {
            for (auto const& [at, sleeper] : sleepers_) {
                sleeper->gate.cancel();
            }
            work();
        }
    }

 private:
    struct Sleeper {
        explicit Sleeper(Executor executor) : gate(executor, SteadyTimer::time_point::max()) {}
        SteadyTimer gate;  // never expires; cancelled by wake() or with its waiter
        bool woken = false;
    };

    void work() {
        context_.restart();
        context_.poll();
    }
    bool wake(Instant not_later) {
        if (sleepers_.empty() || sleepers_.begin()->first > not_later) {
            return false;
        }
        auto const first = sleepers_.extract(sleepers_.begin());
        clock_.pass(std::max(first.key() - clock_.steady(), Milliseconds(0)));
        first.mapped()->woken = true;
        first.mapped()->gate.cancel();
        return true;
    }

    boost::asio::io_context& context_;
    ManualClock& clock_;
    std::multimap<Instant, std::shared_ptr<Sleeper>> sleepers_;
};

}  // namespace brickgate::testing
