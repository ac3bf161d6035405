// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ways between threads. await_callback() suspends a coroutine until somebody, on whatever thread,
// calls its Completion; run_on() runs a task on another executor and comes back with the answer.
// Neither is cut short by cancellation: what was started is finished, and a caller that leaves
// changes nothing over there.
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "net/task_group.h"

namespace brickgate {

// Resumes one waiting coroutine, once, on its own executor. Move only.
template <class T>
using Completion = std::move_only_function<void(T)>;

namespace detail {

template <class T, class Start>
struct CallbackInitiation {
    Start start;

    template <class Handler>
    void operator()(Handler&& handler) {
        auto executor = boost::asio::get_associated_executor(handler);
        auto resume = [held = std::decay_t<Handler>(std::forward<Handler>(handler)),
                       work = boost::asio::make_work_guard(executor), executor](T value) mutable {
            boost::asio::post(executor,
                              [held = std::move(held), value = std::move(value)]() mutable {
                                  std::move(held)(std::move(value));
                              });
            work.reset();
        };
        std::move(start)(Completion<T>(std::move(resume)));
    }
};

template <class T>
Task<void> report(Task<T> task, Completion<std::expected<T, std::exception_ptr>> done) {
    std::expected<T, std::exception_ptr> outcome = std::unexpected(std::exception_ptr());
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(task);
            outcome = {};
        } else {
            outcome = co_await std::move(task);
        }
    } catch (...) {
        outcome = std::unexpected(std::current_exception());
    }
    done(std::move(outcome));
}

}  // namespace detail

// start(Completion<T>) is called at once; it keeps the completion and calls it when the value is
// there.
template <class T, class Start>
Task<T> await_callback(Start start) {
    detail::CallbackInitiation<T, Start> initiation{std::move(start)};
    co_return co_await boost::asio::async_initiate<UseTask const, void(T)>(std::move(initiation),
                                                                           use_task);
}

// Runs `task` on `executor` to its end, whatever happens to the caller, and resumes the caller at
// home.
template <class T>
Task<T> run_on(Executor executor, Task<T> task) {
    using Outcome = std::expected<T, std::exception_ptr>;
    auto start = [executor, task = std::move(task)](Completion<Outcome> done) mutable {
        spawn(executor, detail::report<T>(std::move(task), std::move(done)));
    };
    Outcome outcome = co_await await_callback<Outcome>(std::move(start));
    if (!outcome) {
        std::rethrow_exception(outcome.error());
    }
    if constexpr (!std::is_void_v<T>) {
        co_return std::move(*outcome);
    }
}

}  // namespace brickgate
