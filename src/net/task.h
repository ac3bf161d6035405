// SPDX-License-Identifier: Apache-2.0
#pragma once
// The coroutine type of the whole program: a Task runs on one io_context and never leaves it. The
// concrete executor type (not any_io_executor) is a fifth of the cost of a request. Failures travel
// inside T as values; a Task throws only boost::system::system_error(operation_aborted), when its
// waiter was cancelled.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace brickgate {

using Executor = boost::asio::io_context::executor_type;

template <class T>
using Task = boost::asio::awaitable<T, Executor>;

using UseTask = boost::asio::use_awaitable_t<Executor>;
inline constexpr UseTask use_task{};

using SteadyTimer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace brickgate
