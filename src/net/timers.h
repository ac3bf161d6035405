// SPDX-License-Identifier: Apache-2.0
#pragma once
// Waiting, as a port: a simulation brings its own Timers and its time passes at once. Sleeps run on
// the caller's executor and end with operation_aborted when the caller is cancelled.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "net/task.h"

namespace brickgate {

class Timers {
 public:
    virtual ~Timers() = default;
    virtual Task<void> sleep_for(Milliseconds duration) = 0;
    // Wall time; a clock that is set while we sleep is noticed within seconds.
    virtual Task<void> sleep_until(Time when) = 0;
};

class AsioTimers final : public Timers {
 public:
    explicit AsioTimers(Clock const& clock) : clock_(clock) {}
    Task<void> sleep_for(Milliseconds duration) override;
    Task<void> sleep_until(Time when) override;

 private:
    Clock const& clock_;
};

namespace detail {

template <class T>
Task<void> keep_result(Task<T> task, std::optional<T>& out) {
    out.emplace(co_await std::move(task));
}

// Runs both, cancels the slower one and waits until it has really ended. Rethrows what `task`
// threw.
Task<void> race(Task<void> task, Task<void> timer, bool& finished);

}  // namespace detail

// nullopt (or false): the time was up first, and the task has ended, cancelled. A task that
// finished in the same moment wins.
template <class T>
Task<std::optional<T>> with_timeout(Task<T> task, Milliseconds limit, Timers& timers) {
    std::optional<T> out;
    bool finished = false;
    co_await detail::race(detail::keep_result(std::move(task), out), timers.sleep_for(limit),
                          finished);
    co_return out;
}
Task<bool> with_timeout(Task<void> task, Milliseconds limit, Timers& timers);

}  // namespace brickgate
