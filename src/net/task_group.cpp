// SPDX-License-Identifier: Apache-2.0
#include "net/task_group.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/log.h"

namespace brickgate {

void TaskGroup::spawn(Executor executor, Task<void> task) {
    running_.fetch_add(1);
    boost::asio::co_spawn(executor, std::move(task),
                          [this](std::exception_ptr thrown) { ended(std::move(thrown)); });
}

void TaskGroup::ended(std::exception_ptr thrown) {
    if (thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (boost::system::system_error const& e) {
            if (e.code() != boost::asio::error::operation_aborted) {
                log(LogLevel::error, "task_failed", "A background task failed.",
                    {{"error", e.what()}});
            }
        } catch (std::exception const& e) {
            log(LogLevel::error, "task_failed", "A background task failed.", {{"error", e.what()}});
        }
    }
    running_.fetch_sub(1);
    for (auto const& gate : std::exchange(waiting_, {})) {
        gate->cancel();
    }
}

Task<void> TaskGroup::drained(std::size_t left) {
    Executor const executor = co_await boost::asio::this_coro::executor;
    while (running_.load() > left) {
        auto gate = std::make_shared<SteadyTimer>(executor, SteadyTimer::time_point::max());
        waiting_.push_back(gate);
        boost::system::error_code ignored;
        co_await gate->async_wait(boost::asio::redirect_error(use_task, ignored));
    }
}

TaskGroup& task_group_of(Executor executor) {
    return boost::asio::use_service<TaskGroup>(executor.context());
}

void spawn(Executor executor, Task<void> task) {
    task_group_of(executor).spawn(executor, std::move(task));
}

}  // namespace brickgate
