// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs one coroutine to its end on an io_context of its own, on the calling thread, and gives its
// result.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "net/task.h"

namespace brickgate::testing {

template <class T>
T run_task(boost::asio::io_context& context, Task<T> task) {
    std::exception_ptr thrown;
    if constexpr (std::is_void_v<T>) {
        boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr e) { thrown = e; });
        context.restart();
        context.run();
        if (thrown) {
            std::rethrow_exception(thrown);
        }
    } else {
        std::optional<T> out;
        auto keep = [](Task<T> inner, std::optional<T>& to) -> Task<void> {
            to.emplace(co_await std::move(inner));
        };
        boost::asio::co_spawn(context, keep(std::move(task), out),
                              [&](std::exception_ptr e) { thrown = e; });
        context.restart();
        context.run();
        if (thrown) {
            std::rethrow_exception(thrown);
        }
        return std::move(out.value());
    }
}

template <class T>
T run_task(Task<T> task) {
    boost::asio::io_context context(1);
    return run_task(context, std::move(task));
}

}  // namespace brickgate::testing
