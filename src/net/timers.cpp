// SPDX-License-Identifier: Apache-2.0
#include "net/timers.h"

#include <algorithm>
#include <exception>

namespace brickgate {

Task<void> AsioTimers::sleep_for(Milliseconds duration) {
    Executor const executor = co_await boost::asio::this_coro::executor;
    SteadyTimer timer(executor, duration);
    co_await timer.async_wait(use_task);
}

Task<void> AsioTimers::sleep_until(Time when) {
    // Short sleeps: the wall clock may be set, the machine may be suspended.
    constexpr Milliseconds look_again = std::chrono::seconds(5);
    for (Milliseconds left = when - clock_.now(); left > Milliseconds(0);
         left = when - clock_.now()) {
        co_await sleep_for(std::min(left, look_again));
    }
}

namespace detail {

Task<void> race(Task<void> task, Task<void> timer, bool& finished) {
    Executor const executor = co_await boost::asio::this_coro::executor;
    auto group = boost::asio::experimental::make_parallel_group(
        boost::asio::co_spawn(executor, std::move(task), boost::asio::deferred),
        boost::asio::co_spawn(executor, std::move(timer), boost::asio::deferred));
    boost::asio::experimental::wait_for_one const first;
    auto const [order, task_error, timer_error] = co_await group.async_wait(first, use_task);
    bool const time_was_up = order[0] == 1 && !timer_error;
    if (task_error && !time_was_up) {
        std::rethrow_exception(task_error);
    }
    finished = !task_error;
}

}  // namespace detail

Task<bool> with_timeout(Task<void> task, Milliseconds limit, Timers& timers) {
    bool finished = false;
    co_await detail::race(std::move(task), timers.sleep_for(limit), finished);
    co_return finished;
}

}  // namespace brickgate
